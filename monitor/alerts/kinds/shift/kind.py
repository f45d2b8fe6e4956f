"""``shift``: a probability itself has changed."""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NO_CODE, NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.shift import memory as memories
from monitor.alerts.kinds.shift import words
from monitor.alerts.kinds.shift.baseline import derive
from monitor.alerts.kinds.shift.counting import asked, count
from monitor.alerts.kinds.shift.delays import USUAL
from monitor.alerts.kinds.shift.delays import asked as asked_of_all
from monitor.alerts.kinds.shift.groups import SMALL, GroupRows, Ints, meant
from monitor.alerts.kinds.shift.memory import ShiftMemory
from monitor.alerts.kinds.shift.sequential import certainty
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.alerts.kinds.tuning import untunable
from monitor.alerts.kinds.words import always, never, nothing, outcome_of, whole_reach
from monitor.config.rules import EVERYTHING, Condition
from monitor.config.rules.shift import Shift
from monitor.model.finding import Finding
from monitor.model.phrases import against_usual
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once

FAILURE: Final = ShiftSettings()
SLOW: Final = ShiftSettings(floors=(0.40, 0.60, 0.85), prior_probability=1 - USUAL)
UNHEARD: Final[Duration] = DAY
"""A group of which nothing was heard for so long is not shown."""
POOL_UNHEARD: Final[Duration] = HOUR
"""A pool is not shown after so long: its groups may be large by now."""
SILENT: Final[Duration] = 10 * MINUTE
"""A group with an alarm and without a message for so long cannot be judged."""
DIGITS: Final = 6
"""To so many a probability is told: the latest messages are weighted, and what is long ago counts next to nothing."""
SHOWN: Final[Duration] = 15 * MINUTE
"""Without an alarm, the messages of this span explain a group."""


@dataclass(slots=True, kw_only=True)
class ShiftResult(RuleResult):
    """A judgement whose codes are rows of `GroupRows`: small groups are judged together."""

    groups: GroupRows

    @property
    def means(self) -> object:
        return self.groups

    def group(self, at: int) -> Group:
        return tuple(zip(self.by, self.groups.values[int(self.codes[at])], strict=True))

    def code(self, group: Group) -> int:
        if tuple(name for name, _ in group) != self.by:
            return NO_CODE
        row = self.groups.find(tuple(value for _, value in group))
        return NO_CODE if row is None else row


def settings_of(rule: Shift) -> ShiftSettings:
    """The constants of the test, with those that the rule says."""
    usual = SLOW if rule.event == "slow" else FAILURE
    return _settings(usual, rule.to, rule.false_alarm_every, rule.learn, rule.for_)


