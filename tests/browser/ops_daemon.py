"""A daemon process against the sandbox, with a receiver that refuses until it is told not to."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import write_certificate

CHROMIUM = "/usr/bin/chromium"
TOKEN = "a-web-token-of-many-letters"
RULES = {"rules": [{"name": "Busy", "kind": "count", "by": ["operator"], "window": "1h", "above": 1}]}
_PROGRAM = [sys.executable, "-m", "monitor"]


def needs_chromium() -> None:
    """Skips the test with a message if the browser is not installed. CI treats such skips as failures."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("LEFT OUT: this test needs a real browser: apt-get install chromium")


@dataclass
class Hook:
    """A receiver of webhooks. It answers ``status``, and keeps what it accepted."""

    status: int = 404
    accepted: list[Any] = field(default_factory=list)
    url: str = ""


@contextmanager
def hook() -> Iterator[Hook]:
    """Serves a hook on a free port of loopback."""
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if made.status == 200:
                made.accepted.append(body)
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def process(*arguments: str, folder: Path, says: str) -> Iterator[str]:
    """Runs the program until the block ends; yields what stands after ``says`` in the first line that has it."""
    running = subprocess.Popen(
        [*_PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout is not None
    lines: list[str] = []
    found = None
    for line in running.stdout:
        lines.append(line)
        found = re.search(says, line)
        if found:
            break
    rest = threading.Thread(target=lambda: lines.extend(running.stdout or ()))
    rest.start()
    try:
        assert found is not None, "".join(lines)
        yield found[1]
    finally:
        running.terminate()
        running.wait(30)
        rest.join()
        running.stdout.close()


@contextmanager
def daemon(folder: Path, receiver: str, **web: Any) -> Iterator[str]:
    """Runs the sandbox and a daemon on it; yields the daemon's address."""
    sandbox = process("sandbox", "--listen", "127.0.0.1:0", "--history", "10m", folder=folder, says=r"is at (http\S+)")
    with sandbox as routee:
        write_certificate(folder)
        account = {"name": "main", "application_id": "sandbox", "application_secret": "sandbox-secret"}
        config = {
            "accounts": [account | {"api_url": routee, "auth_url": routee, "requests_per_second": 100}],
            "searches": [{"name": "all", "every": "2s", "resweep": []}],
            "rules": ["rules.yaml"],
            "receivers": [{"name": "ops", "webhook": [{"url": receiver}]}],
            "route": {"receiver": "ops", "group_wait": "1s"},
            "web": {"listen": "127.0.0.1:0", "token": TOKEN, **web},
        }
        (folder / "monitor.yaml").write_text(json.dumps(config))
        (folder / "rules.yaml").write_text(json.dumps(RULES))
        with process("run", "--log-format", "text", folder=folder, says=r"listening on (http\S+)") as url:
            yield url
