"""Three days of traffic at the local Routee, of which a tenth is reported late, by up to two days."""

from typing import Final

import numpy as np

from monitor.runtime.clock import DAY, HOUR, MINUTE, Clock, Duration, Instant
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.campaigns import BLOCK
from monitor.simulation.sandbox.messages import NEVER, Rows

LATE_SHARE: Final = 0.1
LATEST: Final[Duration] = 48 * HOUR
SOON: Final[Duration] = 4 * MINUTE
"""What is not late is reported within this time, or never."""
BEFORE: Final[Duration] = 2 * DAY
"""How long messages have been sent when the benchmark begins, so that late reports come from the first minute on."""
FIRST_NUMBER: Final = 30_690_000_000
"""The recipient of the first message; the next ones follow, so that a record says which row it is."""


def late_sandbox(clock: Clock, messages_a_day: int, span: Duration) -> Sandbox:
    """Returns a local Routee with that many messages a day, of one part each, from BEFORE now until ``span`` from now."""
    sandbox, rng = Sandbox(clock, traffic=None), np.random.default_rng(7)
    now = clock.now()
    starts = range((now - BEFORE) // BLOCK * BLOCK, now + span, BLOCK)
    weights = np.array([sandbox.model.expected(start, start + BLOCK).sum() for start in starts])
    total = round(messages_a_day * len(starts) * BLOCK / DAY)
    for start, count in zip(starts, rng.multinomial(total, weights / weights.sum()).tolist(), strict=True):
        rows = sandbox.model.draw(start, start + BLOCK, count)
        rows = rows.take(rows.part == 1)
        rows.parts[:] = 1
        _delay(rows, rng)
        sandbox.messages.append(rows)
    sandbox.messages.rows.to[:] = FIRST_NUMBER + np.arange(len(sandbox.messages))
    return sandbox


def _delay(rows: Rows, rng: np.random.Generator) -> None:
    """Decides anew when each message is reported."""
    soon = rows.last_at - rows.created <= SOON
    rows.sent_at[:] = np.minimum(rows.sent_at, rows.created + MINUTE)
    rows.last_at[~soon & (rows.last_at != NEVER)] = (rows.sent_at + MINUTE)[~soon & (rows.last_at != NEVER)]
    late = rng.random(len(rows)) < LATE_SHARE
    delays = rng.integers(SOON, LATEST, int(late.sum())) // 1_000_000 * 1_000_000
    rows.last_at[late] = rows.created[late] + delays


def span_of(rows: Rows, start: Instant, end: Instant) -> slice:
    """Returns the rows sent after ``start``, up to ``end``."""
    low, high = np.searchsorted(rows.created, [start, end], "right").tolist()
    return slice(low, high)
