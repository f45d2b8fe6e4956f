"""Applies a rule's ``limit``: decides which of the groups over the threshold fire, and which are only counted.

The worst fire. A firing group is replaced only by a clearly worse one, so that groups which are about equally bad do not alternate:
each exchange sends two notifications.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar

from monitor.model.alert import Alert

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
    worst_first, mildest_first = _worst_first(waiting), _worst_first(firing)[::-1]
    free, surplus = max(limit - len(firing), 0), max(len(firing) - limit, 0)
    begin, end = worst_first[:free], mildest_first[:surplus]
    for challenger, present in zip(worst_first[free:], mildest_first[surplus:], strict=False):
        if not _is_clearly_worse(waiting[challenger], firing[present]):
            break
        begin.append(challenger)
        end.append(present)
    return begin, end


def _worst_first(some: Mapping[Key, Priority]) -> list[Key]:
    """Returns the keys, the worst first. The order of equally bad ones does not depend on the order in which they came."""
    by_name: Iterable[Key] = sorted(some, key=repr)
    return sorted(by_name, key=lambda key: some[key], reverse=True)


def _is_clearly_worse(one: Priority, other: Priority) -> bool:
    if one[0] != other[0]:
        return one[0] > other[0]
    return (
        one[1] > other[1] and one[1] >= CLEARLY * other[1]
    )  # the first comparison is for 0 and infinity, which no factor changes
