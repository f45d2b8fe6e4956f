"""A rule's ``limit``: which of its groups that are over the threshold fire, and which are only counted.

The worst fire. One that fires goes on until another is clearly worse, so that groups that are about equally bad do not
alternate: each exchange is two things that people have to read.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar

from monitor.model.alert import Alert

CLEARLY: Final = 1.25
"""A group that crosses as many levels as another is clearly worse where it is beyond its threshold by so much as the other, or more."""

Badness = tuple[int, float]
"""How many levels are crossed now, and how far the value is beyond the threshold, as a factor."""
Key = TypeVar("Key", bound=Hashable)


def badness(alert: Alert) -> Badness:
    """How bad an alert is now, by the value that was last known. One that has recovered and is kept firing crosses no level."""
    return alert.crossed, alert.excess


def within_limit(
    firing: Mapping[Key, Badness], waiting: Mapping[Key, Badness], limit: int
) -> tuple[list[Key], list[Key]]:
    """Which of those that wait begin to fire, and which of those that fire make room: for them, or because the limit was lowered."""
    worst_first, mildest_first = _worst_first(waiting), _worst_first(firing)[::-1]
    free, surplus = max(limit - len(firing), 0), max(len(firing) - limit, 0)
    begin, end = worst_first[:free], mildest_first[:surplus]
    for challenger, present in zip(worst_first[free:], mildest_first[surplus:], strict=False):
        if not _is_clearly_worse(waiting[challenger], firing[present]):
            break
        begin.append(challenger)
        end.append(present)
    return begin, end


def _worst_first(some: Mapping[Key, Badness]) -> list[Key]:
    """Of those that are equally bad the order does not depend on that in which they came."""
    by_name: Iterable[Key] = sorted(some, key=repr)
    return sorted(by_name, key=lambda key: some[key], reverse=True)


def _is_clearly_worse(one: Badness, other: Badness) -> bool:
    if one[0] != other[0]:
        return one[0] > other[0]
    return (
        one[1] > other[1] and one[1] >= CLEARLY * other[1]
    )  # the first part: of 0 and of infinity any factor is itself