@lru_cache(maxsize=1_000)
def _settings(
    usual: ShiftSettings, odds: float, false_alarm_every: Duration, learn: Duration, pending: Duration
) -> ShiftSettings:
    return replace(
        usual,
        odds=odds,
        false_alarm_every=false_alarm_every,
        learn=learn,
        pending=pending,
        warm=min(6 * HOUR, learn // 2),
    )


def evaluate(rule: Shift, inputs: EvaluationInput) -> RuleResult:
    """The probability of each group that was heard of within a day, against the usual one."""
    settings, known = settings_of(rule), _memory(rule, inputs)
    if inputs.lacks(rule):
        return _nothing_yet(rule, inputs, known.groups, "not enough data: the history is still being fetched")
    if inputs.as_of < known.checkpoint:
        return _nothing_yet(rule, inputs, known.groups, "not enough data: what was known at that time is not kept")
    memory = at_once(_moving(known, rule, inputs, settings))
    kept = None if memory is inputs.kept or memory.state.begun is None else memory
    if not memory.is_ready:
        begun = memory.state.begun or memory.checkpoint
        said = words.replaying(memory.checkpoint - begun, inputs.as_of - begun)
        return replace(_nothing_yet(rule, inputs, memory.groups, said), kept=kept)
    return replace(_result(rule, inputs, at_once(_presenting(memory, rule, inputs))), kept=kept)


def ahead(rule: Shift, inputs: EvaluationInput) -> Work[None]:
    """Folds what `evaluate` needs, a minute at a time."""
    known = _memory(rule, inputs)
    if inputs.lacks(rule) or inputs.as_of < known.checkpoint:
        return
    memory = yield from _moving(known, rule, inputs, settings_of(rule))
    if memory.is_ready:
        yield from _presenting(memory, rule, inputs)


def _moving(known: ShiftMemory, rule: Shift, inputs: EvaluationInput, settings: ShiftSettings) -> Work[ShiftMemory]:
    """The memory that is kept next: worked out once for all who ask for it with one reading of the window."""
    shared, what = inputs.reading.shared, ("shift, kept", rule.name, known.key, inputs.as_of, inputs.effort)
    if what not in shared or shared[what][0] is not inputs.kept:
        shared[what] = inputs.kept, (yield from memories.moving(known, rule, inputs, settings))
    found: ShiftMemory = shared[what][1]
    return found


def _presenting(memory: ShiftMemory, rule: Shift, inputs: EvaluationInput) -> Work[ShiftMemory]:
    """The memory as of now: worked out once likewise."""
    shared, what = inputs.reading.shared, ("shift", rule.name, memory.key, memory.checkpoint, inputs.as_of)
    if what not in shared:
        settings = settings_of(rule)
        now = yield from memories.presenting(memory, rule, inputs, settings)
        if now.state.hypotheses is None:
            derive(now.state, settings)
        shared[what] = now
    found: ShiftMemory = shared[what]
    return found


def _memory(rule: Shift, inputs: EvaluationInput) -> ShiftMemory:
    """What is kept of the rule, where it is of what the rule says now, and recent enough to go on from.

    One that is far ahead was made while the clock was wrong.
    """
    key, kept = _key(rule), inputs.kept
    memory = kept if kept is None or isinstance(kept, ShiftMemory) else memories.read(kept.blob())
    if memory is None or memory.key != key:
        return memories.fresh(key, rule, inputs)
    ago = inputs.as_of - memory.checkpoint
    return memory if -memories.STEP <= ago <= rule.learn + DAY else memories.fresh(key, rule, inputs)


def _key(rule: Shift) -> str:
    """What decides whether a state can be gone on from: what the rule counts, and what change it looks for."""
    return _digest(tuple(getattr(rule, name) for name in rule.counted_by), rule.to)


@lru_cache(maxsize=256)
def _digest(counted: tuple[object, ...], to: float) -> str:
    said = (*map(repr, counted), to)
    return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()


def _result(rule: Shift, inputs: EvaluationInput, now: ShiftMemory) -> RuleResult:
    groups, state = now.groups, now.state
    within = np.where(state.level == 0, UNHEARD, POOL_UNHEARD)
    heard = (inputs.as_of - state.last < within) & (state.judged | (state.level == 0))
    rows = np.flatnonzero(heard | state.alarm & state.judged)
    rows = np.union1d(rows, _known_rows(rule, inputs, groups, state))
    alarm, judged, last = state.alarm[rows], state.judged[rows], state.last[rows]
    known = 0 if state.begun is None or state.folded_to is None else state.folded_to - state.begun
    learned = known >= rule.learn
    unheard = alarm & (inputs.as_of - last > SILENT)
    breached = np.where(judged & learned & ~unheard, alarm.astype(np.int64), NOT_ENOUGH)
    value, usual, threshold = state.probability[rows].round(DIGITS), state.baseline[rows], state.threshold[rows]
    messages = np.rint(np.where(alarm, state.since_n[rows], state.recent_n[rows])).astype(np.int64)
    matching = np.rint(np.where(alarm, state.since_f[rows], state.recent_f[rows])).astype(np.int64)
    breached[np.isnan(value)] = NOT_ENOUGH
    evidence, changed_at = certainty(state, settings_of(rule))[rows], state.change_at[rows]

    def why(at: int) -> str:
        if not learned:
            return words.learning(known, rule)
        if not judged[at]:
            return _too_small(rule, groups, int(rows[at]))
        if np.isnan(value[at]) or unheard[at]:
            return "not enough data: no messages to judge"
        if not alarm[at]:
            return words.as_usual(rule, usual[at], value[at], evidence[at])
        what = words.subject(rule, now.slow_after(int(rows[at])))
        rose = words.risen(what, usual[at], value[at], int(changed_at[at]), inputs.as_of, inputs.time_zone)
        return f"{rose} {words.counted(matching[at], messages[at], rule)}"

    def absent(group: Group) -> Finding:
        said = "not enough data: no messages to judge" if learned else words.learning(known, rule)
        return Finding(group, None, None, None, said)

    return ShiftResult(
        inputs.reading,
        rule.by,
        rows,
        breached,
        value,
        threshold,
        messages,
        matching,
        why,
        absent,
        usual,
        value / usual,
        evidence=np.where(alarm, 1.0, np.minimum(evidence, 1.0)),
        groups=groups,
    )


def _known_rows(rule: Shift, inputs: EvaluationInput, groups: GroupRows, state: ShiftState) -> Ints:
    """The rows of the groups with an alert."""
    known = (tuple(value for _, value in group) for group in inputs.known if tuple(n for n, _ in group) == rule.by)
    rows = (groups.find(values) for values in known)
    return np.array([row for row in rows if row is not None and row < state.groups], np.int64)


def _too_small(rule: Shift, groups: GroupRows, row: int) -> str:
    parent = int(groups.parents[row])
    if parent < 0:
        return "not enough data: too few messages to judge"
    pool = ", ".join(f"{name} {value}" for name, value in zip(rule.by, groups.values[parent], strict=True))
    return f"not enough data: too few messages to judge alone; judged together as {pool}"


def _nothing_yet(rule: Shift, inputs: EvaluationInput, groups: GroupRows, why: str) -> RuleResult:
    """Nothing can be said of any group; those are shown that have messages now."""
    start = (inputs.as_of - SHOWN) // MINUTE * MINUTE
    found = count(rule, inputs, groups, start, inputs.as_of)
    rows = np.unique(found.row)
    messages, matching = (
        np.bincount(found.row, numbers, minlength=len(groups)).astype(np.int64)[rows] for numbers in (found.n, found.f)
    )
    nothing, breached = np.full(len(rows), np.nan), np.full(len(rows), NOT_ENOUGH)

    def absent(group: Group) -> Finding:
        return Finding(group, None, None, None, why)

    return ShiftResult(
        inputs.reading,
        rule.by,
        rows,
        breached,
        nothing,
        nothing,
        messages,
        matching,
        lambda at: why,
        absent,
        groups=groups,
    )


def _case(rule: Shift, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    """The messages since the change, or where there is none the latest ones."""
    memory, since = _memory(rule, inputs), inputs.as_of - SHOWN
    if memory.state.begun is None or not memory.is_ready or inputs.as_of < memory.checkpoint:
        return None
    now = at_once(_presenting(memory, rule, inputs))
    row = now.groups.find(tuple(value for _, value in group))
    if row is None or row >= now.state.groups:
        return None
    if now.state.alarm[row]:
        since = min(since, int(now.state.change_at[row]))
    found = tuple((name, meant(value)) for name, value in group if value != SMALL)
    question = asked if rule.event == "failure" else asked_of_all
    of_group = replace(question(rule, since, inputs.as_of), by=tuple(name for name, _ in found))
    of_group = of_group.narrowed(_members(rule, now.groups, now.state, row))
    if rule.event == "failure":
        return RuleCase(found, of_group, rule.match, True, False)
    return _slow_case(RuleCase(found, replace(of_group, seen=True), EVERYTHING, True, False), now, row, inputs)


def _slow_case(case: RuleCase, now: ShiftMemory, row: int, inputs: EvaluationInput) -> RuleCase:
    """Those that took too long, or where that is more of them, those that are still on their way."""
    late = replace(case, slower=now.slow_after(row))
    waiting = replace(case, pending_at=inputs.as_of)
    sizes = [len(inputs.reading.rows(one.counted(one.question))) for one in (late, waiting)]
    return late if sizes[0] >= sizes[1] else waiting


def _members(rule: Shift, groups: GroupRows, state: ShiftState, row: int) -> tuple[Condition, ...]:
    """What the messages of a pool have in common besides its own values: the values of its small groups."""
    level = groups.levels[row]
    if not level:
        return ()
    small = np.flatnonzero((state.level == 0) & ~state.judged).tolist()
    own = len(rule.by) - level
    inside = [groups.values[one] for one in small if groups.values[one][:own] == groups.values[row][:own]]
    return tuple(
        Condition(name, "is", tuple(dict.fromkeys(meant(values[own + at]) for values in inside)))
        for at, name in enumerate(rule.by[own:])
        if inside
    )


KIND: Final = Kind[Shift](
    model=Shift,
    evaluate=evaluate,
    ahead=ahead,
    unit=always("share"),
    matched=lambda rule: "slow" if rule.event == "slow" else outcome_of(rule.match),
    condition=lambda rule: f"odds {rule.to:g}x the usual",
    case=_case,
    wording=Wording(
        measure=words.statement,
        against=lambda view: "" if words.ROSE in view.why else against_usual(view),
        is_amount=True,
        shows_usual=True,
        counts_silence=never,
        axis="",
    ),
    example=Example(
        unit="share",
        values=(0.149, 0.085, 0.031),
        has_baseline=True,
        has_change=True,
        why={
            "": "failures rose from 3.1% to 14.9% at 10:42 (212 of 1,421 messages since; by chance once in 30d)",
        },
    ),
    past=PastEvaluation[Shift](spans=lambda rule: 8, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=untunable("it has no threshold; false_alarm_every says how often it may be wrong"),
    batch=None,
)
