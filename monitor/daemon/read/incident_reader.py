"""Reads the incidents: the open and past ones, and one of them with its alerts, its notifications and what it cost."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.alerts.incident_loss import LossCount
from monitor.daemon.read.alert_reader import MOST_TOLD, MOST_TRANSITIONS
from monitor.daemon.read.alerts import alert_of
from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.incidents import (
    IncidentCost,
    IncidentDetail,
    IncidentSummary,
    cost_of,
    incident_alerts,
    incident_summary,
    scopes_of,
)
from monitor.daemon.read.notifications import notification_of
from monitor.daemon.read.result_page import MOST, ResultPage
from monitor.daemon.read.spans import spans_of
from monitor.model.notification import AlertView
from monitor.runtime.checkpoints import with_checkpoints, work_off
from monitor.runtime.clock import Instant
from monitor.store.protocol import NotificationFilter, NotificationRecord, PastIncident, Store

MOST_MEMBERS: Final = 200
"""The most alerts of an incident that are listed."""


class IncidentReader:
    """Reads the incidents."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    async def page(self, offset: int = 0, limit: int = MOST) -> ResultPage[IncidentSummary]:
        """Returns the incidents, those that began last first."""

        def read(store: Store) -> tuple[int, list[tuple[PastIncident, AlertView | None]]]:
            known = store.incidents(limit, offset)
            return store.count_incidents(), [(one, _head_of(store, one.id)) for one in known]

        total, found = await self._state.reads.run(read)
        scopes = scopes_of(self._state.pipeline.known_alerts())
        summaries = []
        for past, head in found:
            scope, firing = scopes.get(past.id, (None, []))
            summaries.append(incident_summary(past, scope, firing, head))
        return ResultPage(tuple(summaries), total, offset, limit)

    async def one(self, incident: str) -> IncidentDetail | None:
        """Returns one incident, open or over; None if nothing is known of it."""
        past, episodes, views, head, told = await self._state.reads.run(partial(_past_of_incident, incident))
        if past is None:
            return None
        scope, firing = scopes_of(self._state.pipeline.known_alerts()).get(incident, (None, []))
        accounts, status = self._state.accounts_of_alerts(), await self._state.snapshot()
        listed_ones, present = {one.fingerprint for one in episodes}, {}
        async for alert in with_checkpoints(one for one in firing if one.fingerprint in listed_ones):
            found = status.find(alert.fingerprint)
            if found is not None:
                present[alert.fingerprint] = alert_of(found, accounts.get(alert.fingerprint, ""))
        alerts = incident_alerts(episodes, views, present)
        ended = [one.ended_at for one in episodes if one.ended_at is not None]
        return IncidentDetail(
            summary=incident_summary(past, scope, firing, head),
            head="" if head is None else head.fingerprint,
            ended_at=None if firing else max(ended, default=None),
            alerts=alerts,
            notifications=tuple(map(notification_of, told)),
            cost=await self._state.cache.get(("cost", incident), partial(self._cost, episodes)),
        )

    async def _cost(self, episodes: Sequence[AlertEpisode]) -> IncidentCost | None:
        """Returns what an incident has cost up to the latest poll."""
        accounts = {one.account for one in episodes}
        evaluator = next((one for one in self._state.evaluators() if one.account in accounts), None)
        cursors = [] if evaluator is None else list(evaluator.coverage.cursors.values())
        if evaluator is None or not cursors:
            return None
        as_of = min(one.as_of for one in cursors)
        known_since = max(one.covered_since for one in cursors)
        count = LossCount(evaluator.window, episodes, evaluator.rules, as_of, known_since)
        await work_off(count.steps(spans_of))
        return cost_of(count.result())


PastAlerts = tuple[
    PastIncident | None, list[AlertEpisode], dict[str, AlertView], AlertView | None, list[NotificationRecord]
]


def _past_of_incident(incident: str, store: Store) -> PastAlerts:
    """Returns what the store has of one incident: its alerts' episodes, how they and its head were shown last, and its notifications."""
    past = store.incident(incident)
    if past is None:
        return None, [], {}, None, []
    fingerprints = list(dict.fromkeys(one.fingerprint for one in store.begun_in(incident, MOST_MEMBERS)))
    episodes, views = [], {}
    for fingerprint in fingerprints:
        changes = store.transitions_of(fingerprint, MOST_TRANSITIONS)
        episodes += [episode for episode in alert_episodes(reversed(changes)) if incident in _incidents_of(episode)]
        view = store.last_view(fingerprint)
        if view is not None:
            views[fingerprint] = view
    told = _told_of(store, incident, fingerprints[:MOST_TOLD], past.began_at)
    return past, episodes, views, _head_of(store, incident), told


def _incidents_of(episode: AlertEpisode) -> set[str]:
    return {one.about.incident for one in episode.events if one.about is not None}


def _told_of(store: Store, incident: str, fingerprints: Sequence[str], since: Instant) -> list[NotificationRecord]:
    found: dict[int, NotificationRecord] = {}
    for fingerprint in fingerprints:
        wanted = NotificationFilter(since=since, fingerprint=fingerprint, incident=incident)
        found |= {one.id: one for one in store.notifications(wanted, MOST_TOLD)}
    return [found[number] for number in sorted(found, reverse=True)[:MOST_TOLD]]


def _head_of(store: Store, incident: str) -> AlertView | None:
    """Returns the alert that names an incident, as its latest notification shows it; None if it was never notified."""
    for one in store.begun_in(incident, 3):
        view = store.head_view(one.fingerprint, incident)
        if view is not None:
            return view
    return None
