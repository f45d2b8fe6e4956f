"""Runs benchmarks one after the other, each in a process of its own, and shows their figures in one table."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.figure import Figure, table

MODULES = {
    "start": "cli.start",
    "commands": "cli.commands",
    "evaluate": "alerts.evaluate",
    "rules": "alerts.rules",
    "ingest": "ingest.ingest",
    "memory": "window.memory",
    "restart": "daemon.restart",
    "large": "daemon.large",
    "idle": "daemon.idle",
    "callbacks": "daemon.callbacks",
    "floods": "daemon.floods",
    "loop": "daemon.loop",
    "storm": "daemon.storm",
    "page": "daemon.page",
    "forget": "window.forget",
    "notify": "notify.notify",
    "dispatch": "dispatch.dispatch",
    "routing": "routing.routing",
    "store": "store.store",
    "render": "notify.render",
    "view": "alerts.view",
    "sandbox": "simulation.sandbox",
    "sigma": "alerts.sigma",
    "shift": "alerts.shift",
    "pack": "alerts.pack",
    "matrix": "alerts.matrix",
    "growth": "growth.growth",
    "floors": "floors.floors",
    "requests": "ingest.requests",
    "peers": "peers.peers",
    "fleet": "fleet.fleet",
}
"""Each benchmark's module: it lies in the folder of what it measures."""

NAMES = tuple(MODULES)


def main() -> int:
    """Runs the command; returns 1 if a benchmark fails. A missed target is no failure."""
    asked = _arguments()
    if asked.alone:
        sys.stdout.write(msgspec.json.encode(_run(asked.names[0], asked.quick)).decode())
        return 0
    rows: list[tuple[str, Figure]] = []
    failed = False
    for name in asked.names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures = _in_a_process(name, asked.quick)
        failed = failed or not figures
        rows += [(name, figure) for figure in figures]
    print(table(rows))
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure speed and memory on this machine."
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages: a look, not a measurement")
    parser.add_argument("--alone", action="store_true", help="one benchmark, in this process, figures as JSON")
    asked = parser.parse_args()
    asked.names = asked.names or list(NAMES)
    for name in asked.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(NAMES)}")
    return asked


def _run(name: str, quick: bool) -> list[Figure]:
    figures: list[Figure] = importlib.import_module(f"benchmarks.{MODULES[name]}").run(quick)
    return figures


def _in_a_process(name: str, quick: bool) -> list[Figure]:
    command = [sys.executable, "-m", "benchmarks", "--alone", name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, cwd=Path(__file__).parent.parent)
    if done.returncode:
        print(f"{name} ended with {done.returncode}", file=sys.stderr)
        return []
    return msgspec.json.decode(done.stdout, type=list[Figure])


if __name__ == "__main__":
    sys.exit(main())
