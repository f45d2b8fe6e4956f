"""Limits how many groups of one route are notified one by one; the others share one message.

Without a bound, ten thousand alerts that are grouped one by one (``group_by: [...]``) would be ten thousand messages. The worst groups are
notified as usual. The rest become one group of the route, the *overflow*, which says how many they are. An alert that was notified in
the overflow stays in it until it is over, so the end of a storm takes few messages, too.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from monitor.routing.route import AggregationGroup, Route, is_of_reports, place_of_key
from monitor.runtime.clock import MINUTE, Duration, Instant

MOST: Final = 20
"""The most groups of one route and receiver that are notified for the first time within WINDOW, the overflow included."""
NAMED: Final = 200
"""The most alerts that one notification of an overflow names; it counts the others."""
WINDOW: Final[Duration] = MINUTE
"""The time in which new groups are counted."""
Key = TypeVar("Key")


def overflow_key(route: Route, account: str = "") -> str:
    """Returns the key of the overflow of the route, or of an ``account`` in it. It never equals the key of a group of labels."""
    return f"{place_of_key(route.key, account)}:{{...}}"


def reports_overflow_key(route: Route, account: str = "") -> str:
    """Returns the key of the overflow of the route's reports. Reports must not be among alerts, which are repeated and resolved."""
    return f"{place_of_key(route.key, account)}:report:{{...}}"


def is_overflow(group_key: str) -> bool:
    """Returns whether a group is the overflow of a route."""
    return group_key.endswith(":{...}")


def notified_recently(
    groups: Iterable[AggregationGroup],
    route: Route,
    overflow: AggregationGroup | None,
    now: Instant,
    *,
    of_reports: bool = False,
    account: str = "",
) -> int:
    """Returns how many groups of the route, its receiver and the account were first notified recently: in the last minute, or, while there
    is an ``overflow``, in the last ``group_interval`` if that is longer.

    Groups of reports are counted separately, so that many campaigns that end at once do not hide an alert.
    """
    window = WINDOW if overflow is None else max(WINDOW, route.group_interval)
    return sum(
        group.route == route.key
        and group.account == account
        and is_of_reports(group) == of_reports
        and group.receiver == route.receiver
        and group.first_at is not None
        and 0 <= now - group.first_at < window
        for group in groups
    )


def split(worst_first: Sequence[Key], recently: int, most: int = MOST) -> tuple[Sequence[Key], Sequence[Key]]:
    """Splits the groups that are to be notified for the first time: those that are notified one by one, and those for the overflow.

    ``recently`` is the number of groups that were first notified recently, ``most`` the limit with the overflow included.
    """
    if recently + len(worst_first) <= most:
        return worst_first, ()
    room = max(most - 1 - recently, 0)
    return worst_first[:room], worst_first[room:]
