"""Measures a restart of the daemon with a million messages of history: from the start of its process until it says that it is ready."""

import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.daemon.process import environment, until_answers
from benchmarks.figure import Figure, median_of
from benchmarks.ingest.page_to_store import page_ingestion, read_all
from benchmarks.messages import count
from benchmarks.routee_process import client, routee_with
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS


def run(quick: bool) -> list[Figure]:
    """Returns medians over starts. A daemon is ready if it listens, has restored the window, and has polled each search once."""
    messages = count(quick)
    with tempfile.TemporaryDirectory() as name, routee_with(messages) as url:
        folder = Path(name)
        trio.run(_fill, url, folder, messages)
        address = configure(folder, url)
        times = starts(folder, address, 5)
    wall, listening, cpu = zip(*times, strict=True)
    return [
        median_of("ready after a restart", wall, "s", at_most=1),
        median_of("of which until it listens, all restored", listening, "s"),
        median_of("processor time of the whole start and stop", cpu, "s"),
    ]


async def _fill(url: str, folder: Path, messages: int) -> None:
    async with client(url) as routee, page_ingestion(folder) as here:
        await read_all(routee, here.take, messages)
        await here.complete()


def configure(folder: Path, url: str) -> tuple[str, int]:
    """Writes a configuration with one rule beside the store of a folder; returns where its daemon will listen."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    rule = {"name": "FailureRate", "kind": "rate", "by": ["operator", "country"], "window": "24h", "above": "90%"}
    config = {
        "accounts": [account],
        "rules": ["rules.yaml"],
        "store": "sqlite:monitor.db",
        "web": {"listen": f"{host}:{port}"},
    }
    (folder / "rules.yaml").write_text(json.dumps({"rules": [rule]}))
    (folder / "monitor.yaml").write_text(json.dumps(config))
    return host, port


def starts(folder: Path, address: tuple[str, int], rounds: int) -> list[tuple[float, float, float]]:
    """Starts the daemon so many times, after one start that compiles its modules; returns what each took, as `_started` does."""
    environ = environment(folder / "compiled")
    return [_started(folder, address, environ) for _ in range(rounds + 1)][1:]


def _started(folder: Path, address: tuple[str, int], environ: dict[str, str]) -> tuple[float, float, float]:
    """Starts the daemon and stops it; returns the seconds until it is ready and until it listens, and the processor time of both."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "monitor", "run", "--config", str(folder / "monitor.yaml"), "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ) as process:
        try:
            listening = until_answers(address, "/healthz", began)
            ready = until_answers(address, "/readyz", began)
        finally:
            process.terminate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ready, listening, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
