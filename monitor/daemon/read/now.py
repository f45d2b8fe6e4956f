"""What is wrong now: the firing alerts by incident, the worst first, and the pending ones. Only what is shown is made into views."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import trio

from monitor.daemon.alert_actions import AlertActions
from monitor.dispatch.status import AlertStatus, StatusSnapshot
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope
from monitor.notify.render.sanitize import URGENCY, tone
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import Instant


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

    @property
    def urgency(self) -> tuple[int, float, Instant]:
        """The sort key: that of its worst alert."""
        return self.alerts[0].urgency


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


def now_of(status: StatusSnapshot, text: str = "") -> Now:
    """Returns what is wrong now; with ``text`` only the alerts that mention it."""
    wanted = text.casefold()
    listed = [ListedAlert(alert, severity) for alert, severity in status.known()]
    listed = sorted((one for one in listed if one.mentions(wanted)), key=lambda one: one.urgency)
    firing = [one for one in listed if one.alert.state == "firing"]
    together: dict[str, list[ListedAlert]] = {}
    for one in firing:
        if not one.alert.is_report:
            scope = one.alert.incident
            together.setdefault(one.alert.fingerprint if scope is None else scope.id, []).append(one)
    incidents = [FiringIncident(members[0].alert.incident, tuple(members)) for members in together.values()]
    return Now(
        tuple(sorted(incidents, key=lambda one: one.urgency)),
        tuple(one for one in listed if one.alert.state == "pending"),
        tuple(one for one in firing if one.alert.is_report),
    )


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
