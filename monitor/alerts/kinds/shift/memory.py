"""What a rule of the kind keeps between evaluations, how it moves on, and how it is stored.

The state is kept as of a *checkpoint*, a whole minute that trails the present by `TRAILS` and up to a `STEP` more. At each evaluation the time
since then, the *tail*, is counted anew and folded onto a copy. So what comes late, twice or in another order within the tail makes no
difference. What becomes known later of a time before the checkpoint is no evidence of a change now, and is not counted.
"""

import hashlib
from dataclasses import field, replace
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.shift.baseline import take_apart
from monitor.alerts.kinds.shift.counting import MinuteCounts, count
from monitor.alerts.kinds.shift.delays import GRACE, LONG_GRACE, Delays, count_slow, learn_block
from monitor.alerts.kinds.shift.groups import GroupRows, grow
from monitor.alerts.kinds.shift.sequential import fold
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, ShiftState
from monitor.alerts.kinds.shift.tail import Settled, Tail
from monitor.config.rules.shift import Shift
from monitor.runtime.clock import DAY, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work
from monitor.window import WindowReader

TRAILS: Final[Duration] = 10 * MINUTE
"""The least that the checkpoint is behind the present."""
STEP: Final[Duration] = 5 * MINUTE
"""Checkpoints are multiples of this, so that where one is depends on the time alone."""
LATE: Final[Duration] = 2 * MINUTE
"""Evidence seldom comes later than this."""
WORTH: Final = {"failure": (LATE,), "slow": (LATE + GRACE, LATE + LONG_GRACE)}
"""So long ago the states are that are worth knowing at the next poll, by the rule's ``event``."""
FIRST_MINUTES: Final = 3
MANY: Final = 1_000
"""So many groups that are forgotten are worth making room."""
FORMAT: Final = 2
"""The form of the blob. One of another form is not read: the state is worked out of the past again."""


@dataclass(frozen=True, slots=True)
class ShiftMemory:
    """``state`` and ``delays`` are as of ``checkpoint``, and are not changed any more. ``key`` says of which rule they are.

    ``tail`` is what the last evaluation knew of the tail.
    """

    key: str
    checkpoint: Instant
    groups: GroupRows
    state: ShiftState
    delays: Delays
    is_ready: bool = True
    tail: Tail = field(default_factory=Tail, compare=False)

    def slow_after(self, row: int) -> float:
        """The seconds after which a group's messages are slow."""
        return float(self.delays.limit[row]) if row < len(self.delays.limit) else 0.0

    def blob(self) -> bytes:
        """See `monitor.alerts.kinds.rule_state.RuleState`."""
        count = self.state.groups
        names = self.groups.values[:count], self.groups.levels[:count]
        head = _Head(FORMAT, self.key, self.checkpoint, self.groups.by, *names)
        return msgspec.msgpack.encode((head, self.state.to_bytes(), self.delays.to_bytes()))


class _Head(msgspec.Struct, frozen=True, array_like=True):
    format: int
    key: str
    checkpoint: Instant
    by: tuple[str, ...]
    values: list[tuple[str, ...]]
    levels: list[int]


def read(blob: bytes) -> ShiftMemory | None:
    """The memory as it was stored; None where that cannot be read."""
    try:
        head, data, delays = msgspec.msgpack.decode(blob, type=tuple[_Head, bytes, bytes])
        if head.format != FORMAT:
            return None
        state, known = ShiftState.from_bytes(data, len(head.values)), Delays.from_bytes(delays)
    except (msgspec.MsgspecError, ValueError):
        return None
    groups = GroupRows(head.by)
    for values, level in zip(head.values, head.levels, strict=True):
        groups.add(values, level)
    return ShiftMemory(head.key, head.checkpoint, groups, state, known) if groups.values == head.values else None


def fresh(key: str, rule: Shift, inputs: EvaluationInput) -> ShiftMemory:
    """Nothing is known yet: the past is to be folded, as far as it is known, and not much more than the rule has to learn."""
    begin = max(inputs.known_since, inputs.as_of - rule.learn - DAY)
    return ShiftMemory(key, _minute(begin), GroupRows(rule.by), ShiftState.empty(0), Delays.empty())


