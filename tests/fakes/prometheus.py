"""Runs the real Prometheus of Debian's package on the loopback, with one target, and its command promtool."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.fakes.alertmanager import free_port
from tests.fakes.readiness import until_ready

PACKAGE = "prometheus"


def needs_prometheus() -> None:
    """Skips the test with a message if the package is not installed. CI treats such skips as failures."""
    if shutil.which(PACKAGE) is None or shutil.which("promtool") is None:
        pytest.skip(f"LEFT OUT: this test needs the real Prometheus: apt-get install {PACKAGE}")


def promtool(*arguments: str, given: bytes | None = None) -> tuple[int, str]:
    """Returns the exit code of ``promtool`` and all that it says."""
    needs_prometheus()
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@dataclass
class Prometheus:
    """A running Prometheus."""

    url: str

    async def ask(self, path: str, **parameters: str) -> Any:
        """Returns the data of an answer of its API; fails if it says anything but success."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}/api/v1/{path}", params=parameters)
        assert answer.json()["status"] == "success", (parameters, answer.text)
        return answer.json()["data"]

    async def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Returns the values of an instant query, by the values of its labels in the order of their names."""
        data = await self.ask("query", query=expression)
        assert data["resultType"] == "vector"
        return {
            tuple(value for _, value in sorted(one["metric"].items())): float(one["value"][1]) for one in data["result"]
        }


@asynccontextmanager
async def prometheus(folder: Path, target: str, rules: Path) -> AsyncIterator[Prometheus]:
    """Starts a Prometheus that scrapes ``target`` (host:port) each second, as the job routee-monitor, and evaluates ``rules``."""
    needs_prometheus()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "routee-monitor", "static_configs": [{"targets": [target]}]}],
        "rule_files": [str(rules)],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        PACKAGE,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await until_ready(f"http://{address}")
        yield Prometheus(f"http://{address}")
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
