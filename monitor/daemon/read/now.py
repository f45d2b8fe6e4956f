"""What is wrong now: the firing alerts by incident, the worst first, and the pending ones. Only what is shown is made into views."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final

import trio

from monitor.daemon.alert_actions import AlertActions
from monitor.dispatch.status import AlertStatus, StatusSnapshot
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope
from monitor.notify.render.sanitize import URGENCY, tone
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, listed, paced

_PIECE: Final = 500
"""Of so many alerts it is found out at a time where they belong."""


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver that is notified of an alert, and when it was last. ``waits``: that notification has not reached it yet."""

    receiver: str
    at: Instant
    waits: bool = False


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """An alert that is listed before its view is made."""

    alert: Alert
    severity: str

    @property
    def urgency(self) -> tuple[int, float, Instant]:
        """The sort key: the worst severity first, then what is furthest beyond its threshold, then the oldest."""
        at = self.alert.firing_at or self.alert.pending_at
        return URGENCY[tone(self.severity, "firing")], -self.alert.excess, at

    def mentions(self, text: str) -> bool:
        """Returns whether its rule or its group has the text, in any case."""
        words = (self.alert.rule, self.alert.account, *(value for _, value in self.alert.group))
        return any(text in word.casefold() for word in words)


@dataclass(frozen=True, slots=True)
class FiringIncident:
    """Firing alerts of one cause, the worst first; an alert without an incident is one of its own."""

    scope: IncidentScope | None
    alerts: tuple[ListedAlert, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """What is wrong now, the worst first. Reports of ended campaigns are no trouble and stand apart."""

    incidents: tuple[FiringIncident, ...]
    pending: tuple[ListedAlert, ...]
    reports: tuple[ListedAlert, ...]

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(len(one.alerts) for one in self.incidents)


def finding_now(status: StatusSnapshot, text: str = "") -> Work[Now]:
    """Returns what is wrong now, in pieces; with ``text`` only the alerts that mention it."""
    wanted = text.casefold()
    ranked: list[list[tuple[tuple[int, float, Instant], ListedAlert]]] = [[]]  # each of them sorted
    for (alert, severity), pauses in paced(status.known(), _PIECE):
        one = ListedAlert(alert, severity)
        if one.mentions(wanted):
            ranked[-1].append((one.urgency, one))
        if pauses:
            ranked[-1].sort(key=itemgetter(0))
            ranked.append([])
            yield
    ranked[-1].sort(key=itemgetter(0))
    together: dict[str, list[ListedAlert]] = {}  # the worst incident first, as the alerts are
    pending, reports = list[ListedAlert](), list[ListedAlert]()
    for (_, one), pauses in paced(merge(*ranked, key=itemgetter(0)), _PIECE):
        if one.alert.state == "pending":
            pending.append(one)
        elif one.alert.state == "firing" and one.alert.is_report:
            reports.append(one)
        elif one.alert.state == "firing":
            scope = one.alert.incident
            together.setdefault(one.alert.fingerprint if scope is None else scope.id, []).append(one)
        if pauses:
            yield
    incidents = yield from listed(
        (FiringIncident(members[0].alert.incident, tuple(members)) for members in together.values()), _PIECE
    )
    return Now(tuple(incidents), tuple(pending), tuple(reports))


def told(
    groups: Iterable[AggregationGroup], fingerprints: Iterable[str], waiting_since: Mapping[str, Instant]
) -> dict[str, list[Told]]:
    """Returns who is notified of which alert. ``waiting_since`` is when the oldest notification was made that waits, by receiver."""
    wanted: dict[str, list[Told]] = {one: [] for one in fingerprints}
    for group in groups:
        if group.told_at is not None:
            for one in wanted.keys() & group.told.keys():
                waits = waiting_since.get(group.receiver, group.told_at + 1) <= group.told_at
                wanted[one].append(Told(group.receiver, group.told_at, waits))
    return wanted


async def statuses(
    actions: AlertActions, version: Callable[[], object], fingerprints: Sequence[str], *, deep: bool
) -> dict[str, AlertStatus]:
    """Returns the status of each alert that is still known. Other tasks run in between; a snapshot is taken again once ``version`` changes."""
    found = dict[str, AlertStatus]()
    latest: tuple[StatusSnapshot, object] | None = None

    async def snapshot() -> StatusSnapshot:
        nonlocal latest
        present = version()
        if latest is None or latest[1] != present:
            latest = await actions.status(), present
        return latest[0]

    for one in fingerprints:
        known = await actions.explained(one, snapshot) if deep else (await snapshot()).find(one)
        if known is not None:
            found[one] = known
        await trio.lowlevel.checkpoint()
    return found
