"""A storm at one flush: the groups that are sent by themselves, and those whose alerts go into the overflow of their route."""

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
    """One group at a flush: its previous state, its assumed state, and the decision."""

    key: Key
    members: GroupMembers
    before: AggregationGroup | None
    group: AggregationGroup
    decision: Decision


DecisionOf = Callable[[Key, GroupMembers], GroupDecision]


def limit_new_groups(
    decisions: list[GroupDecision],
    groups: Mapping[Key, AggregationGroup],
    decision_of: DecisionOf,
    badness: Badness,
    now: Instant,
    most: int,
) -> list[GroupDecision]:
    """The decisions with storms broken: where more than ``most`` groups of a route would be told for the first time, the others are put together."""
    first: dict[tuple[str, str, bool], list[GroupDecision]] = {}
    for one in decisions:
        if one.decision.reason == "first" and not is_overflow(one.group.key):
            route_key = (one.group.receiver, one.group.route, is_of_reports(one.group))
            first.setdefault(route_key, []).append(one)
    for (receiver, _, of_reports), some in first.items():
        route = some[0].members.route
        key = (receiver, reports_overflow_key(route) if of_reports else overflow_key(route))
        lately = told_lately(groups.values(), route, groups.get(key), now, of_reports=of_reports)
        worst_first = sorted(some, key=lambda one: badness(one.members.firing), reverse=True)
        _, rest = split(worst_first, lately, most)
        if rest:
            decisions = _together(decisions, key, rest, decision_of, badness)
    return decisions


def _together(
    decisions: list[GroupDecision], key: Key, rest: Sequence[GroupDecision], decision_of: DecisionOf, badness: Badness
) -> list[GroupDecision]:
    """The decisions with ``rest`` put into the overflow, or made to wait for its time."""
    present = next((one for one in decisions if one.key == key), None)
    joined = decision_of(key, _joined(present, rest))
    if joined.before is None:
        joined.decision = Decision("first", None)
    elif joined.decision.reason is None and _is_worse(rest, joined.before, badness):
        joined.decision = Decision("new alerts", None)
    moved = {id(one) for one in rest}
    others = [one for one in decisions if id(one) not in moved and one is not present]
    for one in rest:
        if joined.decision.reason is not None:
            one.members.firing = {}
        one.decision = Decision(None, joined.decision.next_at)
    if joined.decision.reason is not None:
        return [*others, *rest, joined]
    return [*others, *rest, *([] if present is None else [present])]


def _joined(present: GroupDecision | None, rest: Sequence[GroupDecision]) -> GroupMembers:
    route, muted = rest[0].members.route, rest[0].members.muted
    some = GroupMembers(route, {}, muted) if present is None else replace(present.members, route=route)
    some.firing, some.quiet = dict(some.firing), set(some.quiet)
    for one in rest:
        some.firing |= one.members.firing
        some.quiet |= one.members.quiet
    return some


def _is_worse(rest: Sequence[GroupDecision], overflow: AggregationGroup, badness: Badness) -> bool:
    """Whether one of them is worse than all that was told there: it must not wait behind a storm of lesser ones."""
    worst = max(badness(one.members.firing) for one in rest)[0]
    return bool(overflow.told) and all(worst > badness({one: told})[0] for one, told in overflow.told.items())
