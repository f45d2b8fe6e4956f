"""The first page: what is wrong now, who has acknowledged it, and how delivery goes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.alerts.severities import severity_after, severity_of
from monitor.config.monitor import Config
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.fleet.fleet_json import held_by, is_old, left_of
from monitor.daemon.http.delivery_charts import SPAN, DeliveryMarks, DrawnChart, delivery_charts
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.heat_rows import heat_rows
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.list_query import ListQuery
from monitor.daemon.http.masthead import is_stale
from monitor.daemon.http.page_chart import page_chart
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.daemon.read.now import FiringIncident, ListedAlert, Now, Told, finding_now, statuses, told
from monitor.daemon.read.poll_cache import PollCache
from monitor.dispatch.status import AlertStatus
from monitor.model.alert import is_report
from monitor.model.notification import AlertView
from monitor.notify.render.alert_chart import alert_chart, worth_drawing
from monitor.notify.render.alert_sentence import cause, sentence
from monitor.notify.render.chart_geometry import Frame, Span
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.notify.render.notification_text import marks
from monitor.notify.render.sanitize import tone
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError

CARDS: Final = 10
"""The most incidents on one page."""
MEMBERS: Final = 4
"""The most alerts of an incident that are shown with it; its own page has all."""
EXPLAINED: Final = 6
"""The most alerts of one page that are explained and drawn."""
PENDING: Final = 20
REPORTS: Final = 6
ACCOUNTS: Final = 3
"""The most accounts whose charts are drawn."""
MARKED: Final = 30
"""The most alerts that are marked on charts, the latest ones: more would cover each other, and be most of the page's bytes."""
STEP: Final = 5 * MINUTE
_TRANSITIONS: Final = 2_000
_ALERT_FRAME: Final = Frame(560, 190, left=50, right=66, top=14, bottom=26, text=12)


@dataclass(frozen=True, slots=True)
class AlertCard:
    """One alert as the page shows it."""

    status: AlertStatus
    tone: str
    sentence: str
    causes: tuple[str, ...]
    marks: tuple[str, ...]
    told: tuple[Told, ...]
    chart: str
    page: str
    acknowledge: str
    silence: str

    @property
    def view(self) -> AlertView:
        """The alert."""
        return self.status.view


@dataclass(frozen=True, slots=True)
class AccountCharts:
    """One account's charts. ``as_of`` is how far its searches were polled, which is stale if that is long ago. ``marked``: alerts are on them."""

    name: str
    as_of: Instant
    is_stale: bool
    marked: bool
    charts: list[DrawnChart]


