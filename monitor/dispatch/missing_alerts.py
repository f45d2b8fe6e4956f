"""Alerts that receivers were told of and that the store lost: they count as firing for an hour, and are found again then if they still fire."""

from collections.abc import Collection
from typing import Final

from monitor.dispatch.group_members import GroupMembers
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.runtime.pieces import Work, paced

MISSING_FOR: Final[Duration] = HOUR
"""Time for which an alert counts as firing of which receivers were told, and which the store lost."""


class MissingAlerts:
    """Knows since when alerts are missing, by their fingerprints."""

    def __init__(self) -> None:
        self._since: dict[str, Instant] = {}

    def leaving_out(self, groups: Collection[GroupMembers], now: Instant) -> Work[Instant | None]:
        """Leaves, in pieces, those of the groups' missing alerts out that do not count as firing any more; the others cause no repeat.

        Returns when the next one of them will not count any more.

        An alert that the store lost is found again at the next evaluations if it still fires; until then it is unknown whether it has ended.
        """
        known = {
            one: min(at, now) for one, at in self._since.items()
        }  # none must wait until before the clock was set back
        since, found = dict[str, Instant](), set[str]()
        lacking = list[GroupMembers]()
        for members, pauses in paced(groups, AT_ONCE):
            if members.missing:
                lacking.append(members)
                since |= {one: known.get(one, now) for one in members.missing}
            if known:
                found |= known.keys() & members.firing.keys()
            if pauses:
                yield
        # Those of accounts that this flush is not about are not among the groups.
        others = {one: at for one, at in known.items() if now - at < 2 * MISSING_FOR and one not in found}
        self._since = others | since
        for members, pauses in paced(lacking, AT_ONCE):
            members.missing = {one: told for one, told in members.missing.items() if now - since[one] < MISSING_FOR}
            members.quiet |= dict.fromkeys(members.missing)
            if pauses:
                yield
        return min((at + MISSING_FOR for at in since.values() if now - at < MISSING_FOR), default=None)
