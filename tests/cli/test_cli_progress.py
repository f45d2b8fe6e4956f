"""What a command shows while it takes long: on a terminal only, and erased at the end."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cli_folder import Folder
from terminal import environment, on_terminal, piped

from monitor.cli.progress import PATIENCE_SECONDS

DOING = "asking the daemon"


class Slow(ThreadingHTTPServer):
    """Answers that there are no alerts, once its client has waited for twice as long as a command shows nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Slow

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.ended.wait(3 * PATIENCE_SECONDS)
        body = b"[]"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def slow_daemon() -> Iterator[str]:
    server = Slow()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def daemon() -> Iterator[str]:
    with slow_daemon() as url:
        yield url


@pytest.mark.parametrize("columns", [40, 80])
def test_what_takes_long_is_shown_on_a_terminal_and_erased(daemon: str, polled: Folder, columns: int) -> None:
    shown = on_terminal(["alerts", "--url", daemon], polled.path, columns)
    assert DOING in shown.text
    assert shown.widest <= columns
    before, after = shown.raw.rsplit(DOING, 1)
    assert "\x1b[2K" in after
    assert "\x1b[?25h" in after  # the cursor is back
    assert "OperatorFailureRate" not in before


def test_nothing_is_shown_where_output_is_no_terminal(daemon: str, polled: Folder) -> None:
    shown = piped(["alerts", "--url", daemon], polled.path)
    assert DOING not in shown.text
    assert shown.strays == []


def test_nothing_is_shown_beside_json(daemon: str, polled: Folder) -> None:
    shown = on_terminal(["alerts", "--json", "--url", daemon], polled.path, 80).text
    assert DOING not in shown
    json.loads(shown[shown.index("[") :])  # a warning may stand before it, on standard error


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_none(daemon: str, polled: Folder, env: dict[str, str]) -> None:
    shown = on_terminal(["alerts", "--url", daemon], polled.path, 80, env=env)
    assert not shown.is_coloured
    assert (DOING in shown.text) == ("TERM" not in env)


HALF_DONE = """
from monitor.cli.progress import progress
with progress("judging") as report:
    report(500, 1000)
    input()
"""


def test_a_bar_shows_how_much_is_done_and_goes_again() -> None:
    leader, terminal = pty.openpty()
    work = subprocess.Popen(
        [sys.executable, "-c", HALF_DONE], stdin=subprocess.PIPE, stderr=terminal, env=environment()
    )
    os.close(terminal)
    shown = b""
    while b"50%" not in shown and b"1000" not in shown:
        shown += os.read(leader, 10_000)
    work.communicate(b"\n")
    while piece := _read(leader):
        shown += piece
    os.close(leader)
    assert work.returncode == 0
    assert b"judging" in shown
    assert b"50%" in shown, "whatever 1000 counts"
    assert shown.decode().rstrip().endswith("\x1b[2K"), "nothing of it stays"


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 10_000)
    except OSError:  # the other end is closed, and all of it was read
        return b""
