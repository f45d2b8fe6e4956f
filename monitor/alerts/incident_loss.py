"""Counts what an incident cost: the messages that failed beyond what is usual, and the money spent on them. Pure; docs/report.md has the formula.

    lost  = failed - usual * final       (at least 0)
    spent = lost * the mean price of the failed messages

``final`` and ``failed`` are the messages of the incident's scope that got a final status in its time. ``usual`` is the share of failures
in the same scope in the 24 hours before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.config.rules import Rule
from monitor.config.rules.balance import Balance
from monitor.config.rules.match import Condition
from monitor.model.message import CODED_FIELDS, FAILURES, INBOUND
from monitor.runtime.clock import DAY, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query, Window, WindowReader
from monitor.window.campaign_progress import among
from monitor.window.columns import NOT_GIVEN, PRICE_UNIT
from monitor.window.index import Rows

USUAL: Final[Duration] = DAY
"""How long before an incident the share of failures counts as usual."""
FEWEST: Final = 50
"""The fewest final messages that show what is usual; of fewer, the account's share is taken."""
LEAD: Final[Duration] = 30 * MINUTE
"""How long before its threshold was crossed the trouble of a rule without a window began, at most."""
MOST_SCOPES: Final = 20
"""The most scopes of one incident that are looked at one by one."""

OUTBOUND: Final = Condition("direction", "is_not", (INBOUND,))
_OUTCOMES: Final = frozenset({"status", "detailedStatus"})
_PLACE: Final = "country"


@dataclass(frozen=True, slots=True)
class LossScope:
    """The messages that an alert is about: those that meet all conditions, and that the search has if there is one."""

    conditions: tuple[Condition, ...]
    search: str | None = None

    def query(self, start: Instant, end: Instant) -> Query:
        """Returns the query for its outbound messages that got a final status in (start, end]."""
        conditions = (*self.conditions, OUTBOUND)
        return Query(start, end, (), conditions, self.search, final=True, reported=True)


@dataclass(frozen=True, slots=True)
class IncidentLoss:
    """What an incident cost from ``start`` to ``end``.

    ``usual`` and ``lost`` are None if it is not known what is usual there; ``spent`` is None also if no failed message has a price.
    ``whole``: whether the messages of the whole time are known. ``unpriced`` is how many failed messages have no price.
    """

    start: Instant
    end: Instant
    final: int
    failed: int
    usual: float | None
    lost: int | None
    spent: float | None
    whole: bool = True
    unpriced: int = 0


Pieces = Callable[[Window, Instant, Instant], Iterable[tuple[Instant, Instant]]]
"""Cuts the span (start, end] of a window's messages into pieces, in each of which counting takes only some milliseconds."""


def in_one_piece(window: Window, start: Instant, end: Instant) -> Iterable[tuple[Instant, Instant]]:
    """Returns the span as it is."""
    return ((start, end),) if start < end else ()


class LossCount:
    """Counts what the incident of some alerts of one account cost, as far as it has gone at ``now``.

    No message is missing in the window since ``known_since``. Call `steps` and work them off, then `result`. The window may change between
    two steps.
    """

    def __init__(
        self,
        window: Window,
        alerts: Sequence[AlertEpisode],
        rules: Mapping[str, Rule],
        now: Instant,
        known_since: Instant,
    ) -> None:
        self._window, self._known_since = window, known_since
        self._present, self._past, self._account = LossTally(), LossTally(), LossTally()
        counted = _most_precise([one for one in alerts if one.rule in rules and _is_countable(one, rules[one.rule])])
        self._scopes = _few([_scope(one, rules[one.rule]) for one in counted], counted) if counted else []
        if counted:
            self._start = min(_begun(one, rules[one.rule]) for one in counted)
            self._end = min(max(now if one.ended_at is None else one.ended_at for one in counted), now)

    def steps(self, pieces: Pieces = in_one_piece) -> Iterator[None]:
        """Yields after each piece of the work."""
        if not self._scopes:
            return
        since = max(self._start - USUAL, self._known_since)
        yield from self._count(self._present, self._scopes, max(self._start, self._known_since), self._end, pieces)
        yield from self._count(self._past, self._scopes, since, self._start, pieces)
        if self._past.final < FEWEST:
            yield from self._count(self._account, [LossScope(())], since, self._start, pieces)

    def _count(
        self, tally: "LossTally", scopes: Sequence[LossScope], start: Instant, end: Instant, pieces: Pieces
    ) -> Iterator[None]:
        for first, last in pieces(self._window, start, end):
            reading = WindowReader(self._window)
            tally.add(reading, rows_of(reading, scopes, first, last))
            yield

    @property
    def scopes(self) -> Sequence[LossScope]:
        """The scopes whose messages count, each once; empty if `result` is None."""
        return self._scopes

    def result(self) -> IncidentLoss | None:
        """Returns what was counted. Returns None if the alerts are not about messages whose delivery can be counted: the monitor's own, those of
        removed rules, or those by recipient."""
        if not self._scopes:
            return None
        final, failed = self._present.final, self._present.failed
        usual = next((one.share for one in (self._past, self._account) if one.final >= FEWEST), None)
        lost, spent = self._present.loss(usual)
        whole = self._start >= self._known_since
        unpriced = failed - self._present.priced
        return IncidentLoss(self._start, self._end, final, failed, usual, lost, spent, whole, unpriced)


