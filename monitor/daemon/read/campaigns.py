"""The campaigns: their messages by status, their progress, and what breaks them down. Counted piece by piece."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from monitor.config.rules.match import Condition
from monitor.daemon.read.fields import Time, read_model
from monitor.daemon.read.spans import spans_of
from monitor.model.account_state import AccountState, CampaignAt
from monitor.model.message import DELIVERED, FAILURES, FINAL, UNKNOWN
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query, Window, WindowReader
from monitor.window.aggregates import sums, unpriced
from monitor.window.campaign_progress import BY, IN_A_CAMPAIGN, IS_KNOWN, among

BINS: Final = 48
"""The number of spans of a campaign's timeline."""
MOST_VALUES: Final = 50
"""The most values of a field in a campaign's breakdown; the largest are kept."""
BREAKDOWN: Final = ("operator", "country", "detailedStatus", "from")


@read_model
class CampaignSummary:
    """A campaign whose messages are known."""

    account: str
    tracking_id: str
    name: str
    """Empty if it has none."""
    state: str
    """Its state at Routee; empty if that is not known."""
    recipients: int | None
    """The number of recipients that Routee knows; null if it is not known."""
    messages: int
    final: int
    """The number of messages with a final status."""
    delivered: int
    failed: int
    statuses: dict[str, int]
    """The number of messages by status, the largest first."""
    first_seen_at: Time | None
    """When its first message was seen."""
    last_report_at: Time | None
    """The date of its latest report."""

    @property
    def progress(self) -> float:
        """Returns the share of its messages with a final status; each recipient without a message yet counts as one."""
        return self.final / max(self.messages, self.recipients or 0, 1)


@read_model
class CountByValue:
    """The messages with one value of a field."""

    value: str
    messages: int
    delivered: int
    failed: int

    @property
    def final(self) -> int:
        """Returns the number of messages with a final status."""
        return self.delivered + self.failed


@read_model
class CampaignSpan:
    """The reports of one span of a campaign's time."""

    start: Time
    messages: int
    """The number of messages that got their present status in it."""
    failed: int


@read_model
class CampaignDetail:
    """A campaign with its breakdown and its course."""

    summary: CampaignSummary
    recipients: int | None
    """The number of recipients that Routee knows; null if it is not known."""
    created_at: Time | None
    scheduled_at: Time | None
    asked_at: Time | None
    """When Routee was last asked about it."""
    over_since: Time | None
    """When Routee first said that it is over."""
    cost: float
    """What its messages cost, in the account's currency, as far as their prices are known."""
    unpriced: int
    """The number of messages that should have a price and have none; Routee gives some prices later."""
    breakdown: dict[str, tuple[CountByValue, ...]]
    """By field, its values, the one with most messages first."""
    timeline: tuple[CampaignSpan, ...]


@dataclass(slots=True)
class _Tally:
    statuses: dict[str, int]
    name: str = ""
    first: Instant | None = None
    last: Instant | None = None


class CampaignCounts:
    """Counts the messages of all campaigns of an account. Run `steps` to its end, with pauses, then call `summaries`."""

    def __init__(self, window: Window, start: Instant, end: Instant) -> None:
        self._window, self._start, self._end = window, start, end
        self._found: dict[str, _Tally] = {}

    def steps(self) -> Iterator[None]:
        """Counts, and pauses after each piece. The window may change in the pauses; a message may then count in its old place."""
        for start, end in spans_of(self._window, self._start, self._end):
            self._count(WindowReader(self._window), Query(start, end, (*BY, "campaign", "status")))
            yield
            self._date(WindowReader(self._window), Query(start, end, BY, (IN_A_CAMPAIGN, IS_KNOWN)))
            yield

    def _count(self, reading: WindowReader, question: Query) -> None:
        tally = reading.tally(question.narrowed([IN_A_CAMPAIGN, IS_KNOWN]))
        for code, count in zip(tally.codes.tolist(), tally.counts.tolist(), strict=True):
            tracking_id, name, status = reading.labels(question.by, code)
            found = self._found.setdefault(tracking_id, _Tally({}))
            found.statuses[status] = found.statuses.get(status, 0) + count
            found.name = name if name != UNKNOWN else found.name

    def _date(self, reading: WindowReader, question: Query) -> None:
        rows, codes = reading.grouped(question)
        if not rows.size:
            return
        columns, groups = reading.window.columns, np.unique(codes)
        position = np.searchsorted(groups, codes)
        first, last = np.full(len(groups), np.iinfo(np.int64).max), np.zeros(len(groups), np.int64)
        np.minimum.at(first, position, columns["first_seen"][rows])
        np.maximum.at(last, position, columns["date"][rows])
        for code, began, ended in zip(groups.tolist(), first.tolist(), last.tolist(), strict=True):
            found = self._found.setdefault(reading.labels(question.by, code)[0], _Tally({}))
            found.first = began if found.first is None else min(found.first, began)
            found.last = ended if found.last is None else max(found.last, ended)

    def summaries(self, account_state: AccountState) -> list[CampaignSummary]:
        """Returns the campaigns, the one with the latest report first."""
        account, states = self._window.account, account_state.campaigns
        found = [_summary(account, name, tally, states.get(name)) for name, tally in self._found.items()]
        return sorted(found, key=lambda one: (-(one.last_report_at or 0), one.tracking_id))


