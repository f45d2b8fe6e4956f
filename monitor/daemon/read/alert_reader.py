"""Reads the alerts: those that fire or are pending, and one of them from its beginning to its end."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from monitor.alerts.alert_episodes import alert_episodes
from monitor.daemon.read.alerts import AlertCourse, AlertSummary, alert_of, course_of, urgency
from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.notifications import notification_of
from monitor.daemon.read.result_page import MOST, ResultPage
from monitor.dispatch.status import AlertStatus, named_alert
from monitor.model.alert import Alert, Transition
from monitor.model.alert_names import NamedAlert, alert_named
from monitor.model.notification import AlertView
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import NotificationFilter, NotificationRecord, Store

MOST_TRANSITIONS: Final = 500
"""The most changes of one alert that are read."""
MOST_TOLD: Final = 50
"""The most notifications of one alert or incident that are listed."""


@dataclass(frozen=True, slots=True)
class AlertPast:
    """What the store has of one alert: its changes, the newest first, how it was notified last, and its notifications."""

    transitions: list[Transition]
    view: AlertView | None
    notifications: list[NotificationRecord]


class AlertReader:
    """Reads the alerts."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    async def page(
        self, offset: int = 0, limit: int = MOST, text: str = "", states: Sequence[str] = ("firing", "pending")
    ) -> ResultPage[AlertSummary]:
        """Returns the alerts in these states, the most urgent first: those whose labels contain ``text``."""
        wanted, snapshot = text.casefold(), await self._state.snapshot()
        found = list[tuple[tuple[int, int, float, int, str], Alert]]()
        async for alert, routed in with_checkpoints(snapshot.routed()):
            if alert.state in states and any(wanted in value.casefold() for value in routed.labels.values()):
                found.append((urgency(alert, routed.severity), alert))
        found.sort(key=lambda one: one[0])
        part = []
        async for _, alert in with_checkpoints(found[offset : offset + limit]):
            status = snapshot.find(alert.fingerprint)
            part += [] if status is None else [alert_of(status, alert.account)]
        return ResultPage(tuple(part), len(found), offset, limit)

    async def one(self, fingerprint: str) -> AlertCourse | None:
        """Returns one alert, present or over; None if nothing is known of it.

        ``fingerprint`` is its own or, of a present one, also that of its labels, or the beginning of either. Raises AmbiguousName.
        """
        known = await self._present(fingerprint)
        # From a new snapshot: what explains an alert is read from the window as it is now.
        present = None if known is None else await self._state.actions.explained(known)
        return self.course(await self._state.reads.run(partial(_past_of_alert, known or fingerprint)), present)

    async def past(self, fingerprint: str) -> AlertPast:
        """Returns what the store has of an alert, for `course`. Raises AmbiguousName."""
        return await self._state.reads.run(partial(_past_of_alert, await self.own_fingerprint(fingerprint)))

    def course(self, past: AlertPast, status: AlertStatus | None) -> AlertCourse | None:
        """Returns what `one` does, from what the store has of the alert, and from its explained status if it is present."""
        episodes, view, present = alert_episodes(reversed(past.transitions)), past.view, None
        if status is None and view is None and not episodes:
            return None
        if status is not None:
            present = alert_of(status, self._state.accounts_of_alerts().get(status.view.fingerprint, ""))
            view = status.view if status.state == "firing" or view is None else view
        return course_of(episodes, view, present, map(notification_of, past.notifications), self._state.rules_by_name())

    async def own_fingerprint(self, fingerprint: str) -> str:
        """Returns the own fingerprint of the present alert that ``fingerprint`` names; ``fingerprint`` as it is if there is none.

        Raises AmbiguousName.
        """
        return await self._present(fingerprint) or fingerprint

    async def _present(self, fingerprint: str) -> str | None:
        """Returns the own fingerprint of the present alert that ``fingerprint`` names (see `alert_named`); None if there is none."""
        known = list[NamedAlert]()
        async for alert, routed in with_checkpoints((await self._state.snapshot()).routed()):
            if alert.fingerprint == fingerprint:
                return fingerprint
            known.append(named_alert(alert.fingerprint, routed))
        named = alert_named(fingerprint, known)
        return None if named is None else named.own


def _past_of_alert(fingerprint: str, store: Store) -> AlertPast:
    told = store.notifications(NotificationFilter(fingerprint=fingerprint), MOST_TOLD)
    return AlertPast(store.transitions_of(fingerprint, MOST_TRANSITIONS), store.last_view(fingerprint), told)
