"""Applies a rule's ``limit``: decides which of the groups over the threshold fire, and which are only counted.

The worst fire. A firing group is replaced only by a clearly worse one, so that groups which are about equally bad do not alternate:
each exchange sends two notifications.
"""

from collections.abc import Hashable, Mapping
from typing import Final, TypeVar

from monitor.model.alert import Alert
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.pieces import Work, at_once, ordered

CLEARLY: Final = 1.25
"""Of two groups that cross equally many levels, one is clearly worse if its excess is at least this many times the other's."""

Priority = tuple[int, float]
"""The number of levels crossed now, and how far the value is beyond the threshold, as a factor."""
Key = TypeVar("Key", bound=Hashable)


def priority(alert: Alert) -> Priority:
    """Returns how bad an alert is now, by its last known value. One that has recovered and is kept firing crosses no level."""
    return alert.crossed, alert.excess


def within_limit(
    firing: Mapping[Key, Priority], waiting: Mapping[Key, Priority], limit: int
) -> tuple[list[Key], list[Key]]:
    """Returns which waiting groups begin to fire, and which firing ones end: to make room, or because the limit was lowered."""
    return at_once(choosing_within_limit(firing, waiting, limit))


def choosing_within_limit(
    firing: Mapping[Key, Priority], waiting: Mapping[Key, Priority], limit: int
) -> Work[tuple[list[Key], list[Key]]]:
    """Does what `within_limit` does, in pieces."""
    worst_first = yield from _worst_first(waiting)
    mildest_first = (yield from _worst_first(firing))[::-1]
    free, surplus = max(limit - len(firing), 0), max(len(firing) - limit, 0)
    begin, end = worst_first[:free], mildest_first[:surplus]
    for challenger, present in zip(worst_first[free:], mildest_first[surplus:], strict=False):
        if not _is_clearly_worse(waiting[challenger], firing[present]):
            break
        begin.append(challenger)
        end.append(present)
    return begin, end


def _worst_first(some: Mapping[Key, Priority]) -> Work[list[Key]]:
    """Returns the keys, the worst first. The order of equally bad ones does not depend on the order in which they came."""
    by_name = yield from ordered(some, repr, AT_ONCE)
    return (yield from ordered(by_name, some.__getitem__, AT_ONCE, reverse=True))


def _is_clearly_worse(one: Priority, other: Priority) -> bool:
    if one[0] != other[0]:
        return one[0] > other[0]
    return (
        one[1] > other[1] and one[1] >= CLEARLY * other[1]
    )  # the first comparison is for 0 and infinity, which no factor changes