def _summary(account: str, tracking_id: str, tally: _Tally, known: CampaignAt | None) -> CampaignSummary:
    statuses = dict(sorted(tally.statuses.items(), key=lambda one: (-one[1], one[0])))
    return CampaignSummary(
        account=account,
        tracking_id=tracking_id,
        name=(known.state.name if known else "") or tally.name,
        state=known.state.state if known else "",
        recipients=known.state.recipients if known else None,
        messages=sum(statuses.values()),
        final=sum(count for status, count in statuses.items() if status in FINAL),
        delivered=statuses.get(DELIVERED, 0),
        failed=sum(count for status, count in statuses.items() if status in FAILURES),
        statuses=statuses,
        first_seen_at=tally.first,
        last_report_at=tally.last,
    )


class CampaignBreakdown:
    """Breaks the messages of one campaign down. Run `steps` to its end, with pauses, then call `detail`."""

    def __init__(self, window: Window, summary: CampaignSummary) -> None:
        self._window, self._summary = window, summary
        self._conditions = (Condition(BY[0], "is", (summary.tracking_id,)), IS_KNOWN)
        self._counts: dict[str, dict[str, list[int]]] = {name: {} for name in BREAKDOWN}
        self._cost, self._unpriced = 0.0, 0
        self._bins = [[0, 0] for _ in range(BINS)]

    @property
    def _span(self) -> tuple[Instant, Instant]:
        first, last = self._summary.first_seen_at, self._summary.last_report_at
        return (0, 0) if first is None or last is None else (first - 1, max(last, first))

    def steps(self) -> Iterator[None]:
        """Counts, and pauses after each piece."""
        begin, finish = self._span
        for start, end in spans_of(self._window, begin, finish):
            question = Query(start, end, (), self._conditions)
            for name in BREAKDOWN:
                self._break_down(WindowReader(self._window), question, name)
                yield
            reading = WindowReader(self._window)
            self._cost += float(sums(reading, question).values.sum())
            self._unpriced += int(unpriced(reading, question).counts.sum())
            self._date(reading, question)
            yield

    def _break_down(self, reading: WindowReader, question: Query, name: str) -> None:
        by = (name, "status")
        tally = reading.tally(Query(question.start, question.end, by, question.conditions))
        for code, count in zip(tally.codes.tolist(), tally.counts.tolist(), strict=True):
            value, status = reading.labels(by, code)
            found = self._counts[name].setdefault(value, [0, 0, 0])
            for at, counts in enumerate((True, status == DELIVERED, status in FAILURES)):
                found[at] += count if counts else 0

    def _date(self, reading: WindowReader, question: Query) -> None:
        begin, finish = self._span
        rows = reading.rows(question)
        columns = reading.window.columns
        at = (columns["date"][rows] - begin - 1) * BINS // max(finish - begin, 1)
        bins = np.clip(at, 0, BINS - 1)
        failed = bins[among(reading, rows, FAILURES)]
        for number, counts in enumerate((np.bincount(bins, minlength=BINS), np.bincount(failed, minlength=BINS))):
            for position, count in enumerate(counts.tolist()):
                self._bins[position][number] += count

    def detail(self, known: Mapping[str, CampaignAt]) -> CampaignDetail:
        """Returns the campaign. ``known`` are Routee's states of the account's campaigns."""
        asked = known.get(self._summary.tracking_id)
        begin, finish = self._span
        return CampaignDetail(
            summary=self._summary,
            recipients=asked.state.recipients if asked else None,
            created_at=asked.state.created_at if asked else None,
            scheduled_at=asked.state.scheduled_at if asked else None,
            asked_at=asked.at if asked else None,
            over_since=asked.over_since if asked else None,
            cost=round(self._cost, 9),
            unpriced=self._unpriced,
            breakdown={name: _largest(values) for name, values in self._counts.items()},
            timeline=tuple(
                CampaignSpan(begin + position * (finish - begin) // BINS, *counts)
                for position, counts in enumerate(self._bins)
            ),
        )


def _largest(values: Mapping[str, list[int]]) -> tuple[CountByValue, ...]:
    ordered = sorted(values.items(), key=lambda one: (-one[1][0], one[0]))
    return tuple(CountByValue(value, *counts) for value, counts in ordered[:MOST_VALUES])
