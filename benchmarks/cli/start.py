"""Measures how long the command line takes to answer ``--help``, the cost of starting any command."""

import subprocess
import sys
import time

from benchmarks.figure import Figure, Times, median_of


def run(quick: bool) -> list[Figure]:
    """Returns the median of several starts."""
    times = Times(tuple(_help() for _ in range(3 if quick else 11)))
    return [
        median_of("routee-monitor --help", times.seconds, "s", at_most=0.3),
        Figure("the same, the best of them", times.best, "s"),
    ]


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "monitor", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
