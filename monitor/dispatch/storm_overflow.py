"""A storm at one look: the groups that are told by themselves, and those whose alerts go into the overflow of their route."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import GroupMembers
from monitor.routing.route import AggregationGroup, Decision, is_of_reports
from monitor.routing.storm import is_overflow, overflow_key, reports_overflow_key, split, told_lately
from monitor.runtime.clock import Instant

Badness = Callable[[Mapping[str, str]], tuple[float, int, float]]
"""How bad the worst of these alerts is, by fingerprint and severity: its severity's rank first."""


@dataclass(slots=True)
class GroupDecision:
    """One group's turn in a look: as it was, as it is taken to be, and what is decided."""

    key: Key
    members: GroupMembers
    before: AggregationGroup | None
    group: AggregationGroup
    decision: Decision


TurnOf = Callable[[Key, GroupMembers], GroupDecision]


def calmed(
    turns: list[GroupDecision],
    groups: Mapping[Key, AggregationGroup],
    turn_of: TurnOf,
    badness: Badness,
    now: Instant,
    most: int,
) -> list[GroupDecision]:
    """The turns with storms broken: where more than ``most`` groups of a route would be told for the first time, the others are put together."""
    first: dict[tuple[str, str, bool], list[GroupDecision]] = {}
    for turn in turns:
        if turn.decision.reason == "first" and not is_overflow(turn.group.key):
            place = (turn.group.receiver, turn.group.route, is_of_reports(turn.group))
            first.setdefault(place, []).append(turn)
    for (receiver, _, of_reports), some in first.items():
        route = some[0].members.route
        key = (receiver, reports_overflow_key(route) if of_reports else overflow_key(route))
        lately = told_lately(groups.values(), route, groups.get(key), now, of_reports=of_reports)
        worst_first = sorted(some, key=lambda turn: badness(turn.members.firing), reverse=True)
        _, rest = split(worst_first, lately, most)
        if rest:
            turns = _together(turns, key, rest, turn_of, badness)
    return turns


def _together(
    turns: list[GroupDecision], key: Key, rest: Sequence[GroupDecision], turn_of: TurnOf, badness: Badness
) -> list[GroupDecision]:
    """The turns with ``rest`` put into the overflow, or made to wait for its time."""
    present = next((turn for turn in turns if turn.key == key), None)
    joined = turn_of(key, _joined(present, rest))
    if joined.before is None:
        joined.decision = Decision("first", None)
    elif joined.decision.reason is None and _is_worse(rest, joined.before, badness):
        joined.decision = Decision("new alerts", None)
    moved = {id(turn) for turn in rest}
    others = [turn for turn in turns if id(turn) not in moved and turn is not present]
    for turn in rest:
        if joined.decision.reason is not None:
            turn.members.firing = {}
        turn.decision = Decision(None, joined.decision.next_at)
    if joined.decision.reason is not None:
        return [*others, *rest, joined]
    return [*others, *rest, *([] if present is None else [present])]


def _joined(present: GroupDecision | None, rest: Sequence[GroupDecision]) -> GroupMembers:
    route, muted = rest[0].members.route, rest[0].members.muted
    some = GroupMembers(route, {}, muted) if present is None else replace(present.members, route=route)
    some.firing, some.quiet = dict(some.firing), set(some.quiet)
    for turn in rest:
        some.firing |= turn.members.firing
        some.quiet |= turn.members.quiet
    return some


def _is_worse(rest: Sequence[GroupDecision], overflow: AggregationGroup, badness: Badness) -> bool:
    """Whether one of them is worse than all that was told there: it must not wait behind a storm of lesser ones."""
    worst = max(badness(turn.members.firing) for turn in rest)[0]
    return bool(overflow.told) and all(worst > badness({one: told})[0] for one, told in overflow.told.items())
