"""A simulated account: the sandbox's traffic and incidents go directly into a window and its evaluator, without requests.

Unlike in a real run, every change of a status is seen at the next poll, as if the sweeps were that quick.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule
from monitor.model.account_state import NOTHING_KNOWN
from monitor.model.batch import Batch, Combinations
from monitor.model.message import GROUPS_SEPARATOR, UNKNOWN
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.simulation.sandbox import incidents
from monitor.simulation.sandbox.campaigns import BLOCK
from monitor.simulation.sandbox.incidents import SandboxIncident, failing_campaign, new_incident
from monitor.simulation.sandbox.messages import NEVER, Ints, Rows
from monitor.simulation.sandbox.tables import DELIVERED_CODE, new_tables
from monitor.simulation.sandbox.traffic import Model, Traffic
from monitor.store.protocol import Cursor
from monitor.window import Window

KEPT: Duration = 9 * DAY
ENOUGH = 1e7
"""A balance that never runs out."""


@dataclass(frozen=True)
class FiredAlert:
    """One alert that fired."""

    at: Instant
    rule: str
    severity: str
    group: tuple[tuple[str, str], ...]
    why: str


@dataclass
class _Coming:
    """Parts of messages that were drawn, each with the number of its message."""

    rows: Rows
    number: Ints

    def take(self, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> "_Coming":
        return _Coming(self.rows.take(chosen), self.number[chosen])


@dataclass
class Account:
    """One account over time.

    ``every`` is the interval of polls; ``balance`` what is left (None: unknown). ``fetched`` is how much history the daemon has fetched,
    although no message was sent before ``start``; None means that it has been running since then.
    """

    rules: Iterable[Rule]
    start: Instant
    seed: int = 1
    rate: float = 100.0
    every: Duration = MINUTE
    balance: float | None = ENOUGH
    fetched: Duration | None = None
    traffic: Traffic | None = None
    incidents: list[SandboxIncident] = field(default_factory=list)
    fired: list[FiredAlert] = field(default_factory=list)
    messages: int = 0

    def __post_init__(self) -> None:
        self.known = new_tables()
        self.model = Model(self.seed, self.traffic or Traffic(rate=self.rate), self.known)
        self.evaluator = RuleEvaluator(Window("main"), self.rules, ["all"])
        self.now = self.start // BLOCK * BLOCK
        self._drawn = self._covered_since = self.now
        self._coming = _Coming(Rows.empty(), np.zeros(0, np.int64))

    def incident(self, kind: str, after: Duration, lasts: Duration, **what: object) -> SandboxIncident:
        """Starts an incident ``after`` from now, which lasts for ``lasts``."""
        start = self.now + after
        one = new_incident(len(self.incidents) + 1, kind, start, start + lasts, dict(what))
        if one.kind == "failing_campaign" and one.campaign is None:
            campaign = failing_campaign(one, self.seed, self.model.traffic.rate)
            self.model.launched.append(campaign)
            one = new_incident(one.id, kind, start, start + lasts, {"campaign": campaign.stream.tracking_id})
        self.incidents.append(one)
        return one

    def learn(self, span: Duration) -> None:
        """Lets time pass without evaluating, to build the history that rules compare with."""
        end = self.now + span
        while self.now < end:
            self._receive(min(self.now + BLOCK, end))

    def watch(self, span: Duration) -> list[FiredAlert]:
        """Lets time pass and evaluates at each poll; returns the alerts that fired."""
        end, before = self.now + span, len(self.fired)
        if self.fetched is not None:
            self._covered_since = min(self._covered_since, self.now - self.fetched)
        while self.now < end:
            self._receive(self.now + self.every)
            self._know()
            self._evaluator()
        return self.fired[before:]

    def _evaluator(self) -> None:
        cursor = Cursor("main", "all", as_of=self.now, covered_since=self._covered_since)
        outcome = self.evaluator.evaluate(cursor)
        assert not outcome.errors, outcome.errors
        fired = {move.fingerprint for move in outcome.transitions if move.what == "fired"}
        for (name, group), alert in outcome.alerts.items():
            if alert is not None and alert.fingerprint in fired:
                severity = self.evaluator.rules[name].levels_[alert.level - 1].severity
                self.fired.append(FiredAlert(self.now, name, severity, group, alert.why))
        self.evaluator.apply(outcome, cursor)
        for alerts in self.evaluator.alerts.values():
            for group in [group for group, alert in alerts.items() if alert.state == "resolved"]:
                del alerts[group]

    def _know(self) -> None:
        """Updates balance and campaigns every five minutes, as the daemon's requests to Routee would."""
        if self.now % (5 * MINUTE):
            return
        account_state = self.evaluator.account_state if self.balance is not None else NOTHING_KNOWN
        if self.balance is not None:
            account_state = account_state.with_balance(self.now, AccountBalance(self.balance, "EUR"))
        for campaign in self.model.active(self.now - 3 * HOUR, self.now):
            tracking_id, end = campaign.stream.tracking_id or "", campaign.start + campaign.duration
            word = "Finished" if self.now >= end else "Running"
            account_state = account_state.with_campaign(
                self.now, CampaignState(tracking_id, "", word, {}, campaign.recipients)
            )
        self.evaluator.account_state = account_state

    def _receive(self, until: Instant) -> None:
        """Takes in every part that appeared or changed by ``until``, in its state at ``until``."""
        while self._drawn < until:
            self._draw()
        rows = self._coming.rows
        changed = np.zeros(len(rows), np.bool_)
        for column in (rows.created, rows.sent_at, rows.last_at):
            changed |= (column > self.now) & (column <= until)
        some = self._coming.take(changed)
        if len(some.rows):
            self.evaluator.window.upsert(self._batch(some, until), "all")
        self.now = until
        if until % HOUR == 0:
            self._coming = self._coming.take(~((rows.created <= until) & (_last(rows) <= until)))
            self.evaluator.window.expire(until - KEPT)

    def _draw(self) -> None:
        """Draws the messages of the next half hour."""
        rows = self.model.draw(self._drawn, self._drawn + BLOCK)
        number = self.messages + np.cumsum(rows.part == 1) - 1
        self.messages += int(np.count_nonzero(rows.part == 1))
        position = np.arange(len(rows))
        rows.body[:] = 0
        kept = _Tracked(rows, number, position)
        self._drawn += BLOCK
        fresh = kept.after(self.incidents, self.model, self.seed)
        both = [getattr(self._coming.rows, name) for name in _COLUMNS], [getattr(fresh.rows, name) for name in _COLUMNS]
        merged = Rows(*(np.concatenate(pair) for pair in zip(*both, strict=True)))
        self._coming = _Coming(merged, np.concatenate([self._coming.number, fresh.number]))

    def _batch(self, some: _Coming, now: Instant) -> Batch:
        rows = some.rows
        outcome, date = rows.present(now)
        outcomes, routes, streams = self.known.outcomes.entries, self.known.routes.entries, self.known.streams.entries
        how, where, who = outcome.tolist(), rows.route.tolist(), rows.stream.tolist()
        fields = {
            "status": [outcomes[code].status for code in how],
            "detailedStatus": [outcomes[code].detail or UNKNOWN for code in how],
            "operator": [routes[code].operator or UNKNOWN for code in where],
            "country": [routes[code].country or UNKNOWN for code in where],
            "campaign": [streams[code].campaign or UNKNOWN for code in who],
            "campaignTrackingId": [streams[code].tracking_id or UNKNOWN for code in who],
            "label": [streams[code].label or UNKNOWN for code in who],
            "from": [streams[code].sender or UNKNOWN for code in who],
            "direction": [streams[code].direction or UNKNOWN for code in who],
            "applicationName": [streams[code].application or UNKNOWN for code in who],
            "originatingService": [streams[code].service or UNKNOWN for code in who],
            "groups": [GROUPS_SEPARATOR.join(streams[code].groups) or UNKNOWN for code in who],
        }
        prices = np.array([route.price or 0.0 for route in routes])
        latency = np.where(outcome == DELIVERED_CODE, (date - rows.created) // SECOND, np.nan)
        return Batch(
            message_id=[f"00000000-0000-4000-8000-{number:012x}" for number in some.number.tolist()],
            key=rows.part.astype(np.int64),
            parts=rows.parts.astype(np.int64),
            date=date.astype(np.int64),
            latency=latency.astype(np.float64),
            price=prices[rows.route],
            recipient=[UNKNOWN] * len(rows),
            coded=Combinations.of_parts(fields),
        )


_COLUMNS = tuple(Rows.__dataclass_fields__)


@dataclass
class _Tracked:
    """Rows that an incident may thin out. A column that nothing else uses identifies those that remain."""

    rows: Rows
    number: Ints
    position: Ints

    def after(self, wrong: list[SandboxIncident], model: Model, seed: int) -> _Coming:
        """Returns the rows that remain after the incidents."""
        numbers = self.number
        self.rows.to[:] = (
            self.position
        )  # recipients say nothing here, and the number of a row is needed after it was moved
        left = incidents.apply(wrong, self.rows, model._known, seed)
        return _Coming(left, numbers[left.to])


def _last(rows: Rows) -> Ints:
    return np.where(rows.last_at == NEVER, rows.sent_at, rows.last_at)


def counted(fired: Iterable[FiredAlert], least: str = "warning") -> Counter[str]:
    """Counts the alerts of each rule, by default without those of severity info."""
    return Counter(one.rule for one in fired if least != "warning" or one.severity != "info")


def lines(fired: Iterable[FiredAlert], start: Instant) -> Iterator[str]:
    """Yields one readable line for each alert."""
    for one in fired:
        where = ", ".join(value for _, value in one.group)
        yield f"{(one.at - start) / HOUR:7.2f}h {one.severity:8} {one.rule:24} {where}: {one.why}"
