"""Reads the running daemon for pages and APIs: what is in memory, what the store keeps of the past, and what is counted from the messages.

Nothing here changes anything, and nothing holds the event loop for long: long work is done in small pieces, and what is counted from the
messages is kept until the next poll. Methods that read the store raise StoreError.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.incident_loss import LossCount
from monitor.alerts.kinds import RuleResult, evaluate, unit_of
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.config.settings import Settings
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.read.alerts import AlertCourse, AlertSummary, alert_of, course_of, urgency
from monitor.daemon.read.campaigns import CampaignBreakdown, CampaignCounts, CampaignDetail, CampaignSummary
from monitor.daemon.read.delivery import DeliveryByPlace, DeliveryMap, DeliveryOverTime, DeliverySeries, check_steps
from monitor.daemon.read.evaluations import GroupEvaluations, evaluations_of, group_from
from monitor.daemon.read.incidents import (
    IncidentCost,
    IncidentDetail,
    IncidentSummary,
    cost_of,
    incident_alerts,
    incident_summary,
    scopes_of,
)
from monitor.daemon.read.notifications import NotificationSummary, notification_of
from monitor.daemon.read.poll_cache import PollCache
from monitor.daemon.read.receivers import ReceiverSummary, receivers_of
from monitor.daemon.read.result_page import MOST, ResultPage, listed
from monitor.daemon.read.rule_groups import GroupState, GroupSummary, groups_of, rule_input, worst_first
from monitor.daemon.read.rules import (
    GroupNumbers,
    RuleDetail,
    RuleSummary,
    accounts_with,
    detail_of,
    numbers_of,
    states_of,
    summary_of,
)
from monitor.daemon.read.searches import SearchSummary, search_summary
from monitor.daemon.read.spans import spans_of
from monitor.daemon.read.store_reads import StoreReads
from monitor.dispatch.status import AlertStatus, StatusSnapshot
from monitor.model.alert import Alert, Transition
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.model.notification import AlertView
from monitor.notify.outbox import Outbox
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import EVERY_NOTIFICATION, NotificationFilter, NotificationRecord, PastIncident, Store
from monitor.window import Window, WindowReader

MOST_RULES: Final = 10_000
"""The most rules whose numbers of groups are kept."""
PUSHED_LASTS: Final[Duration] = 5 * SECOND
"""How long what was counted from messages holds although reports were pushed since: Routee pushes all the time."""
SNAPSHOT_LASTS: Final[Duration] = 5 * SECOND
"""How long a snapshot of all alerts is used if nothing changes."""
MOST_TRANSITIONS: Final = 500
"""The most changes of one alert that are read."""
MOST_TOLD: Final = 50
"""The most notifications of one alert or incident that are listed."""
MOST_MEMBERS: Final = 200
"""The most alerts of an incident that are listed."""


@dataclass(frozen=True, slots=True)
class AlertPast:
    """What the store has of one alert: its changes, the newest first, how it was notified last, and its notifications."""

    transitions: list[Transition]
    view: AlertView | None
    notifications: list[NotificationRecord]


class DaemonReader:
    """Reads one daemon. ``settings`` returns the configuration in force. All reads of the store go through `reads`."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: AsyncStore,
        settings: Callable[[], Settings],
        outbox: Outbox | None = None,
    ) -> None:
        self._pipeline, self._settings = pipeline, settings
        self.reads = StoreReads(store)
        self._outbox = outbox or Outbox()
        self._actions = AlertActions(pipeline)
        self._latest: tuple[tuple[trio.Event, int], StatusSnapshot] | None = None
        self._pushes: tuple[Instant, tuple[int, ...]] = (0, ())
        self._cache = PollCache(self._stamp)
        self._numbers = PollCache(self._stamp, most=MOST_RULES)

    @property
    def now(self) -> Instant:
        """The present time."""
        return self._pipeline.services.clock.now()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._settings().config

    @property
    def as_of(self) -> Instant:
        """The end of the latest complete poll of any search, or the date of the latest pushed report where that is later; the present time
        before the first poll."""
        polled = max((cursor.as_of for cursor in self._pipeline.cursors()), default=None)
        if polled is None:
            return self.now
        return max(polled, *(one.coverage.pushed_to or 0 for one in self._evaluators()))

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(self._pipeline.accounts)

    def _stamp(self) -> Hashable:
        cursors = tuple((one.account, one.search, one.as_of) for one in self._pipeline.cursors())
        blind = [(name, *about.items()) for name, about in self._pipeline.firing(MONITOR_BLIND)]
        return cursors, tuple(blind), id(self._settings()), self._pushed()

    def _pushed(self) -> tuple[int, ...]:
        """Returns how often each account's rules were evaluated on pushed reports, or how often that was up to `PUSHED_LASTS` ago."""
        now, pushes = self.now, tuple(one.coverage.pushes for one in self._evaluators())
        taken_at, taken = self._pushes
        if pushes != taken and not 0 <= now - taken_at < PUSHED_LASTS:
            self._pushes = now, pushes
        return self._pushes[1]

    def _evaluators(self) -> Iterator[RuleEvaluator]:
        return (account.evaluator for account in self._pipeline.accounts.values())

    def _windows(self, account: str | None = None) -> list[Window]:
        return [one.window for one in self._evaluators() if account in (None, one.account)]

    # Rules

    def rule_named(self, name: str) -> Rule | None:
        """Returns the rule of that name; None if there is none."""
        return next((rule for rule in self._settings().rules if rule.name == name), None)

    async def rules(self) -> tuple[RuleSummary, ...]:
        """Returns all rules in all accounts, in the order in which they are written."""
        found = []
        for rule in self._settings().rules:
            found += await self._summaries(rule)
        return tuple(found)

    async def rule(self, name: str) -> RuleDetail | None:
        """Returns one rule; None if there is none of that name."""
        rule = self.rule_named(name)
        return None if rule is None else detail_of(rule, tuple(await self._summaries(rule)), unit_of(rule))

    async def groups(
        self,
        name: str,
        offset: int = 0,
        limit: int = MOST,
        text: str = "",
        states: Sequence[GroupState] = (),
        account: str | None = None,
    ) -> ResultPage[GroupSummary] | None:
        """Returns the groups of a rule, the worst first: those that contain ``text`` and are in one of ``states`` (none: any).

        None if there is no rule of that name.
        """
        rule = self.rule_named(name)
        if rule is None:
            return None
        everything = await self._cache.get(("groups", name), partial(self._groups, rule))
        wanted, found = text.casefold(), list[GroupSummary]()
        async for group in with_checkpoints(everything):
            if (not states or group.state in states) and account in (None, group.account) and group.contains(wanted):
                found.append(group)
        return listed(found, offset, limit)

    def evaluations(self, name: str, labels: dict[str, str], account: str | None = None) -> GroupEvaluations | None:
        """Returns the recent evaluations of one group of a rule; None if there is no such rule or account.

        Raises ValueError if the rule groups by other fields.
        """
        rule = self.rule_named(name)
        if rule is None:
            return None
        group = group_from(labels, rule)
        known = [one for one in accounts_with(rule, self._evaluators()) if account in (None, one.account)]
        found = [evaluations_of(rule, evaluator, group) for evaluator in known]
        return max(found, key=lambda one: len(one.points), default=None)

    async def _groups(self, rule: Rule) -> list[GroupSummary]:
        found: list[GroupSummary] = []
        for evaluator in list(accounts_with(rule, self._evaluators())):
            await trio.lowlevel.checkpoint()
            rule_result = self._evaluated(rule, evaluator)
            if rule_result is None:
                continue
            found += [one async for one in with_checkpoints(groups_of(rule, evaluator, rule_result, self.config))]
        below = rule.comparison == "below"
        keys = {id(group): worst_first(group, below=below) async for group in with_checkpoints(found)}
        return sorted(found, key=lambda group: keys[id(group)])

    async def _summaries(self, rule: Rule) -> list[RuleSummary]:
        found = []
        for evaluator in list(accounts_with(rule, self._evaluators())):
            numbers = await self._numbers.get((rule.name, evaluator.account), partial(self._counted, rule, evaluator))
            found.append(summary_of(rule, evaluator, states_of(rule, evaluator, numbers)))
        return found

    async def _counted(self, rule: Rule, evaluator: RuleEvaluator) -> GroupNumbers:
        await trio.lowlevel.checkpoint()
        rule_result = self._evaluated(rule, evaluator)
        return GroupNumbers() if rule_result is None else numbers_of(rule_result)

    def _evaluated(self, rule: Rule, evaluator: RuleEvaluator) -> RuleResult | None:
        """Returns the rule's numbers as of the latest poll or pushed report; None if it cannot be evaluated."""
        span = evaluator.coverage.as_of(rule)
        if span is None or rule.name not in evaluator.rules:
            return None
        try:
            return evaluate(rule, rule_input(rule, evaluator, WindowReader(evaluator.window), span))
        except Exception:  # noqa: BLE001 - the daemon's own evaluation fails too, and is reported as the rule's error
            return None

    # Alerts

    async def alerts(
        self, offset: int = 0, limit: int = MOST, text: str = "", states: Sequence[str] = ("firing", "pending")
    ) -> ResultPage[AlertSummary]:
        """Returns the alerts in these states, the most urgent first: those whose labels contain ``text``."""
        wanted, snapshot = text.casefold(), self._snapshot()
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

    async def alert(self, fingerprint: str) -> AlertCourse | None:
        """Returns one alert, present or over; None if nothing is known of it. ``fingerprint`` is its own or that of its labels."""
        present = await self._explained(fingerprint)
        own = fingerprint if present is None else present.view.fingerprint
        return self.alert_course(await self.reads.run(partial(_past_of_alert, own)), present)

    async def alert_past(self, fingerprint: str) -> AlertPast:
        """Returns what the store has of an alert, for `alert_course`."""
        known = await self._known(fingerprint)
        return await self.reads.run(partial(_past_of_alert, fingerprint if known is None else known.fingerprint))

    def alert_course(self, past: AlertPast, status: AlertStatus | None) -> AlertCourse | None:
        """Returns what `alert` does, from what the store has of the alert, and from its explained status if it is present."""
        episodes, view, present = alert_episodes(reversed(past.transitions)), past.view, None
        if status is None and view is None and not episodes:
            return None
        if status is not None:
            present = alert_of(status, self._accounts_of_alerts().get(status.view.fingerprint, ""))
            view = status.view if status.state == "firing" or view is None else view
        return course_of(episodes, view, present, map(notification_of, past.notifications), self._rules_by_name())

    async def _explained(self, fingerprint: str) -> AlertStatus | None:
        """Returns the present alert with this fingerprint, its own or that of its labels, with what explains it."""
        known = await self._known(fingerprint)
        # From a new snapshot: what explains an alert is read from the window as it is now.
        return None if known is None else await self._actions.explained(known.fingerprint)

    async def _known(self, fingerprint: str) -> Alert | None:
        """Returns the present alert with this fingerprint, its own or that of its labels."""
        async for alert, routed in with_checkpoints(self._snapshot().routed()):
            if fingerprint in (alert.fingerprint, routed.fingerprint):
                return alert
        return None

    def _snapshot(self) -> StatusSnapshot:
        """Returns the alerts as of the latest change, which is made anew every few seconds, because it takes long if there are many alerts."""
        stamp = self._pipeline.news, self.now // SNAPSHOT_LASTS
        if self._latest is None or self._latest[0] != stamp:
            self._latest = stamp, self._actions.status()
        return self._latest[1]

    def _accounts_of_alerts(self) -> dict[str, str]:
        return {alert.fingerprint: alert.account for alert in self._pipeline.known_alerts()}

    def _rules_by_name(self) -> dict[str, Rule]:
        return {rule.name: rule for rule in self._settings().rules}

    # Incidents

    async def incidents(self, offset: int = 0, limit: int = MOST) -> ResultPage[IncidentSummary]:
        """Returns the incidents, those that began last first."""

        def read(store: Store) -> tuple[int, list[tuple[PastIncident, AlertView | None]]]:
            known = store.incidents(limit, offset)
            return store.count_incidents(), [(one, _head_of(store, one.id)) for one in known]

        total, found = await self.reads.run(read)
        scopes = scopes_of(self._pipeline.known_alerts())
        summaries = []
        for past, head in found:
            scope, firing = scopes.get(past.id, (None, []))
            summaries.append(incident_summary(past, scope, firing, head))
        return ResultPage(tuple(summaries), total, offset, limit)

    async def incident(self, incident: str) -> IncidentDetail | None:
        """Returns one incident, open or over; None if nothing is known of it."""
        past, episodes, views, head, told = await self.reads.run(partial(_past_of_incident, incident))
        if past is None:
            return None
        scope, firing = scopes_of(self._pipeline.known_alerts()).get(incident, (None, []))
        accounts, status = self._accounts_of_alerts(), self._snapshot()
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
            cost=await self._cache.get(("cost", incident), partial(self._cost, episodes)),
        )

    async def _cost(self, episodes: Sequence[AlertEpisode]) -> IncidentCost | None:
        """Returns what an incident has cost up to the latest poll."""
        accounts = {one.account for one in episodes}
        evaluator = next((one for one in self._evaluators() if one.account in accounts), None)
        cursors = [] if evaluator is None else list(evaluator.coverage.cursors.values())
        if evaluator is None or not cursors:
            return None
        as_of = min(one.as_of for one in cursors)
        known_since = max(*(one.covered_since for one in cursors), as_of - self.config.retention)
        count = LossCount(evaluator.window, episodes, evaluator.rules, as_of, known_since)
        await _work_off(count.steps(spans_of))
        return cost_of(count.result())

    # Searches and receivers

    def searches(self) -> tuple[SearchSummary, ...]:
        """Returns the searches of the configuration."""
        metrics, now = self._pipeline.services.metrics, self.now
        cursors = {(one.account, one.search): one for one in self._pipeline.known_cursors()}
        blind = dict(self._blind())
        messages = {window.account: len(window) for window in self._windows()}
        return tuple(
            search_summary(
                one,
                cursors.get((one.account, one.name)),
                blind.get((one.account, one.name), ""),
                metrics.pages_of(one.account, one.name),
                messages.get(one.account),
                now,
            )
            for one in self.config.searches
        )

    def _blind(self) -> Iterator[tuple[tuple[str, str], str]]:
        for alert in self._pipeline.known_alerts():
            if alert.rule == MONITOR_BLIND.name and alert.state == "firing":
                yield (alert.account, dict(alert.group).get("search", "")), alert.why

    async def receivers(self) -> tuple[ReceiverSummary, ...]:
        """Returns the receivers with their channels."""
        last_sent, waiting, dead = await self.reads.run(
            lambda store: (store.last_sent(), store.backlog(), store.dead_letters())
        )
        return receivers_of(self.config, last_sent, waiting, dead, self._outbox.failing)

    async def notifications(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, offset: int = 0, limit: int = MOST
    ) -> ResultPage[NotificationSummary]:
        """Returns the notifications that the filter selects, the newest first. Dead letters are those with the outcome ``dead``."""

        def read(store: Store) -> tuple[int, list[NotificationRecord]]:
            return store.count_notifications(wanted), store.notifications(wanted, limit, offset)

        total, records = await self.reads.run(read)
        return ResultPage(tuple(map(notification_of, records)), total, offset, limit)

    # Campaigns

    async def campaigns(self, offset: int = 0, limit: int = MOST, text: str = "") -> ResultPage[CampaignSummary]:
        """Returns the campaigns whose messages are known, the one with the latest report first: those whose name or id contains ``text``."""
        wanted = text.casefold()
        found = [one for one in await self._campaigns() if wanted in f"{one.name}\n{one.tracking_id}".casefold()]
        return listed(found, offset, limit)

    async def campaign(self, tracking_id: str) -> CampaignDetail | None:
        """Returns one campaign; None if no messages of it are known."""
        summary = next((one for one in await self._campaigns() if one.tracking_id == tracking_id), None)
        if summary is None:
            return None
        return await self._cache.get(("campaign", summary.account, tracking_id), partial(self._campaign, summary))

    async def _campaigns(self) -> list[CampaignSummary]:
        return await self._cache.get("campaigns", self._count_campaigns)

    async def _count_campaigns(self) -> list[CampaignSummary]:
        found: list[CampaignSummary] = []
        for evaluator in list(self._evaluators()):
            counts = CampaignCounts(evaluator.window, self.as_of - self.config.retention, max(self.as_of, self.now))
            await _work_off(counts.steps())
            found += counts.summaries(evaluator.account_state)
        return sorted(found, key=lambda one: -(one.last_report_at or 0))

    async def _campaign(self, summary: CampaignSummary) -> CampaignDetail:
        [evaluator] = [one for one in self._evaluators() if one.account == summary.account]
        breakdown = CampaignBreakdown(evaluator.window, summary)
        await _work_off(breakdown.steps())
        return breakdown.detail(evaluator.account_state.campaigns)

    # Delivery

    async def delivery_by_place(self, span: Duration = HOUR, account: str | None = None) -> DeliveryMap:
        """Returns delivery by country and operator in the span up to the latest poll, of one account or all."""

        async def count() -> DeliveryMap:
            counts = DeliveryByPlace(self._windows(account), self.as_of - span, self.as_of)
            await _work_off(counts.steps())
            return counts.result()

        return await self._cache.get(("place", span, account), count)

    async def delivery(
        self,
        span: Duration = 6 * HOUR,
        step: Duration = 5 * MINUTE,
        where: Mapping[str, str] | None = None,
        account: str | None = None,
        before: Duration = 0,
    ) -> DeliverySeries:
        """Returns delivery over the span up to the latest poll, in steps, of the messages with these values of fields.

        With ``before`` the span ends so much earlier: a day, for what was usual.

        Raises ValueError for more steps than `monitor.daemon.read.delivery.MOST_POINTS`.
        """
        fields = dict(where or {})
        check_steps(span, step)

        async def count() -> DeliverySeries:
            counts = DeliveryOverTime(self._windows(account), self.as_of - before, span, step, fields)
            await _work_off(counts.steps())
            return counts.result()

        return await self._cache.get(("delivery", span, step, tuple(sorted(fields.items())), account, before), count)


async def _work_off(steps: Iterator[None]) -> None:
    """Does work that pauses by itself; lets other tasks run in the pauses."""
    for _ in steps:
        await trio.lowlevel.checkpoint()


def _past_of_alert(fingerprint: str, store: Store) -> AlertPast:
    told = store.notifications(NotificationFilter(fingerprint=fingerprint), MOST_TOLD)
    return AlertPast(store.transitions_of(fingerprint, MOST_TRANSITIONS), store.last_view(fingerprint), told)


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
