"""How long the messages of each group usually take, for ``event: slow``: the time within which four of five have a final status.

It is learned like the baseline: block by block, an hour after a block's end, without the blocks in which a message of an alarm was
sent, and without those of a group that has evidence of a change. What had no final status then counts as slower than all. So it depends
on nothing that becomes known later.

Evidence for a change stays when a limit moves: a group that becomes slow slowly moves its limit again and again, and would be told late
or never. While the history is learned a limit may be far off, and so is the evidence: it begins anew.
"""

from dataclasses import replace
from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.shift import baseline
from monitor.alerts.kinds.shift.counting import MinuteCounts, gathered
from monitor.alerts.kinds.shift.groups import GroupRows, Ints, grow
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, WAITING, Floats, Mask, ShiftState
from monitor.config.rules.shift import Shift
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query

SHORTEST: Final = 2.0
LONGEST: Final = 7200.0
BINS: Final = 24
EDGES: Final[Floats] = np.geomspace(SHORTEST, LONGEST, BINS)
"""Seconds: the longest delay of each bin; what is longer still counts in the last one."""
UNIT: Final = np.float32(1 << 16)
"""Messages of one group are parts of this when those of all groups are added."""
USUAL: Final = 0.8
"""The part of the messages that is not slow."""
LEAST_SLOW: Final = 0.1
MOST_SLOW: Final = 0.3
"""A limit stays as long as the part that is slower than it is between these."""
FIRST: Final = float(EDGES[np.searchsorted(EDGES, 60.0)])
"""Seconds that are taken for slow before anything is known."""
GRACE: Final[Duration] = MINUTE
LONG_GRACE: Final[Duration] = 6 * MINUTE
QUICK: Final = 240.0
"""Whether a message has a final status by a time is known so long after: `GRACE` where that is under `QUICK` seconds, else `LONG_GRACE`.
Sweeps look at older messages less often."""
LATEST: Final[Duration] = 2 * HOUR
"""Where the past is worked through, reports that came later than this are looked for separately: there are few, and they may lie anywhere."""


