"""Runs the daemon in a process of its own, against a local Routee, and reads what the process used."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.daemon.process import PATIENCE, processor_seconds, until_answers
from monitor.config.starter import rules
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

SECRET = "the-secret-of-callbacks"
TOKEN = "the-token-of-the-listener"

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon."""

    address: Address
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def processor_seconds(self) -> float:
        """Returns the processor time that the process has used, in seconds."""
        return processor_seconds(self.pid)

    def most_memory(self) -> float:
        """Returns the most resident memory that the process ever had, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def get(self, path: str) -> tuple[int, bytes]:
        """Returns status and body of a page, asked for with the token."""
        return ask(self.address, path, {"Authorization": f"Bearer {TOKEN}"})


def configure(folder: Path, url: str, web: dict[str, Any] | None = None, **config: Any) -> Path:
    """Writes ``monitor.yaml`` for an account of the local Routee at ``url``, with the starter rules unless others are given.

    ``web`` and ``config`` are added to the listener's settings, and to all others.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    whole = {
        "accounts": [account | {"callback_secret": SECRET, "requests_per_second": 1000}],
        "rules": [str(rules())],
        "store": "sqlite:monitor.db",
        "web": {"listen": f"{host}:{port}", "token": TOKEN} | (web or {}),
    }
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(whole | config))
    return path


@contextmanager
def daemon(config: Path) -> Iterator[Daemon]:
    """Runs the daemon until the block ends; yields it once it is ready."""
    host, _, port = json.loads(config.read_text())["web"]["listen"].rpartition(":")
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config), "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        running = Daemon((host, int(port)), process.pid)
        try:
            until_answers(running.address, "/readyz", time.perf_counter(), lambda: process.poll() is None)
            yield running
        finally:
            process.terminate()


def ask(address: Address, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Returns status and body of one request on a connection of its own. Raises OSError if there is no answer."""
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
