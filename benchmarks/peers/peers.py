"""Compares routee-monitor with ElastAlert 2 and Prometheus, at the same work in the same run. A peer that is missing is named and left out."""

import sys

import trio

from benchmarks.figure import Figure
from benchmarks.peers.prometheus import evaluating
from benchmarks.peers.spike import MissingPeer, installed_elastalert, spikes


def run(quick: bool) -> list[Figure]:
    """Returns what each process used, and ratios. ``quick`` leaves out what has to be installed from the network."""
    return [*_spikes(quick), *trio.run(evaluating, quick)]


def _spikes(quick: bool) -> list[Figure]:
    messages, rounds = (10_000, 1) if quick else (100_000, 3)
    if quick:
        _say("left out with --quick: ElastAlert 2, which has to be installed from the network")
        return trio.run(spikes, messages, rounds, None)
    try:
        program = installed_elastalert()
    except MissingPeer as missing:
        _say(f"left out: {missing}")
        program = None
    return trio.run(spikes, messages, rounds, program)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
