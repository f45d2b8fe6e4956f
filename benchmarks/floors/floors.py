"""Compares each step with its floor, in one run: the least code that does the same work, or the same bytes read or written and nothing else.

A ratio says how many times the floor a step takes; it hardly depends on the machine. Times are of the processor, but for what waits for the disk.
"""

import tempfile
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.floors.decoding import decoding
from benchmarks.floors.evaluating import evaluating
from benchmarks.floors.fetching import fetching
from benchmarks.floors.ingesting import ingesting
from benchmarks.floors.storing import storing
from benchmarks.floors.upserting import upserting
from benchmarks.messages import count


def run(quick: bool) -> list[Figure]:
    """Returns for each step what it takes, its floor, and the ratio."""
    messages = count(quick)
    with tempfile.TemporaryDirectory() as folder:
        stored = storing(messages, Path(folder))
    return [
        *decoding(messages // 20),
        *upserting(messages // 5),
        *evaluating(messages),
        *stored,
        *fetching(messages // 4, encrypted=False),
        *fetching(messages // 4, encrypted=True),
        *ingesting(messages // 4, encrypted=False),
        *ingesting(messages // 4, encrypted=True),
    ]
