"""What the sequential test knows of each group: some 390 bytes each, in arrays."""

from dataclasses import fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.shift.hypotheses import Hypotheses
from monitor.runtime.clock import MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

BLOCK: Final[Duration] = 30 * MINUTE
"""The baseline learns in blocks of this length, by the clock."""
WAITING: Final = 3
"""The number of blocks that are not learned yet: the present one, and two that are complete. So a block is learned an hour after its end."""
N, F, NN, NF, FF = range(5)
"""What of a block is kept: the sums over its minutes of n, f, n², nf and f²."""


@dataclass(slots=True)
class ShiftState:
    """The state after all minutes up to ``folded_to``. The last axis of each array is the groups.

    A group's counts of a minute are n, the messages, and f, those of them with the event.
    """

    begun: Instant | None
    """The first minute."""
    folded_to: Instant | None
    """The end of the last minute."""
    judged_groups: int
    """How many groups were judged when the present block began."""

    level: Ints
    """0: a group of messages; above: a pool of small groups, whose messages are counted already."""
    judged: Mask
    """Whether the group has enough messages to be judged by itself."""
    daily: Floats
    """The messages of a day, exponentially weighted."""
    block_n: Floats
    """The messages of the present block."""

    weight: Floats
    """The messages that the baseline was learned from, exponentially weighted."""
    events: Floats
    """Those of them with the event."""
    blocks: Floats
    """The blocks that variation was measured in, weighted likewise."""
    quick_excess: Floats
    """Σ((f - n p)² / v - n) over minutes, where v = p (1 - p): the variance beyond that of independent messages."""
    quick_pairs: Floats
    """Σ n (n - 1) over minutes: what the excess is divided by."""
    slow_excess: Floats
    """The same over blocks."""
    slow_pairs: Floats
    drift: Floats
    """How far the probability has drifted from the baseline by itself, as a difference of logits."""
    drift_known: Floats
    """The part of the variance of that which what was learned has taken away: 0 without messages."""
    waiting: Floats
    """(5, `WAITING`, groups): the sums of blocks that are not learned yet, by the block's number modulo `WAITING`."""

    evidence: Floats
    """(3, groups): the evidence for each alternative."""
    segment_n: Floats
    """(3, groups): the messages since that evidence was last 0."""
    segment_f: Floats
    segment_since: Ints
    """(3, groups): the minute in which that began."""
    drop_evidence: Floats
    """The evidence that the baseline was learned too high."""
    drop_n: Floats
    drop_f: Floats

    alarm: Mask
    alarm_at: Ints
    """The minute in which the alarm was raised."""
    change_at: Ints
    """The minute in which the change began, by the largest evidence. Without an alarm: 0."""
    alternative: Floats
    """What the alarm says that the probability is at least."""
    recovery: Floats
    """The evidence that the probability is back."""
    since_n: Floats
    """The messages since the change."""
    since_f: Floats

    recent_n: Floats
    """The latest messages, exponentially weighted."""
    recent_f: Floats
    last: Ints
    """The last minute with a message."""

    hypotheses: Hypotheses | None = None
    """What follows from all this for the test; None: not worked out. It is not part of the state."""

    @classmethod
    def empty(cls, groups: int) -> "ShiftState":
        """Nothing is known of so many groups."""
        arrays: dict[str, Any] = {name: np.zeros((*shape, groups), kind) for name, (shape, kind) in _ARRAYS.items()}
        return cls(None, None, 1, **arrays)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.alarm)

    @property
    def block(self) -> int:
        """The number of the block of the last minute."""
        return -1 if self.folded_to is None else (self.folded_to - MINUTE) // BLOCK

    def copy(self) -> "ShiftState":
        """A copy that can go on by itself."""
        arrays: dict[str, Any] = {name: getattr(self, name).copy() for name in _ARRAYS}
        return ShiftState(self.begun, self.folded_to, self.judged_groups, **arrays, hypotheses=self.hypotheses)

    def grow(self, groups: int) -> None:
        """There are so many groups from now on; nothing is known of the new ones."""
        more = groups - self.groups
        for name, (shape, dtype) in _ARRAYS.items() if more > 0 else ():
            fresh = np.zeros((*shape, more), dtype)
            setattr(self, name, np.concatenate([getattr(self, name), fresh], axis=-1))
            self.hypotheses = None

    def forget(self, at: Ints) -> None:
        """Nothing is known of these groups any more."""
        for name in _ARRAYS.keys() - {"level"}:
            getattr(self, name)[..., at] = 0
        self.hypotheses = None

    def only(self, at: Ints) -> "ShiftState":
        """The same with these groups alone, in this order. Those left out must be forgotten: then nothing changes for the others."""
        arrays: dict[str, Any] = {name: getattr(self, name)[..., at] for name in _ARRAYS}
        return ShiftState(self.begun, self.folded_to, self.judged_groups, **arrays)

    def to_bytes(self) -> bytes:
        """As `from_bytes` reads it."""
        head = np.array([self.begun or 0, self.folded_to or 0, self.judged_groups], np.int64)
        return b"".join([head.tobytes(), *(getattr(self, name).tobytes() for name in _ARRAYS)])

    @classmethod
    def from_bytes(cls, data: bytes, groups: int) -> "ShiftState":
        """The state of so many groups. Raises ValueError where the data is not one."""
        state, at = cls.empty(groups), 24
        begun, folded_to, state.judged_groups = map(int, np.frombuffer(data[:at], np.int64))
        state.begun, state.folded_to = begun or None, folded_to or None
        for name in _ARRAYS:
            array = getattr(state, name)
            array.ravel()[:] = np.frombuffer(data, array.dtype, array.size, at)
            at += array.nbytes
        if at != len(data):
            raise ValueError("the data is longer than a state")
        return state

    @property
    def probability(self) -> Floats:
        """With an alarm the probability since the change, else that of the latest messages; NaN without messages."""
        n = np.where(self.alarm, self.since_n, self.recent_n)
        f = np.where(self.alarm, self.since_f, self.recent_f)
        return np.asarray(np.divide(f, n, out=np.full(self.groups, np.nan), where=n > 0))

    @property
    def baseline(self) -> Floats:
        """The usual probability."""
        return self._hypotheses.usual

    @property
    def threshold(self) -> Floats:
        """The least probability that counts as a change."""
        return np.asarray(self._hypotheses.alternatives[0])

    @property
    def _hypotheses(self) -> Hypotheses:
        if self.hypotheses is None:
            raise ValueError("nothing was folded yet, and `baseline.derive` was not called")
        return self.hypotheses


_INTEGERS: Final = {"level", "segment_since", "alarm_at", "change_at", "last"}
_MASKS: Final = {"judged", "alarm"}
_SHAPES: Final = {
    "waiting": (5, WAITING),
    **dict.fromkeys(("evidence", "segment_n", "segment_f", "segment_since"), (3,)),
}


def _dtype(name: str) -> type[np.generic]:
    return np.int64 if name in _INTEGERS else np.bool_ if name in _MASKS else np.float64


_ARRAYS: Final = {
    field.name: (_SHAPES.get(field.name, ()), _dtype(field.name))
    for field in fields(ShiftState)
    if field.name not in ("begun", "folded_to", "judged_groups", "hypotheses")
}