def moving(memory: ShiftMemory, rule: Shift, inputs: EvaluationInput, settings: ShiftSettings) -> Work[ShiftMemory]:
    """The memory with its checkpoint near the present, or on the way to it: as far as `EvaluationInput.effort` allows. In pieces."""
    target = (inputs.as_of - TRAILS) // STEP * STEP
    if target <= memory.checkpoint:
        return memory
    folding = _Folding(rule, inputs, settings, memory)
    at = max(memory.checkpoint, _minute(inputs.covered_since))
    left = 1e12 if inputs.effort is None else inputs.effort
    while at < target and left > 0:
        # What one piece has read is of no use to the next. In the first minutes most groups are new.
        folding.inputs = replace(inputs, reading=WindowReader(inputs.reading.window))
        most = BLOCK // MINUTE if folding.state.groups else FIRST_MINUTES
        minutes = int(min(left // folding.effort, most))
        at = yield from folding.go_on(at, min(target, at + max(minutes, 1) * MINUTE))
        left -= minutes * folding.effort + 1
    return _tidied(ShiftMemory(memory.key, at, memory.groups, folding.state, folding.delays, is_ready=at >= target))


def _tidied(memory: ShiftMemory) -> ShiftMemory:
    """The memory without the groups that are forgotten, where they are many. While the past is worked through none is long gone."""
    state = memory.state
    if not memory.is_ready:
        return memory
    living = (state.level == 0) & (state.last > 0)
    if int(((state.level == 0) & ~living).sum()) < MANY:
        return memory
    groups, were = memory.groups.only(np.flatnonzero(living))
    memory.delays.grow(state.groups if len(memory.delays.limit) else 0)
    return replace(memory, groups=groups, state=state.only(were), delays=memory.delays.only(were))


def presenting(memory: ShiftMemory, rule: Shift, inputs: EvaluationInput, settings: ShiftSettings) -> Work[ShiftMemory]:
    """The memory as of `EvaluationInput.as_of`: with the tail, the minute that is not over included. It is not to be kept. In pieces."""
    tail, settled = memory.tail, memory.tail.settled
    if settled is not None and not settled.holds(rule, inputs, memory.groups):
        settled = None
    while True:
        folding, at = _Folding(rule, inputs, settings, memory, tail, settled), memory.checkpoint
        if settled is not None:
            at = settled.at
        while at < inputs.as_of:
            at = yield from folding.go_on(at, inputs.as_of)
        if settled is None or settled.holds(rule, inputs, memory.groups):
            break
        settled = None  # a group that is new may change what a delay is compared with
    tail.known, tail.settled = folding.used, folding.settled
    return ShiftMemory(memory.key, at, memory.groups, folding.state, folding.delays)


class _Folding:
    """Folds onto copies of a memory's state and delays."""

    def __init__(
        self,
        rule: Shift,
        inputs: EvaluationInput,
        settings: ShiftSettings,
        memory: ShiftMemory,
        tail: Tail | None = None,
        settled: Settled | None = None,
    ) -> None:
        self._rule, self.inputs, self._settings, self._groups = rule, inputs, settings, memory.groups
        begin = memory if settled is None else settled
        self.state, self.delays = begin.state.copy(), begin.delays.copy()
        self._tail, self._folded = tail, repr(settings).encode() if settled is None else settled.folded
        self.used: dict[bytes, tuple[ShiftState, Delays]] = {} if tail is None or settled is None else dict(tail.known)
        """What of the tail is worth knowing the next time."""
        self.settled = settled
        """The latest state of the tail that no later evaluation changes."""
        self._is_open = tail is None

    def go_on(self, start: Instant, end: Instant) -> Work[Instant]:
        """Fold what is left of a block, up to ``end``, a minute at a time; gives how far that is."""
        end = min(end, (start // BLOCK + 1) * BLOCK)
        found, minutes = self._counted(start, end), list(range(start, end, MINUTE))
        yield
        digests = [self._digest(*found.of(number)) for number in range(len(minutes))] if self._tail else []
        worth = [(self.inputs.as_of - ago) // MINUTE * MINUTE for ago in WORTH[self._rule.event]]
        known = self._known(digests, start, worth)
        settles = self._settles(found, end)
        for number, minute in enumerate(minutes[known:], known):
            fold_minute(self.state, self._groups, found, minute, self._settings)
            if self._rule.event == "slow":
                self.delays.leave_out(self.state, minute, self._settings)
            if digests and minute + MINUTE in (*worth, settles):
                self.used[digests[number]] = self.state.copy(), self.delays.copy()
            yield
        if start < settles <= end and (state := self.used.get(digests[(settles - start) // MINUTE - 1])) is not None:
            self._settle(settles, digests[(settles - start) // MINUTE - 1], *state)
        return end

    def _settles(self, found: MinuteCounts, end: Instant) -> Instant:
        """The end of the last minute, of those that are folded now, that no later evaluation changes; before all of them if there is none."""
        if self._is_open:
            return 0
        self._is_open = found.settled_to is not None
        over = min(end, self.inputs.as_of) // MINUTE * MINUTE
        return over if found.settled_to is None else min(over, found.settled_to)

    def _settle(self, at: Instant, folded: bytes, state: ShiftState, delays: Delays) -> None:
        window, as_of = self.inputs.reading.window, self.inputs.as_of
        version = window.version, window.facets
        self.settled = Settled(version, at, as_of, len(self._groups), state, delays, folded)

    def _known(self, digests: list[bytes], start: Instant, worth: list[Instant]) -> int:
        """Take the state after the last minute that the tail knows; how many minutes need not be folded."""
        known = {} if self._tail is None else self._tail.known
        found = [number for number, digest in enumerate(digests) if digest in known]
        for wanted in worth:  # of each, the latest state that is no newer stays known
            older = [digests[number] for number in found if start + (number + 1) * MINUTE <= wanted]
            self.used |= {digest: known[digest] for digest in older[-1:]}
        if not found:
            return 0
        state, delays = known[digests[found[-1]]]
        self.state, self.delays = state.copy(), delays.copy()
        return found[-1] + 1

    def _digest(self, *arrays: NDArray[Any]) -> bytes:
        """A digest of all that was folded, these included."""
        hashed = hashlib.blake2b(self._folded, digest_size=16)
        for array in arrays:
            hashed.update(np.ascontiguousarray(array).data)
        self._folded = hashed.digest()
        return self._folded

    @property
    def effort(self) -> float:
        """What one minute takes, about, in units of 0.1 ms."""
        return 1 + self.state.groups / 1000

    def _counted(self, start: Instant, end: Instant) -> MinuteCounts:
        rule, inputs, groups = self._rule, self.inputs, self._groups
        if rule.event == "failure":
            return count(rule, inputs, groups, start, end)
        if start % BLOCK == 0:
            found = learn_block(self.delays, rule, inputs, groups, self.state, start, self._settings)
            self._digest(found)
        counted = count_slow(rule, inputs, groups, self.delays, start, end)
        self._digest(np.array(len(groups)))
        return counted


def fold_minute(
    state: ShiftState, groups: GroupRows, found: MinuteCounts, minute: Instant, settings: ShiftSettings
) -> None:
    """Fold one minute: small groups count in their pools too."""
    grow(state, groups)
    rows, more, events = found.of((minute - found.start) // MINUTE)
    n, f = np.zeros(state.groups, np.int64), np.zeros(state.groups, np.int64)
    n[rows], f[rows] = more, events
    parents = groups.parents
    for level in range(len(groups.by)):
        small = np.flatnonzero((n > 0) & (state.level == level) & ~state.judged)
        np.add.at(n, parents[small], n[small])
        np.add.at(f, parents[small], f[small])
    alone = state.judged.copy()
    fold(state, minute, n, f, settings)
    grown = np.flatnonzero(state.judged & ~alone & (state.level == 0))
    if grown.size:
        take_apart(state, minute, groups.pools(grown))


def _minute(instant: Instant) -> Instant:
    return -(-instant // MINUTE) * MINUTE
