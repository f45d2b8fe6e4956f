"""Compares routee-monitor with ElastAlert 2 and Prometheus, at the same work in the same run. A peer that is missing is named and left out."""

import sys
import tempfile
from pathlib import Path
from typing import Final

import trio

from benchmarks.figure import Figure
from benchmarks.peers.prometheus import evaluating
from benchmarks.peers.spike import MissingPeer, installed_elastalert, spike_figures, spikes

FEW: Final = 10_000
MANY: Final = 100_000
ROUNDS: Final = 3


def run(quick: bool) -> list[Figure]:
    """Returns what each process used, and ratios. ``quick`` leaves out what has to be installed from the network."""
    return [*_spikes(quick), *trio.run(evaluating, quick)]


def _spikes(quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        compiled = Path(name)
        if quick:
            _say("left out with --quick: ElastAlert 2, which has to be installed from the network")
            return spike_figures(None, trio.run(spikes, FEW, 1, None, compiled))
        program = _installed()
        few = trio.run(spikes, FEW, ROUNDS, program, compiled)
        return spike_figures(few, trio.run(spikes, MANY, ROUNDS, program, compiled))


def _installed() -> Path | None:
    try:
        return installed_elastalert()
    except MissingPeer as missing:
        _say(f"left out: {missing}")
        return None


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
