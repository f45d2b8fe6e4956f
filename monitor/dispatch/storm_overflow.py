"""Limits a storm at one flush: which groups are notified one by one, and which go into the overflow of their route."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import GroupMembers
from monitor.routing.route import AggregationGroup, Decision, is_of_reports
from monitor.routing.storm import is_overflow, notified_recently, overflow_key, reports_overflow_key, split
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import Instant
from monitor.runtime.pieces import Work, ordered, paced

PriorityOf = Callable[[Mapping[str, str]], tuple[float, int, float]]
"""Returns the priority of the worst of some alerts, given as fingerprints with severities."""

RanksOf = Callable[[str], Mapping[str, float]]
"""Returns the rank of each severity in the groups of an account."""


class GroupDecision(msgspec.Struct, eq=False, gc=False):
    """One group at a flush: its members, its previous state (None: it is new), its state now, and the decision."""

    key: Key
    members: GroupMembers
    before: AggregationGroup | None
    group: AggregationGroup
    decision: Decision


DecisionOf = Callable[[Key, GroupMembers], Work[GroupDecision]]


def limit_new_groups(
    decisions: list[GroupDecision],
    groups: Mapping[Key, AggregationGroup],
    decision_of: DecisionOf,
    priority: PriorityOf,
    ranks: RanksOf,
    now: Instant,
    most: int,
) -> Work[list[GroupDecision]]:
    """Returns the decisions with storms limited, in pieces.

    If more than ``most`` groups of a route (and of one account, where groups have one) would be notified for the first time, the least bad
    ones go into the route's overflow.
    """
    first: dict[tuple[str, str, str, bool], list[GroupDecision]] = {}
    for one, pauses in paced(decisions, AT_ONCE):
        if one.decision.reason == "first" and not is_overflow(one.group.key):
            route_key = (one.group.receiver, one.group.route, one.group.account, is_of_reports(one.group))
            first.setdefault(route_key, []).append(one)
        if pauses:
            yield
    for (receiver, _, account, of_reports), some in first.items():
        route = some[0].members.route
        key = (receiver, reports_overflow_key(route, account) if of_reports else overflow_key(route, account))
        lately = notified_recently(groups.values(), route, groups.get(key), now, of_reports=of_reports, account=account)
        worst_first = yield from ordered(some, lambda one: priority(one.members.firing), AT_ONCE, reverse=True)
        _, rest = split(worst_first, lately, most)
        if rest:
            decisions = yield from _together(decisions, key, rest, decision_of, ranks(account))
    return decisions


def _together(
    decisions: list[GroupDecision],
    key: Key,
    rest: Sequence[GroupDecision],
    decision_of: DecisionOf,
    ranks: Mapping[str, float],
) -> Work[list[GroupDecision]]:
    """Returns the decisions with the groups ``rest`` moved into the overflow; if the overflow is not notified now, they wait for it."""
    present = next((one for one in decisions if one.key == key), None)
    joined = yield from decision_of(key, (yield from _joined(present, rest)))
    if joined.before is None:
        joined.decision = Decision("first", None)
    elif joined.decision.reason is None and _is_worse(rest, joined.before, ranks):
        joined.decision = Decision("new alerts", None)
    moved = {id(one) for one in rest}
    others = [one for one in decisions if id(one) not in moved and one is not present]
    for one, pauses in paced(rest, AT_ONCE):
        if joined.decision.reason is not None:
            one.members.firing = {}
        one.decision = Decision(None, joined.decision.next_at)
        if pauses:
            yield
    if joined.decision.reason is not None:
        return [*others, *rest, joined]
    return [*others, *rest, *([] if present is None else [present])]


def _joined(present: GroupDecision | None, rest: Sequence[GroupDecision]) -> Work[GroupMembers]:
    route, muted = rest[0].members.route, rest[0].members.muted
    if present is None:
        account, labels = rest[0].group.account, rest[0].members.labels
        is_told_apart = bool(account) and labels.get("account") == account
        members = GroupMembers(route, {"account": account} if is_told_apart else {}, muted, account=account)
    else:
        members = msgspec.structs.replace(present.members, route=route)
    members.firing, members.quiet = dict(members.firing), dict(members.quiet)
    for one, pauses in paced(rest, AT_ONCE):
        members.firing.update(one.members.firing)
        members.quiet |= one.members.quiet
        if pauses:
            yield
    return members


def _is_worse(rest: Sequence[GroupDecision], overflow: AggregationGroup, ranks: Mapping[str, float]) -> bool:
    """Returns whether one of the groups is worse than all that the overflow has notified; it must then not wait."""
    known = {ranks.get(severity, 0.0) for severity in set(overflow.told.values())}
    found = {severity for one in rest for severity in one.members.firing.values()}
    return bool(known) and max(ranks.get(severity, 0.0) for severity in found) > max(known)