class NowPage:
    """The page at ``/``."""

    def __init__(
        self,
        config: Config,
        actions: AlertActions,
        reader: DaemonReader,
        html: HtmlPages,
        expensive: ExpensiveQueue,
        fleet: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """``fleet`` returns the daemons that share the store, as JSON has them."""
        self._fleet = fleet
        self._config, self._actions, self._reader = config, actions, reader
        self._html, self._expensive = html, expensive
        self._pipeline: Pipeline = actions.pipeline
        self._episodes: list[AlertEpisode] = []
        self._past = PollCache(lambda: self._pipeline.news)
        self._waiting = PollCache(lambda: (self._pipeline.news, self._pipeline.services.clock.now() // SECOND))

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [Route("/", self.page)]

    async def page(self, request: Request) -> Response:
        query = ListQuery.of(request)
        text = query.text
        episodes, waiting_since = await self._read_episodes(), await self._read_waiting()
        async with self._expensive.alone():
            now = await self._pipeline.services.pieces.do(finding_now(await self._actions.status(), text))
            pages = query.pages(len(now.incidents), CARDS)
            number = min(query.page, pages)
            shown = now.incidents[(number - 1) * CARDS : number * CARDS]
            cards = await self._cards(shown, now, waiting_since)
            accounts = await self._accounts(episodes)
            found = heat_rows(await self._reader.delivery.by_place(HOUR))
            fleet = None if self._fleet is None else self._fleet()
            return self._html.page(
                "now.html",
                text=text,
                now=now,
                at=self._pipeline.services.clock.now(),
                page=number,
                pages=pages,
                incidents=[
                    (one, [cards[each.alert.fingerprint] for each in one.alerts if each.alert.fingerprint in cards])
                    for one in shown
                ],
                pending=[
                    cards[one.alert.fingerprint] for one in now.pending[:PENDING] if one.alert.fingerprint in cards
                ],
                reports=[
                    cards[one.alert.fingerprint] for one in now.reports[:REPORTS] if one.alert.fingerprint in cards
                ],
                quiet_since=_quiet_since(episodes),
                accounts=accounts,
                heat=found,
                several=len(self._config.accounts) > 1,
                fleet=fleet,
                left_of=left_of,
                held_by=held_by,
                fleet_is_old=fleet is not None and is_old(fleet),
            )

    async def _cards(
        self, shown: Sequence[FiringIncident], now: Now, waiting_since: Mapping[str, Instant]
    ) -> dict[str, AlertCard]:
        """Returns the cards of what is shown; those of the worst incidents are explained."""
        heads = [one.alerts[0] for one in shown[:EXPLAINED]]
        others = [each for one in shown for each in one.alerts[:MEMBERS]]
        others += [*now.pending[:PENDING], *now.reports[:REPORTS]]
        deep = await self._statuses(heads, deep=True)
        found = await self._statuses([one for one in others if one.alert.fingerprint not in deep], deep=False) | deep
        groups = {**self._pipeline.elsewhere.groups, **self._pipeline.dispatcher.groups}
        notified = told(groups.values(), found, waiting_since)
        return {one: self._card(status, notified[one]) for one, status in found.items()}

    async def _statuses(self, listed: Iterable[ListedAlert], *, deep: bool) -> dict[str, AlertStatus]:
        wanted = [one.alert.fingerprint for one in listed]
        return await statuses(self._actions, lambda: self._version(), wanted, deep=deep)

    def _version(self) -> object:
        windows = tuple(account.evaluator.window.version for account in self._pipeline.accounts.values())
        return windows, self._pipeline.news

    def _card(self, status: AlertStatus, notified: Sequence[Told]) -> AlertCard:
        view = status.view
        drawn = page_chart(alert_chart(view), _ALERT_FRAME) if worth_drawing(view) else ""
        root = self._html.root
        return AlertCard(
            status,
            "pending" if status.state == "pending" else tone(view.severity, view.status),
            sentence(view),
            tuple(cause(one) for one in view.breakdown) or ((view.why,) if view.why else ()),
            tuple(marks(msgspec.structs.replace(view, acknowledged_by=""))),  # who takes care of it is said anyway
            tuple(notified),
            drawn,
            page_url(root, view.fingerprint),
            acknowledge_url(root, view.fingerprint),
            silence_url(root, view.labels),
        )

    async def _accounts(self, episodes: Sequence[AlertEpisode]) -> list[AccountCharts]:
        found, now = [], self._reader.now
        for account in list(self._pipeline.accounts.values())[:ACCOUNTS]:
            cursors = account.evaluator.coverage.cursors.values()
            if cursors:
                as_of, since = min(one.as_of for one in cursors), max(one.covered_since for one in cursors)
                today = await self._reader.delivery.over_time(SPAN, STEP, account=account.name)
                before = await self._reader.delivery.over_time(SPAN, STEP, account=account.name, before=DAY)
                spans = (*_unread(since, as_of), *_spans(episodes, account.name, as_of, self._severity))
                rules = list(account.evaluator.rules.values())
                marked = DeliveryMarks(as_of, since, spans, rules, self._config.time_zone_of(account.name))
                charts = delivery_charts(today.points, before.points, marked)
                found.append(
                    AccountCharts(
                        account.name,
                        as_of,
                        is_stale(self._config, cursors, now),
                        any(one.role != "blind" for one in spans),
                        charts,
                    )
                )
        return found

    def _severity(self, episode: AlertEpisode) -> str:
        account = self._pipeline.accounts.get(episode.account)
        worst = max(episode.events, key=lambda one: 0 if one.about is None else one.about.level)
        rules = {} if account is None else account.evaluator.rules
        return severity_after(worst, rules) or severity_of(episode.rule, 1, rules) or "warning"

    async def _read_episodes(self) -> list[AlertEpisode]:
        """Returns the episodes of alerts by the store's latest transitions, read once for all viewers after something has happened.

        While the store cannot be read, they are those that were read last.
        """

        async def read() -> list[AlertEpisode]:
            return await self._reader.reads.run(lambda store: alert_episodes(reversed(store.transitions(_TRANSITIONS))))

        with suppress(StoreError):
            self._episodes = await self._past.get("episodes", read)
        return self._episodes

    async def _read_waiting(self) -> dict[str, Instant]:
        """Returns when the oldest notification was made that waits for its receiver, by receiver; read at most once a second."""
        found: dict[str, Instant] = {}

        async def read() -> dict[tuple[str, str], tuple[int, Instant]]:
            return await self._reader.reads.run(lambda store: store.backlog())

        with suppress(StoreError):
            for (receiver, _), (_, oldest) in (await self._waiting.get("backlog", read)).items():
                found[receiver] = min(oldest, found.get(receiver, oldest))
        return found


def _quiet_since(episodes: Sequence[AlertEpisode]) -> Instant | None:
    """Returns when the last alert ended; None if that is not known."""
    ended = (one.ended_at for one in episodes if one.fired and one.ended_at is not None and not is_report(one.group))
    return max(ended, default=None)


def _unread(since: Instant, as_of: Instant) -> Iterable[Span]:
    """Yields the time of the chart in which messages may be missing."""
    if since > as_of - SPAN:
        yield Span("blind", as_of - SPAN, since, "not read yet")


def _spans(
    episodes: Sequence[AlertEpisode], account: str, as_of: Instant, severity: Callable[[AlertEpisode], str]
) -> Iterable[Span]:
    """Yields the times in which alerts of the account fired, of the latest ones."""
    for episode in episodes[:MARKED]:
        if (
            episode.account == account
            and episode.fired
            and episode.firing_at is not None
            and not is_report(episode.group)
        ):
            end = episode.ended_at or as_of
            if end > as_of - SPAN:
                word = severity(episode)
                yield Span(tone(word, "firing"), episode.firing_at, end, f"{episode.rule} ({word})")
