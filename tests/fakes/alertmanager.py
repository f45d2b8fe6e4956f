"""Runs the real Alertmanager of Debian's package on the loopback, with a webhook as its receiver, and its command amtool."""

import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.fakes.readiness import until_ready

PACKAGE = "prometheus-alertmanager"


def needs_alertmanager() -> None:
    """Skips the test with a message if the package is not installed. CI treats such skips as failures."""
    if shutil.which(PACKAGE) is None or shutil.which("amtool") is None:
        pytest.skip(f"LEFT OUT: this test needs the real Alertmanager: apt-get install {PACKAGE}")


@dataclass
class Alertmanager:
    """A running Alertmanager."""

    url: str

    async def alerts(self) -> list[dict[str, Any]]:
        """Returns its alerts in the form of API v2."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}/api/v2/alerts")
            found: list[dict[str, Any]] = answer.json()
        return found


@asynccontextmanager
async def alertmanager(folder: Path, hook: str = "http://127.0.0.1:9/") -> AsyncIterator[Alertmanager]:
    """Starts an Alertmanager that notifies ``hook`` of new alerts at once, and of ended ones after a second."""
    needs_alertmanager()
    config = {
        "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook}]}],
    }
    file = folder / "alertmanager.yml"
    file.write_text(json.dumps(config))
    port = free_port()
    command = [
        PACKAGE,
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        await until_ready(url)
        yield Alertmanager(url)
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()


async def amtool(url: str, *arguments: str) -> str:
    """Returns the output of ``amtool`` against ``url``; fails if amtool fails."""
    code, out, err = await amtool_fails(url, *arguments)
    assert code == 0, (arguments, out, err)
    return out


async def amtool_fails(url: str, *arguments: str) -> tuple[int, str, str]:
    """Returns the exit code of ``amtool``, its standard output and its standard error."""
    needs_alertmanager()
    command = ["amtool", f"--alertmanager.url={url}", *arguments]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def free_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
