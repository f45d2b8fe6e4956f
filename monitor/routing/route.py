"""Groups alerts and decides whether a receiver is notified; pure functions that take the time as an argument."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from monitor.model.notification import Reason
from monitor.routing.matchers import Matcher, matches
from monitor.routing.time_intervals import NamedInterval
from monitor.runtime.clock import MINUTE, Duration, Instant


class AggregationGroup(msgspec.Struct, frozen=True):
    """What is remembered of one group of alerts for one receiver: what it has been told, and when to look again.

    ``told`` maps the fingerprint of each alert that the receiver believes to be firing to the severity it was told; ``counted`` are those
    of them that it knows as a number only, because one notification could not hold them. ``acked`` are those that it was shown as
    acknowledged, and by whom. ``route`` is the key of the route, ``first_at`` when the episode was first told.
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


ALL_LABELS = "..."
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


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to notify now, and why; ``next_at`` is when to ask again if nothing changes (None: never)."""

    reason: Reason | None
    next_at: Instant | None


def routes_for(root: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes that tell of an alert with these labels: the deepest that it meets, and those behind them where one continues.

    None where it does not meet the matchers of ``root`` itself, which has none in a configuration.
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


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """A text that identifies the group, in the form that Alertmanager uses."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(group_labels(route, labels).items()))
    return f"{route.key}:{{{pairs}}}"


def report_key(route: Route, fingerprint: str) -> str:
    """The key of the group that one report makes for itself. No group of labels can have it."""
    return f"{route.key}:report:{{{fingerprint}}}"


def is_of_reports(group: AggregationGroup) -> bool:
    """Whether the group holds one report, or those of a storm."""
    return group.key.startswith(f"{group.route}:report:")


def decide(
    group: AggregationGroup,
    firing: Mapping[str, str],
    ranks: Mapping[str, float],
    route: Route,
    now: Instant,
    quiet: Container[str] = frozenset(),
) -> Decision:
    """Whether the receiver is told now. ``firing`` maps fingerprints to severities; ``ranks`` orders severities.

    What is worse than before is told at once; other changes wait for ``group_interval``, and the same again for exactly
    ``repeat_interval`` since it was last told, unless all that fires is ``quiet``: acknowledged, or not to be told now. Of an alert that
    was told and is not to be told now ``firing`` holds the severity that was told, so that nothing has changed about it; one that
    was never told is not among them.
    """
    if group.told_at is None or not group.told:
        return _first(group, firing, route, now)
    change = _change(group.told, firing, ranks)
    if change == "escalated":
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
    due = group.started_at + route.group_wait
    return Decision("first", None) if now >= due else Decision(None, due)


def _change(told: Mapping[str, str], firing: Mapping[str, str], ranks: Mapping[str, float]) -> Reason | None:
    both = told.keys() & firing.keys()
    moves = [ranks.get(firing[one], 0) - ranks.get(told[one], 0) for one in both if firing[one] != told[one]]
    if any(move > 0 for move in moves):
        return "escalated"
    if firing.keys() - told.keys():
        return "new alerts"
    if told.keys() - firing.keys():
        return "some resolved" if firing else "all resolved"
    return "eased" if moves else None
