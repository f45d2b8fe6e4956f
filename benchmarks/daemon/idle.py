"""Measures what a daemon takes that has nothing to do: the starter rules, and an account without messages that is polled every 30 s."""

import tempfile
import time
from pathlib import Path

from benchmarks.cli.commands import place_in, running
from benchmarks.daemon.process import environment, processor_seconds, resident_megabytes, until_answers
from benchmarks.figure import Figure
from benchmarks.routee_process import routee_with

SETTLED = 60
"""Seconds after which the pages are compiled and the first sweeps are through."""


def run(quick: bool) -> list[Figure]:
    """Returns the share of a core over four minutes (quick: one), and the resident memory at their end."""
    watched = 60 if quick else 240
    with tempfile.TemporaryDirectory() as name, routee_with(0) as url:
        place = place_in(Path(name) / "idle", url, environment(Path(name) / "compiled"), [])
        command = [*place.command("run"), "--log-level", "error"]
        with running(command, place):  # compiles the modules
            until_answers(place.address, "/readyz", time.perf_counter())
        with running(command, place) as process:
            until_answers(place.address, "/readyz", time.perf_counter())
            time.sleep(SETTLED)  # it idles in real time, and nothing is waited for
            before, began = processor_seconds(process), time.perf_counter()
            time.sleep(watched)  # the same
            share = (processor_seconds(process) - before) / (time.perf_counter() - began)
            memory = resident_megabytes(process)
    return [
        Figure("of a core, while nothing happens", share * 100, "%", at_most=0.5),
        Figure("resident memory then", memory, "MB", at_most=90),
    ]
