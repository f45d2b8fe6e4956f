"""Groups alerts and decides whether a receiver is notified; pure functions that take the time as an argument."""

from collections.abc import Container, Mapping
from typing import Final

import msgspec

from monitor.model.incident import QUIET, IncidentScope
from monitor.model.message import FIELDS
from monitor.model.notification import Reason
from monitor.routing.matchers import Matcher, matches
from monitor.routing.time_intervals import NamedInterval
from monitor.runtime.clock import MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass


class AggregationGroup(msgspec.Struct, frozen=True, gc=False):
    """The state of one group of alerts for one receiver: which alerts it was notified of, and when to look at the group again.

    ``told`` maps the fingerprint of each alert that was last notified as firing to its severity then. ``counted`` are those of them that
    were only counted, because the notification had no room for them. ``acked`` maps alerts that were shown as acknowledged to the person.
    ``route`` is the key of the route. ``first_at`` is when the episode's first notification was made, ``told_at`` the latest one.
    ``episode`` is the same from the group's first notification to its resolve. ``incident`` is the incident of its alerts, if they are of
    one, and ``head`` the alert that named it last. ``account`` is the account of its alerts where several daemons share the accounts; else
    empty.
    """

    key: str
    receiver: str
    labels: dict[str, str]
    episode: str
    started_at: Instant
    flush_at: Instant
    told: dict[str, str] = {}
    told_at: Instant | None = None
    count: int = 0
    route: str = "{}"
    first_at: Instant | None = None
    counted: tuple[str, ...] = ()
    acked: dict[str, str] = {}
    incident: IncidentScope | None = None
    head: str = ""
    account: str = ""


ALL_LABELS = "..."
_OF_INCIDENTS: Final = frozenset({"alertname", *FIELDS})
"""Labels in whose place the incident stands in ``group_by``."""
RANKS: Final[Mapping[str, float]] = {"info": 1, "warning": 2, "critical": 3}
"""Rank of each usual severity; a higher one is worse."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route: where alerts go and how they are grouped. Without a ``repeat_interval`` no notification is repeated."""

    receiver: str
    group_by: tuple[str, ...] = ("alertname",)
    group_wait: Duration = 0
    group_interval: Duration = 5 * MINUTE
    repeat_interval: Duration | None = 240 * MINUTE
    key: str = "{}"
    """The route's place in the tree, as Alertmanager writes it: ``{}`` for the root, ``{}/{severity="critical"}`` below."""
    matchers: tuple[Matcher, ...] = ()
    """Conditions that an alert must meet to enter this route."""
    continue_: bool = False
    """Whether alerts of this route are also offered to the routes after it."""
    routes: tuple["Route", ...] = ()
    """Child routes; an alert that none of them accepts stays here."""
    mute: tuple[NamedInterval, ...] = ()
    """Times at which nobody is notified."""
    active: tuple[NamedInterval, ...] = ()
    """The only times at which somebody is notified; empty means always."""
    group_incidents: bool = True
    """Whether the alerts of an incident make one group, whatever ``group_by`` says of their names and fields."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Whether to notify now, and why; ``next_at`` is when to ask again if nothing changes (None: never)."""

    reason: Reason | None
    next_at: Instant | None