@dataclass(slots=True)
class LossTally:
    """Messages with a final status, failed ones, and the prices of those: their number and their sum in the window's unit."""

    final: int = 0
    failed: int = 0
    priced: int = 0
    prices: int = 0

    @property
    def share(self) -> float:
        return self.failed / self.final

    def loss(self, usual: float | None) -> tuple[int | None, float | None]:
        """Returns how many were lost if ``usual`` is the share that fails anyway, and what was spent on them; None for what is not known."""
        if usual is None:
            return None, None
        lost = max(round(self.failed - usual * self.final), 0)
        if not lost:
            return 0, 0.0
        return lost, lost * self.prices / PRICE_UNIT / self.priced if self.priced else None

    def add(self, reading: WindowReader, rows: Rows) -> None:
        """Adds these messages."""
        failed = rows[among(reading, rows, FAILURES)]
        prices = reading.window.columns["price"][failed].astype(np.int64)
        given = prices[prices != NOT_GIVEN]
        self.final += len(rows)
        self.failed += len(failed)
        self.priced += len(given)
        self.prices += int(given.sum())


def rows_of(reading: WindowReader, scopes: Sequence[LossScope], start: Instant, end: Instant) -> Rows:
    """Returns the messages of any of the scopes that got a final status in (start, end], each once."""
    found = [reading.rows(scope.query(start, end)) for scope in scopes]
    return found[0] if len(found) == 1 else np.unique(np.concatenate(found))


def _is_countable(one: AlertEpisode, rule: Rule) -> bool:
    known = {*CODED_FIELDS, "account", "problem"} - {"groups"}
    return one.account != "" and not isinstance(rule, Balance) and all(name in known for name, _ in one.group)


def _most_precise(alerts: list[AlertEpisode]) -> list[AlertEpisode]:
    """Returns the alerts that say best where the incident is: those of a country, else those of any group, else all."""
    fields = [{name for name, _ in one.group if name in CODED_FIELDS} for one in alerts]
    for wanted in ([_PLACE in names for names in fields], [bool(names) for names in fields]):
        if any(wanted):
            return [one for one, is_wanted in zip(alerts, wanted, strict=True) if is_wanted]
    return alerts


def _begun(one: AlertEpisode, rule: Rule) -> Instant:
    """Returns when the trouble may have begun: a window before the threshold was crossed."""
    crossed = next(at for at in (one.pending_at, one.firing_at, one.began_at) if at is not None)
    return crossed - (rule.alert_window or LEAD)


def _scope(one: AlertEpisode, rule: Rule) -> LossScope:
    own = [Condition(name, "is", (value,)) for name, value in one.group if name in CODED_FIELDS]
    conditions = [condition for condition in (*rule.where.conditions, *own) if condition.field not in _OUTCOMES]
    return LossScope(tuple(dict.fromkeys(conditions)), rule.search)


def _few(scopes: Iterable[LossScope], alerts: Sequence[AlertEpisode]) -> list[LossScope]:
    """Returns each scope once; of very many, their places instead: those hold them all."""
    different = list(dict.fromkeys(scopes))
    if len(different) <= MOST_SCOPES:
        return different
    places = {dict(one.group).get(_PLACE) for one in alerts}
    if None in places or len(places) > MOST_SCOPES:
        return [LossScope(())]
    return [LossScope((Condition(_PLACE, "is", (str(place),)),)) for place in sorted(map(str, places))]
