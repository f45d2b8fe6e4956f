"""Measures what commands that people type many times a day, and a start of the daemon, take of the processor.

The store is nearly empty, so that the start is what is measured: of the interpreter, of libraries, of the program's modules. The program's
modules are compiled, as those of an installation are. Processor time, because other programs on the machine then count less.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.daemon.process import ROOT, environment, processor_seconds, resident_megabytes, until_answers
from benchmarks.figure import Figure, median_of
from benchmarks.routee_process import routee_with
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

MESSAGES: Final = 2_000
COMMANDS: Final = (
    ("check", 0.4),
    ("explain OperatorFailureRate", 0.4),
    ("alerts", 0.4),
    ("status", 0.4),
    ("history", 0.4),
    ("routes show", 0.4),
    ("routes test severity=critical", 0.4),
    ("silence list", 0.4),
    ("ack operator=Cosmote", 0.4),
)
"""What people type, with the most seconds that it may take. No daemon runs: `silence list` and `ack` end with that."""
FLOORS: Final = (
    ("python -c pass", "pass"),
    ("the libraries of status alone", "import click, msgspec, pydantic, re2, sqlite3, yaml"),
    (
        "the libraries of run alone",
        "import click, httpx, hypercorn.trio, jinja2, msgspec, numpy, prometheus_client, pydantic, re2, sqlite3, starlette.applications, trio, yaml",
    ),
)
FIRES: Final = {"name": "Any", "kind": "count", "by": ["operator"], "window": "7d", "above": 0, "severity": "info"}
"""Fires for each operator."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration and a store; ``environ`` has the folder of compiled modules."""

    path: Path
    address: tuple[str, int]
    environ: dict[str, str]

    def command(self, words: str) -> list[str]:
        """Returns the command with this folder's configuration."""
        return [sys.executable, "-m", "monitor", *words.split(), "--config", str(self.path / "monitor.yaml")]


def run(quick: bool) -> list[Figure]:
    """Returns medians over several runs."""
    rounds = 3 if quick else 9
    with tempfile.TemporaryDirectory() as name, routee_with(MESSAGES) as url:
        environ = environment(Path(name) / "compiled")
        quiet = place_in(Path(name) / "quiet", url, environ, [])
        firing = place_in(Path(name) / "firing", url, environ, [FIRES])
        starts = [_start(quiet) for _ in range(rounds)]
        _start(firing)
        floors = [median_of(what, _rounds([sys.executable, "-c", code], quiet, rounds), "s") for what, code in FLOORS]
        commands = [
            median_of(words, _rounds(quiet.command(words), quiet, rounds), "s", at_most=most)
            for words, most in COMMANDS
        ]
        shown = median_of(
            "alerts, with one that fires for each operator",
            _rounds(firing.command("alerts"), firing, rounds),
            "s",
            at_most=0.4,
        )
    ready, memory = zip(*starts, strict=True)
    return [
        *floors,
        *commands,
        shown,
        median_of("run until ready", ready, "s", at_most=1.0),
        median_of("resident memory then", memory, "MB", at_most=90),
    ]


def place_in(path: Path, url: str, environ: dict[str, str], further: Sequence[dict[str, Any]]) -> Place:
    """Makes a folder with the starter rules and ``further`` ones."""
    path.mkdir()
    shutil.copytree(ROOT / "rules", path / "rules", ignore=shutil.ignore_patterns("tests"))
    (path / "rules" / "further.yaml").write_text(json.dumps({"rules": list(further)}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    config = {
        "accounts": [account],
        "rules": ["rules/*.yaml"],
        "receivers": [{"name": "ops", "console": [{}]}],
        "store": "sqlite:monitor.db",
        "web": {"listen": f"{host}:{port}"},
    }
    (path / "monitor.yaml").write_text(json.dumps(config))
    return Place(path, (host, port), environ)


def _start(place: Place) -> tuple[float, float]:
    """Starts the daemon and stops it; returns the processor seconds until it is ready, and its resident memory then."""
    with running([*place.command("run"), "--log-level", "error"], place) as process:
        until_answers(place.address, "/readyz", time.perf_counter())
        return processor_seconds(process), resident_megabytes(process)


@contextmanager
def running(command: list[str], place: Place) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=place.environ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _rounds(command: list[str], place: Place, rounds: int) -> list[float]:
    """Returns the processor seconds of the whole process for each of several runs, after one that compiles its modules."""
    return [_seconds(command, place) for _ in range(rounds + 1)][1:]


def _seconds(command: list[str], place: Place) -> float:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=place.environ)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_utime + used.ru_stime
