"""Computes a report from what a store holds: the messages of each account, the changes of alerts, and the notifications."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeVar

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.alerts.incident_loss import IncidentLoss, LossCount
from monitor.alerts.incident_loss_total import ScopedLoss, losses_once
from monitor.alerts.report import alerts as told
from monitor.alerts.report import traffic
from monitor.alerts.report.blind import unseen_times
from monitor.alerts.report.model import (
    AccountLine,
    CampaignLine,
    Compared,
    Counts,
    DeliveryReport,
    IncidentLine,
    TrafficLine,
)
from monitor.config.rules import Rule
from monitor.model.alert import Transition
from monitor.model.format import datetime, duration
from monitor.model.message import UNKNOWN
from monitor.model.plurals import plural
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import NotificationRecord
from monitor.window import Window, WindowReader

MOST_COUNTRIES: Final = 50
MOST_OPERATORS: Final = 100
MOST_CAMPAIGNS: Final = 50
MOST_INCIDENTS: Final = 100
MOST_COUNTED: Final = 500
MOST_RULES: Final = 20
"""The most lines of each list; and the most incidents, the latest ones, of which is counted what they cost."""

Progress = Callable[[int, int], None]
"""Takes how many steps are done, and how many there are."""

L = TypeVar("L")
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class AccountSource:
    """An account's messages. ``as_of`` is the end of its last complete poll of all searches (None: there was none), ``searches`` is by search
    since when no message of it is missing (None: it was not polled completely). ``every`` is how often the account is polled, at the rarest.
    """

    window: Window
    as_of: Instant | None
    searches: Mapping[str, Instant | None]
    every: Duration
    currency: str = ""
    """In which its prices are (``EUR``), if Routee has said it with its balance."""

    @property
    def known_since(self) -> Instant | None:
        """Since when no message of any search is missing; None if there was no complete poll of all of them."""
        known = [since for since in self.searches.values() if since is not None]
        return max(known) if known and len(known) == len(self.searches) else None


@dataclass(frozen=True, slots=True)
class ReportSource:
    """What a report is made from. ``transitions`` are in the order of time, ``notifications`` newest first.

    ``told_since`` is since when both are complete. ``waiting`` is what `Store.backlog` returns. ``first_evaluations`` is by account and rule as of
    when it was evaluated first; those that are not in it were not evaluated yet.
    """

    accounts: Sequence[AccountSource]
    rules: Sequence[Rule]
    transitions: Sequence[Transition]
    notifications: Sequence[NotificationRecord]
    waiting: Mapping[tuple[str, str], tuple[int, Instant]]
    told_since: Instant
    first_evaluations: Mapping[tuple[str, str], Instant]


def build(
    source: ReportSource,
    since: Instant,
    until: Instant,
    now: Instant,
    time_zone: str = "UTC",
    progress: Progress = lambda done, total: None,
) -> DeliveryReport:
    """Returns the report of (since, until], made at ``now``. Blocking: takes about a second for a million messages."""
    return _Builder(source, since, until, now, progress).build(time_zone)


@dataclass
class _Builder:
    source: ReportSource
    since: Instant
    until: Instant
    now: Instant
    progress: Progress
    more: dict[str, int] = field(default_factory=dict)
    done: int = 0
    steps: int = 1
    scoped: dict[str, list[ScopedLoss]] = field(default_factory=dict)
    """What the incidents cost, by account."""

    def build(self, time_zone: str) -> DeliveryReport:
        readings = {one.window.account: WindowReader(one.window) for one in self.source.accounts}
        every = alert_episodes(self.source.transitions)
        fired = told.in_span(every, self.since, self.until)
        groups = told.together(told.with_earlier(fired, every, self.until))
        self.steps = 4 * len(readings) + 2 * min(len(groups), MOST_COUNTED)
        counts = {one.window.account: self._counts(one, readings[one.window.account]) for one in self.source.accounts}
        accounts = tuple(self._account(one, *counts[one.window.account]) for one in self.source.accounts)
        countries, operators = self._lines(counts)
        noisy = told.noise(fired, self.since, self.until)
        quiet = told.never_fired(self.source.rules, every, self.since, self.until)
        known = {one.window.account: one.searches for one in self.source.accounts}
        first = self.source.first_evaluations
        unseen = unseen_times(self.source.rules, every, known, first, self.since, self.until)
        seeing_less = [unseen[name] for name in quiet if name in unseen]
        found = self._incidents(groups[:MOST_COUNTED])
        losses = self._losses_once()
        self._step(len(found) - len(losses))  # those whose cost is not known
        currencies = {one.currency for one in self.source.accounts}
        return DeliveryReport(
            since=self.since,
            until=self.until,
            made_at=self.now,
            time_zone=time_zone,
            total=_total(accounts),
            accounts=accounts,
            countries=countries,
            operators=operators,
            course=traffic.course(readings.values(), self.since, self.until),
            campaigns=self._campaigns(readings),
            incidents=self._cut("incidents", found, MOST_INCIDENTS, len(groups)),
            lost=_known_sum([lost for lost, _ in losses]),
            spent_on_lost=_known_sum([spent for _, spent in losses]),
            rules=self._cut("rules", noisy, MOST_RULES),
            never=tuple(name for name in quiet if name not in unseen),
            younger=tuple(one for one in seeing_less if one.since is not None),
            blind=tuple(one for one in seeing_less if one.since is None),
            receivers=tuple(told.receivers(self.source.notifications, self.source.waiting, self.until)),
            more=self.more,
            notes=tuple(self._notes(accounts, len(groups) - len(found))),
            currency=currencies.pop() if len(currencies) == 1 else "",
        )

    def _counts(
        self, one: AccountSource, reading: WindowReader
    ) -> tuple[dict[traffic.Pair, Counts], dict[traffic.Pair, Counts] | None]:
        """Returns the counts by country and operator, and those of the span before if it is wholly known."""
        now = traffic.pairs(reading, self.since, self.until)
        self._step()
        earlier = 2 * self.since - self.until
        is_known = one.known_since is not None and one.known_since <= earlier
        before = traffic.pairs(reading, earlier, self.since) if is_known else None
        self._step()
        return now, before

    def _account(
        self, one: AccountSource, now: dict[traffic.Pair, Counts], before: dict[traffic.Pair, Counts] | None
    ) -> AccountLine:
        counts = Compared(_sum(now), None if before is None else _sum(before))
        stale = one.as_of is None or min(self.now, self.until) - one.as_of > 3 * one.every
        return AccountLine(one.window.account, counts, one.as_of, one.known_since, stale)

    def _lines(
        self, counts: Mapping[str, tuple[dict[traffic.Pair, Counts], dict[traffic.Pair, Counts] | None]]
    ) -> tuple[tuple[TrafficLine, ...], tuple[TrafficLine, ...]]:
        """Returns the countries and the operators of all accounts, those with most messages first."""
        countries, operators = list[TrafficLine](), list[TrafficLine]()
        for account, (now, before) in counts.items():
            by_country = [
                None if some is None else traffic.summed(some, lambda pair: (pair[0], "")) for some in (now, before)
            ]
            countries += traffic.lines(account, traffic.compared(by_country[0] or {}, by_country[1]))
            operators += traffic.lines(account, traffic.compared(now, before))
        operators = [line for line in operators if line.operator != UNKNOWN]
        return (
            self._cut("countries", sorted(countries, key=_largest_first), MOST_COUNTRIES),
            self._cut("operators", sorted(operators, key=_largest_first), MOST_OPERATORS),
        )

    def _campaigns(self, readings: Mapping[str, WindowReader]) -> tuple[CampaignLine, ...]:
        found = list[CampaignLine]()
        for account, reading in readings.items():
            found += traffic.campaigns(account, reading, self.since, self.until)
            self._step(2)
        return self._cut("campaigns", sorted(found, key=lambda one: (-one.messages, one.tracking_id)), MOST_CAMPAIGNS)

    def _incidents(self, groups: Sequence[list[AlertEpisode]]) -> list[IncidentLine]:
        """Returns the incidents, the one that lost most messages first."""
        rules = told.by_rule(self.source.rules)
        accounts = {one.window.account: one for one in self.source.accounts}
        found = []
        for some in groups:
            account, loss = accounts.get(some[0].account), None
            if account is not None and account.known_since is not None:
                loss = self._loss(account.window, some, rules, account.known_since)
            found.append(told.line_of(some, self.until, loss))
            self._step()
        return sorted(found, key=lambda one: -(one.loss.lost or 0) if one.loss is not None else 0)

    def _loss(
        self, window: Window, some: Sequence[AlertEpisode], rules: Mapping[str, Rule], known_since: Instant
    ) -> IncidentLoss | None:
        count = LossCount(window, some, rules, self.until, known_since)
        for _ in count.steps():
            pass
        loss = count.result()
        if loss is not None:
            self.scoped.setdefault(window.account, []).append(ScopedLoss(loss, count.scopes))
        return loss

    def _losses_once(self) -> list[tuple[int | None, float | None]]:
        """Returns what each incident adds to the messages lost and to what was spent on them; see `losses_once`."""
        found = []
        for one in self.source.accounts:
            if one.known_since is not None and one.window.account in self.scoped:
                for added in losses_once(one.window, self.scoped[one.window.account], one.known_since):
                    found.append(added)
                    self._step()
        return found

    def _cut(self, name: str, lines: Sequence[L], most: int, total: int | None = None) -> tuple[L, ...]:
        """Returns at most so many lines, and notes how many are left out of ``total`` (None: as many as there are lines)."""
        shown, count = tuple(lines[:most]), len(lines) if total is None else total
        if count > len(shown):
            self.more[name] = count - len(shown)
        return shown

    def _step(self, count: int = 1) -> None:
        self.done += count
        self.progress(self.done, self.steps)

    # What is not known

    def _notes(self, accounts: Sequence[AccountLine], uncounted: int) -> list[str]:
        notes = []
        if uncounted:
            said = plural(uncounted, "earlier incident")
            notes.append(f"What {said} cost was not counted: there are more than {MOST_COUNTED}.")
        for one in accounts:
            if one.as_of is None:
                notes.append(f"Account {one.name} has not been polled completely yet: nothing is known of it.")
                continue
            if one.stale:
                age = duration(max(min(self.now, self.until) - one.as_of, 0))
                notes.append(
                    f"Account {one.name} was last polled completely at {_time(one.as_of)}, {age} before the end: "
                    "what happened since then is missing."
                )
            if one.known_since is not None and one.known_since > self.since:
                notes.append(f"Of account {one.name} messages are known from {_time(one.known_since)} on only.")
            elif one.counts.before is None:
                notes.append(
                    f"There is no comparison for account {one.name}: the {duration(self.until - self.since)} before are not wholly known "
                    f"(messages are known from {_time(one.known_since or 0)} on)."
                )
            if one.counts.now.unpriced:
                notes.append(
                    f"Of account {one.name} {plural(one.counts.now.unpriced, 'message')} had no price: the cost is at least what is shown."
                )
        currencies = {one.window.account: one.currency for one in self.source.accounts if one.currency}
        if len(set(currencies.values())) > 1:
            named = ", ".join(f"{account} in {currency}" for account, currency in currencies.items())
            notes.append(f"Costs are in several currencies, and their sums say nothing: {named}.")
        if self.source.told_since > self.since:
            notes.append(f"Alerts and notifications are known from {_time(self.source.told_since)} on only.")
        return notes


def _time(at: Instant) -> str:
    return datetime(at, "%Y-%m-%d %H:%M UTC")


def _largest_first(line: TrafficLine) -> tuple[int, str, str, str]:
    earlier = 0 if line.counts.before is None else line.counts.before.messages
    return -max(line.counts.now.messages, earlier), line.account, line.country, line.operator


def _known_sum(values: Iterable[N | None]) -> N | None:
    """Returns the sum of the known values; None if none is known."""
    known = [value for value in values if value is not None]
    return type(known[0])(sum(known)) if known else None


def _sum(counts: Mapping[traffic.Pair, Counts]) -> Counts:
    return sum(counts.values(), Counts())


def _total(accounts: Sequence[AccountLine]) -> Compared:
    before = [one.counts.before for one in accounts]
    known = [one for one in before if one is not None]
    now = sum((one.counts.now for one in accounts), Counts())
    return Compared(now, sum(known, Counts()) if known and len(known) == len(before) else None)
