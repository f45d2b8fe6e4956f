"""Alerts that receivers were told of and that the store lost: they count as firing for an hour, and are found again then if they still fire."""

from collections.abc import Collection
from typing import Final

from monitor.dispatch.group_members import GroupMembers
from monitor.runtime.clock import HOUR, Duration, Instant

MISSING_FOR: Final[Duration] = HOUR
"""Time for which an alert counts as firing of which receivers were told, and which the store lost."""


class MissingAlerts:
    """Knows since when alerts are missing, by their fingerprints."""

    def __init__(self) -> None:
        self._since: dict[str, Instant] = {}

    def leave_out(self, groups: Collection[GroupMembers], now: Instant) -> Instant | None:
        """Leaves those of the groups' missing alerts out that do not count as firing any more; the others cause no repeat. Returns when the next
        one of them will not count any more.

        An alert that the store lost is found again at the next evaluations if it still fires; until then it is unknown whether it has ended.
        """
        since = {one: self._since.get(one, now) for members in groups for one in members.missing}
        found = {one for members in groups for one in members.firing if one in self._since}
        # Those of accounts that this flush is not about are not among the groups.
        others = {one: at for one, at in self._since.items() if now - at < 2 * MISSING_FOR and one not in found}
        self._since = others | since
        for members in groups:
            members.missing = {one: told for one, told in members.missing.items() if now - since[one] < MISSING_FOR}
            members.quiet |= dict.fromkeys(members.missing)
        return min((at + MISSING_FOR for at in since.values() if now - at < MISSING_FOR), default=None)