def routes_for(root: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """Returns the routes of an alert with these labels: the deepest ones that match, and later siblings where a route continues.

    Returns no route if the alert does not meet the matchers of ``root`` itself; a configuration's root has no matchers.
    """
    if not matches(root.matchers, labels):
        return ()
    found: tuple[Route, ...] = ()
    for route in root.routes:
        below = routes_for(route, labels)
        found += below
        if below and not route.continue_:
            break
    return found or (root,)


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """Returns the labels of the group that an alert belongs to."""
    if ALL_LABELS in route.group_by:
        return dict(labels)
    return {name: labels[name] for name in route.group_by if name in labels}


def place_of_key(route_key: str, account: str) -> str:
    """Returns how the keys of groups begin that are of a route and, unless empty, of one account: as if the account had a route of its own
    below, in Alertmanager's form ``ROUTE/{account="NAME"}``."""
    return f'{route_key}/{{account="{account}"}}' if account else route_key


def of_account(group: AggregationGroup, account: str) -> AggregationGroup:
    """Returns the group as that of an account (empty: as one of all accounts), with the key that it has then."""
    before, after = place_of_key(group.route, group.account), place_of_key(group.route, account)
    key = after + group.key.removeprefix(before) if group.key.startswith(f"{before}:") else group.key
    return msgspec.structs.replace(group, key=key, account=account)


def group_key(route: Route, labels: Mapping[str, str], account: str = "") -> str:
    """Returns the key of an alert's group in Alertmanager's form: ``ROUTE:{name="value"}``."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(group_labels(route, labels).items()))
    return f"{place_of_key(route.key, account)}:{{{pairs}}}"


def groups_incidents(route: Route) -> bool:
    """Returns whether alerts of one incident make one group in this route; not if each alert is a group, or all are one."""
    return route.group_incidents and bool(route.group_by) and ALL_LABELS not in route.group_by


def incident_labels(route: Route, labels: Mapping[str, str], incident: str) -> dict[str, str]:
    """Returns the labels of the group of an incident: it takes the place of the alert's name and of message fields in ``group_by``.

    Other labels still separate, such as severity and team.
    """
    return labels_beside_incident(route, labels) | {"incident": incident}


def labels_beside_incident(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """Returns the labels that separate the alerts of one incident into groups."""
    return {name: value for name, value in group_labels(route, labels).items() if name not in _OF_INCIDENTS}


def incident_key(route: Route, labels: Mapping[str, str], account: str = "") -> str:
    """Returns the key of an incident's group with these labels. It never equals the key of a group of labels."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{place_of_key(route.key, account)}:incident:{{{pairs}}}"


def is_of_incident(group: AggregationGroup) -> bool:
    """Returns whether the group contains the alerts of one incident."""
    return group.key.startswith(f"{place_of_key(group.route, group.account)}:incident:{{")


def quiet_until(group: AggregationGroup) -> Instant | None:
    """Returns until when a new alert would join the incident of this group, whose end was notified; None if the group is none of these."""
    if group.incident is None or group.told or group.told_at is None:
        return None
    return group.told_at + QUIET


def report_key(route: Route, fingerprint: str, account: str = "") -> str:
    """Returns the key of the group of a single report. It never equals the key of a group of labels."""
    return f"{place_of_key(route.key, account)}:report:{{{fingerprint}}}"


def is_of_reports(group: AggregationGroup) -> bool:
    """Returns whether the group contains reports: a single one, or those of a storm."""
    return group.key.startswith(f"{place_of_key(group.route, group.account)}:report:")


def decide(
    group: AggregationGroup,
    firing: Mapping[str, str],
    ranks: Mapping[str, float],
    route: Route,
    now: Instant,
    quiet: Container[str] = frozenset(),
    *,
    urgent: bool = False,
) -> Decision:
    """Decides whether the receiver is notified now. ``firing`` maps fingerprints to severities; ``ranks`` orders severities.

    A worse severity is notified at once. Other changes wait for ``group_interval`` after the last notification. Without a change it is
    repeated after ``repeat_interval``, unless all firing alerts are ``quiet``: acknowledged or suppressed. For a suppressed alert that
    was notified before, ``firing`` must have the severity of then, so that it counts as unchanged. A suppressed alert that was never
    notified must not be in ``firing``. ``urgent`` says that a new alert shows an incident to be larger than was notified, or
    another cause of it: that is notified at once too.
    """
    if group.told_at is None or not group.told:
        return _first(group, firing, route, now)
    change = _change(group, firing, ranks)
    if change == "escalated" or (urgent and change == "new alerts"):
        return Decision(change, None)
    if change is not None:
        due = group.told_at + route.group_interval
        return Decision(change, None) if now >= due else Decision(None, due)
    if route.repeat_interval is None or all(one in quiet for one in firing):
        return Decision(None, None)
    due = group.told_at + route.repeat_interval
    return Decision("repeat", None) if now >= due else Decision(None, due)


def _first(group: AggregationGroup, firing: Mapping[str, str], route: Route, now: Instant) -> Decision:
    if not firing:
        return Decision(None, None)
    if group.told_at is not None:
        return Decision("reopened", None)
    due = group.started_at + route.group_wait
    return Decision("first", None) if now >= due else Decision(None, due)


def _change(group: AggregationGroup, firing: Mapping[str, str], ranks: Mapping[str, float]) -> Reason | None:
    told = group.told
    if told == firing:
        return None  # as below, without a look at each of thousands
    both = told.keys() & firing.keys()
    moves = [ranks.get(firing[one], 0) - ranks.get(told[one], 0) for one in both if firing[one] != told[one]]
    if any(move > 0 for move in moves) or (group.incident is not None and _is_worse(told, firing, ranks)):
        return "escalated"
    if firing.keys() - told.keys():
        return "new alerts"
    if told.keys() - firing.keys():
        return "some resolved" if firing else "all resolved"
    return "eased" if moves else None


def _is_worse(told: Mapping[str, str], firing: Mapping[str, str], ranks: Mapping[str, float]) -> bool:
    """Returns whether a new alert of an incident is worse than all that were notified."""
    worst = max(ranks.get(severity, 0) for severity in told.values())
    return any(ranks.get(severity, 0) > worst for one, severity in firing.items() if one not in told)