@dataclass(slots=True)
class Delays:
    """Of each group; ``counts`` (bins, groups) are messages by their delay, exponentially weighted."""

    counts: NDArray[np.float32]
    limit: NDArray[np.float32]
    """Seconds: a message without a final status after this time is slow."""
    left_out: Mask
    """(`WAITING`, groups): whether a message of an alarm was sent in a block that is not learned yet, by the block's number modulo `WAITING`."""

    @classmethod
    def empty(cls) -> "Delays":
        """Of no group."""
        return cls(np.zeros((BINS, 0), np.float32), np.zeros(0, np.float32), np.zeros((WAITING, 0), np.bool_))

    def copy(self) -> "Delays":
        """A copy that can go on by itself."""
        return Delays(self.counts.copy(), self.limit.copy(), self.left_out.copy())

    def to_bytes(self) -> bytes:
        """As `from_bytes` reads it."""
        return self.counts.tobytes() + self.limit.tobytes() + self.left_out.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Delays":
        """Raises ValueError where the data is not that."""
        groups = len(data) // (4 * (BINS + 1) + WAITING)
        read = np.frombuffer(data, np.float32, (BINS + 1) * groups).reshape(BINS + 1, groups)
        left_out = np.frombuffer(data, np.bool_, offset=read.nbytes).reshape(WAITING, groups)
        return cls(read[:BINS].copy(), read[BINS].copy(), left_out.copy())

    def only(self, at: Ints) -> "Delays":
        """Of these groups alone, in this order."""
        return Delays(self.counts[:, at], self.limit[at], self.left_out[:, at]) if len(self.limit) else self

    def grow(self, groups: int) -> None:
        """There are so many groups from now on."""
        more = groups - len(self.limit)
        if more > 0:
            self.counts = np.concatenate([self.counts, np.zeros((BINS, more), np.float32)], axis=1)
            usual = float(_limits(np.cumsum(_pooled(self.counts))[:, None])[0])
            self.limit = np.concatenate([self.limit, np.full(more, usual, np.float32)])
            self.left_out = np.concatenate([self.left_out, np.zeros((WAITING, more), np.bool_)], axis=1)

    def leave_out(self, state: ShiftState, minute: Instant, settings: ShiftSettings) -> None:
        """The minute was folded: under an alarm nothing is learned of what was sent since the change."""
        at = np.flatnonzero(~baseline.learns(state, minute, settings))
        if at.size:
            sent = state.change_at[at] - (self.limit[at].astype(np.float64) * SECOND).astype(np.int64)
            for block in range(minute // BLOCK - WAITING + 1, minute // BLOCK + 1):
                self.left_out[block % WAITING, at] |= sent // BLOCK <= block

    def learn(self, found: Floats, state: ShiftState, at: Instant, settings: ShiftSettings) -> None:
        """Take the delays of the block in that ended an hour before ``at``, by bin and group.

        A limit is moved where it is not that of about four in five any more.
        """
        left_out = self.left_out[at // BLOCK % WAITING]
        suspected = baseline.suspects(state, at, settings)
        learning = baseline.learns(state, at, settings) & ~suspected & ~left_out
        left_out[:] = False
        self.counts *= np.where(learning, 0.5 ** (BLOCK / settings.half_life), 1.0).astype(np.float32)
        self.counts += (found * learning).astype(np.float32)
        prior = _pooled(self.counts)
        prior *= settings.prior_messages / max(fsum(prior), 1.0)
        within = np.cumsum(self.counts, axis=0, dtype=np.float64) + np.cumsum(prior)[:, None]
        slow = _beyond(within, self.limit)
        moved = np.flatnonzero(learning & ((slow < LEAST_SLOW) | (slow > MOST_SLOW)))
        self.limit[moved] = _limits(within[:, moved])
        learned = state.begun is not None and at - state.begun >= settings.learn
        baseline.rest_on(state, moved, _beyond(within[:, moved], self.limit[moved]), anew=not learned)


def _beyond(within: Floats, limit: NDArray[np.float32]) -> Floats:
    """The part of each group's messages that takes longer than its limit. ``within`` says how many take no longer than each bin."""
    bins = np.searchsorted(EDGES, limit.astype(np.float64) * (1 - 1e-6))
    quick, total = np.take_along_axis(within, bins[None], axis=0)[0], within[-1]
    return np.asarray(1 - np.divide(quick, total, out=np.full(len(total), USUAL), where=total > 0))


def _pooled(counts: NDArray[np.float32]) -> Floats:
    """The delays of all groups together, in whole units of `UNIT`: their sums do not depend on the groups' order."""
    return np.asarray(np.rint(counts * UNIT).sum(axis=1, dtype=np.int64) / UNIT)


def _limits(within: Floats) -> Floats:
    total = within[-1]
    reached = within >= USUAL * total - 1e-9
    return np.where(total > 0, EDGES[reached.argmax(axis=0)], FIRST)


def learn_block(
    delays: Delays,
    rule: Shift,
    inputs: EvaluationInput,
    groups: GroupRows,
    state: ShiftState,
    at: Instant,
    settings: ShiftSettings,
) -> NDArray[np.int64]:
    """A block begins at ``at``: the messages of the one that ended an hour ago show how long they take. Gives how many, by bin and group."""
    start = at - WAITING * BLOCK
    sent, finished, group = _messages(rule, inputs, groups, start, start + BLOCK)
    grow(state, groups)
    delays.grow(len(groups))
    took = np.where(finished <= at, finished - sent, 1 << 60) / SECOND
    bins = np.minimum(np.searchsorted(EDGES, took), BINS - 1)
    found = np.bincount(bins * len(groups) + group, minlength=BINS * len(groups)).reshape(BINS, len(groups))
    delays.learn(found.astype(np.float64), state, at, settings)
    return found


def count_slow(
    rule: Shift, inputs: EvaluationInput, groups: GroupRows, delays: Delays, start: Instant, end: Instant
) -> MinuteCounts:
    """Of the messages that reached their group's limit in (start, end], which had no final status then."""
    longest = int(max(delays.limit.max(initial=FIRST), FIRST) * SECOND)
    sent, finished, group = _messages(rule, inputs, groups, start - longest, end)
    delays.grow(len(groups))
    reached = sent + (delays.limit[group].astype(np.float64) * SECOND).astype(np.int64)
    seen = reached + np.where(delays.limit[group] < QUICK, GRACE, LONG_GRACE)
    due = (reached > start) & (reached <= end)
    within = due & (seen <= inputs.as_of)
    slow = finished[within] > reached[within]
    found = gathered(start, (reached[within] - 1 - start) // MINUTE, group[within], slow)
    open_since = int((reached[due & ~within] - 1 - start).min(initial=_NEVER))
    return found if open_since == _NEVER else replace(found, settled_to=start + open_since // MINUTE * MINUTE)


_NEVER: Final = 1 << 62


def _messages(
    rule: Shift, inputs: EvaluationInput, groups: GroupRows, start: Instant, end: Instant
) -> tuple[Ints, Ints, Ints]:
    """The messages that were sent in (``start``, ``end``].

    Of each: when it was sent, when it got a final status (never: far in the future), and its group's row.
    """
    reading, latest = inputs.reading, end + LATEST
    rows, codes = reading.grouped(asked(rule, start, latest))
    if latest < inputs.as_of:
        later = replace(asked(rule, latest, inputs.as_of), late=LATEST)
        rows, codes = (np.concatenate(pair) for pair in zip((rows, codes), reading.grouped(later), strict=True))
    sent = reading.sent(rows)
    within = (sent > start) & (sent <= end)
    rows, codes, sent = rows[within], codes[within], sent[within]
    columns, final = reading.window.columns, reading.window.facets.final()
    finished = np.where(final[columns["profile"][rows]], columns["date"][rows], _NEVER)
    return sent, finished, groups.rows(reading, codes)


def asked(rule: Shift, start: Instant, end: Instant) -> Query:
    """The messages that the rule considers, whatever became of them."""
    question = considered(rule, end, end - start)
    return question if isinstance(rule.of, str) else of(question, rule.of)
