"""The table at the beginning of docs/performance.md: what one daemon takes for so many messages a day, derived from the measured costs."""

from collections.abc import Iterator
from typing import Final

from benchmarks.fleet.costs import Costs
from benchmarks.fleet.fleet import KEPT, work_a_day, work_busiest
from benchmarks.fleet.simulation import Fleet

DAYS: Final = (100_000, 1_000_000, 3_000_000, 10_000_000)
"""Messages a day."""
STARTED: Final = 99e6
"""Resident bytes of a daemon that is ready and has no messages (`run` in docs/performance.md)."""
STORED: Final = 76
"""Bytes of a message in the SQLite file (docs/performance.md)."""


def day_lines(costs: Costs) -> Iterator[str]:
    """Yields a row for each number of messages a day."""
    for messages in DAYS:
        fleets = [Fleet(1, accounts=1, messages_a_day=messages, kept=kept) for kept in KEPT]
        cells = [
            f"{messages:,}",
            *(_share(of(costs, fleet)) for fleet in fleets for of in (work_a_day, work_busiest)),
            *(_size(STARTED + fleet.held_messages * costs.memory_bytes) for fleet in fleets),
            *(_size(fleet.held_messages * STORED) for fleet in fleets),
        ]
        yield f"| {' | '.join(cells)} |"


def _share(cores: float) -> str:
    return f"{100 * cores:.2g}%"


def _size(count: float) -> str:
    two = float(f"{count:.2g}")
    return f"{two / 1e9:g} GB" if two >= 1e9 else f"{two / 1e6:g} MB"
