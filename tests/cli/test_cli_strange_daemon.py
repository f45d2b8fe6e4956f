"""What commands make of an address where no routee-monitor answers, or one that means harm."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cli_folder import Folder

from monitor.cli.daemon_api import DaemonApi, NoAnswer
from monitor.daemon.http.connections import BUSY

TOKEN = "a-token-for-changes"


class Strange(ThreadingHTTPServer):
    """Answers everything alike, and remembers what it was asked and with which tokens."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes, headers: dict[str, str], *, drips: bool, endless: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (status, body, headers, drips, endless)
        self.ended = threading.Event()
        self.tokens: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Strange

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("authorization"))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, body, headers, drips, endless = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
            while endless:
                self.wfile.write(b" " * 1_000_000)
            while drips and not self.server.ended.wait(0.05):
                self.wfile.write(b" ")
        except OSError:
            pass

    do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names


@contextmanager
def strange(
    status: int = 200,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    drips: bool = False,
    endless: bool = False,
) -> Iterator[Strange]:
    server = Strange(status, body, headers or {}, drips=drips, endless=endless)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


COMMANDS = [
    ("status",),
    ("silence", "list"),
    ("silence", "add", "operator=Cosmote", "--for", "2h", "--by", "ann", "--comment", "x"),
    ("silence", "expire", "0123"),
    ("ack", "operator=Cosmote", "--by", "ann"),
]


@pytest.fixture
def with_token(folder: Folder) -> Folder:
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', f'web: {{listen: "127.0.0.1:0", token: {TOKEN}}}')
    return folder


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_token_goes_nowhere_else(with_token: Folder, command: tuple[str, ...], status: int) -> None:
    with strange() as thief, strange(status, headers={"Location": f"{thief.url}/api", "Content-Length": "0"}) as server:
        done = with_token.invoke(*command, "--url", server.url)
    assert (done.exit_code, thief.tokens) == (69, [])
    assert "leads elsewhere" in done.stderr
    assert server.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]]",
        b"{}",
        b"[1]",
        b'"text"',
        b"[" * 100_000,
        b'[{"id": "1"}]',
        b'{"searches": [], "silenceID": 7}',
        b'[{"fingerprint": "1", "labels": {"a": 1}, "status": {"state": "active"}}]',
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_answer_of_another_shape_is_no_internal_error(folder: Folder, command: tuple[str, ...], body: bytes) -> None:
    with strange(body=body, headers={"Content-Length": str(len(body))}) as server:
        done = folder.invoke(*command, "--url", server.url)
    assert done.exit_code == 69
    assert f"What answers at {server.url} is no routee-monitor, or one of another version; check --url" in done.stderr


@pytest.mark.parametrize("headers", [{"Content-Length": "100000"}, {}])
def test_an_answer_that_drips_is_waited_for_so_long_and_no_longer(headers: dict[str, str]) -> None:
    with strange(headers=headers, drips=True) as server, pytest.raises(NoAnswer, match="it gave no answer in time"):
        DaemonApi(server.url, within=0.3).get("/api/v2/silences", list)


def test_an_answer_without_end_is_not_kept(folder: Folder) -> None:
    with strange(endless=True) as server:
        done = folder.invoke("silence", "list", "--url", server.url)
    assert done.exit_code == 69
    assert "its answer is larger than 16 MiB" in done.stderr


def test_a_refusal_is_told_in_the_daemons_words(folder: Folder) -> None:
    with strange(403, b'{"error": "no"}', {"Content-Length": "15"}) as server:
        done = folder.invoke("silence", "list", "--url", server.url)
    assert (done.exit_code, done.stderr.strip().rpartition("error: ")[2]) == (1, "no")


def test_no_keys_of_connections_are_written_for_whoever_reads_them(folder: Folder) -> None:
    keys = folder.path / "keys"
    words = ["silence", "list", "--config", str(folder.config), "--url", "https://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        env={**os.environ, "SSLKEYLOGFILE": str(keys)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, keys.exists()) == (69, False), done.stderr
    assert "No answer from https://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize("status", [200, 404, 501])
@pytest.mark.parametrize("command", [*COMMANDS, ("healthcheck",)], ids=" ".join)
def test_a_page_of_another_server_is_not_shown(folder: Folder, command: tuple[str, ...], status: int) -> None:
    with strange(status, b"<html><title>nginx</title></html>") as server:
        done = folder.invoke(*command, "--url", server.url)
    assert done.exit_code == 69
    assert "is no routee-monitor" in done.stderr
    assert "nginx" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("status", "body", "code", "shown"),
    [
        (200, {"status": "healthy", "reasons": []}, 0, "The daemon is healthy.\n"),
        (
            503,
            {"status": "not healthy", "reasons": ["a stands", "b stands"]},
            1,
            "not healthy: a stands\nThe daemon is not healthy: b stands\n",
        ),
        (503, {"status": "not healthy"}, 1, "The daemon is not healthy. Its log has the reasons.\n"),
        (200, {"status": "ok"}, 69, "is no routee-monitor"),
    ],
)
def test_healthcheck_says_in_a_sentence_how_it_is(
    folder: Folder, status: int, body: Any, code: int, shown: str
) -> None:
    with strange(status, json.dumps(body).encode()) as server:
        said = folder.invoke("healthcheck", "--url", server.url)
        data = folder.invoke("healthcheck", "--json", "--url", server.url)
    assert (said.exit_code, data.exit_code) == (code, code)
    assert shown in (said.stderr if code else said.stdout)
    assert data.stdout == "" if code == 69 else json.loads(data.stdout) == body


@pytest.mark.parametrize(
    ("status", "body", "code", "shown"),
    [
        (503, BUSY.partition(b"\r\n\r\n")[2], 1, "The daemon is busy; try again in a second."),
        (403, b'{"error": "This name is not in web.allowed_hosts."}', 1, "This name is not in web.allowed_hosts."),
        (500, b'{"error": "Something went wrong."}', 1, "Something went wrong."),
        (404, b'{"error": "Not Found"}', 69, "is no routee-monitor"),
        (502, b"", 69, "is no routee-monitor"),
        (200, b'{"error": "no"}', 69, "is no routee-monitor"),
    ],
)
def test_healthcheck_tells_a_daemon_that_refuses_from_another_server(
    folder: Folder, status: int, body: bytes, code: int, shown: str
) -> None:
    with strange(status, body) as server:
        said = folder.invoke("healthcheck", "--url", server.url)
        data = folder.invoke("healthcheck", "--json", "--url", server.url)
    assert (said.exit_code, data.exit_code) == (code, code)
    assert shown in said.stderr
    assert data.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_daemon_whose_connections_are_all_taken_is_said_to_be_busy(folder: Folder, command: tuple[str, ...]) -> None:
    with strange(503) as server:
        done = folder.invoke(*command, "--url", server.url)
    assert done.exit_code == 1
    assert "The daemon is busy; try again in a second." in done.stderr
