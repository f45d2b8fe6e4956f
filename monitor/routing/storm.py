"""Limits how many groups of one route are notified one by one; the others share one message.

Without a bound, ten thousand alerts that are grouped one by one (``group_by: [...]``) would be ten thousand messages. The worst are told
as always; the rest becomes one group of the route, the *overflow*, which says how many they are. What was told there stays there
until it is over, so the end of a storm is few messages, too.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from monitor.routing.route import AggregationGroup, Route, is_of_reports
from monitor.runtime.clock import MINUTE, Duration, Instant

MOST: Final = 20
"""The most groups of one route and receiver that are notified for the first time within WINDOW, the overflow included."""
NAMED: Final = 200
"""The most alerts that one notification of an overflow names; it counts the others."""
WINDOW: Final[Duration] = MINUTE

Key = TypeVar("Key")


def overflow_key(route: Route) -> str:
    """The key of the route's overflow. No group of labels can have it."""
    return f"{route.key}:{{...}}"


def reports_overflow_key(route: Route) -> str:
    """The key of the overflow of the route's reports: they must not stand among alerts, which are repeated and resolved."""
    return f"{route.key}:report:{{...}}"


def is_overflow(group_key: str) -> bool:
    """Returns whether a group is the overflow of a route."""
    return group_key.endswith(":{...}")


def told_lately(
    groups: Iterable[AggregationGroup],
    route: Route,
    overflow: AggregationGroup | None,
    now: Instant,
    *,
    of_reports: bool = False,
) -> int:
    """How many groups of the route and its receiver were first told lately: within a minute, and while a storm lasts within ``group_interval``.

    Those of reports are counted by themselves: many campaigns that end at once hide no alert.
    """
    window = WINDOW if overflow is None else max(WINDOW, route.group_interval)
    return sum(
        group.route == route.key
        and is_of_reports(group) == of_reports
        and group.receiver == route.receiver
        and group.first_at is not None
        and 0 <= now - group.first_at < window
        for group in groups
    )


def split(worst_first: Sequence[Key], lately: int, most: int = MOST) -> tuple[Sequence[Key], Sequence[Key]]:
    """Of the groups that are to be told for the first time: those that are told one by one, and those that are put together."""
    if lately + len(worst_first) <= most:
        return worst_first, ()
    room = max(most - 1 - lately, 0)
    return worst_first[:room], worst_first[room:]
