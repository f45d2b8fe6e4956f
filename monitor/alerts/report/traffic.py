"""Counts the messages of a span: by account, country and operator, over time, and by campaign."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from monitor.alerts.incident_loss import OUTBOUND
from monitor.alerts.report.model import CampaignLine, Compared, Counts, Course, TrafficLine
from monitor.config.rules.match import Condition
from monitor.model.message import DELIVERED, FAILURES
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant
from monitor.window import Query, WindowReader
from monitor.window.aggregates import sums, unpriced
from monitor.window.campaign_progress import among, runs

Pair = tuple[str, str]
_BY: Final = ("country", "operator")
_DELIVERED: Final = Condition("status", "is", (DELIVERED,))
_FAILED: Final = Condition("status", "is", tuple(sorted(FAILURES)))
_STEPS: Final = (5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)
_MOST_STEPS: Final = 60
_ALWAYS: Final[Instant] = 1 << 62
_SETTLING: Final[Duration] = HOUR

K = TypeVar("K")


def outbound(start: Instant, end: Instant) -> Query:
    """Returns the query for what reports count: outbound messages, without those that have left every search."""
    return Query(start, end, (), (OUTBOUND,), reported=True)


def pairs(reading: WindowReader, start: Instant, end: Instant) -> dict[Pair, Counts]:
    """Returns the counts of each country and operator."""
    asked = replace(outbound(start, end), by=_BY)
    messages = reading.tally(asked)
    codes = messages.codes
    columns = (
        messages.at(codes),
        reading.tally(replace(asked, final=True)).at(codes),
        reading.tally(asked.narrowed([_DELIVERED])).at(codes),
        reading.tally(asked.narrowed([_FAILED])).at(codes),
        np.nan_to_num(sums(reading, asked).at(codes)),
        unpriced(reading, asked).at(codes),
    )
    values = zip(*(column.tolist() for column in columns), strict=True)
    found = {}
    for code, counts in zip(codes.tolist(), values, strict=True):
        country, operator = reading.labels(_BY, code)
        found[country, operator] = Counts(*counts)
    return found


def compared(now: dict[K, Counts], before: dict[K, Counts] | None) -> dict[K, Compared]:
    """Returns the counts of each key beside those before, also of keys that have fallen silent."""
    if before is None:
        return {key: Compared(counts) for key, counts in now.items()}
    return {key: Compared(now.get(key, Counts()), before.get(key, Counts())) for key in {**now, **before}}


def summed(counts: dict[Pair, Counts], key: Callable[[Pair], K]) -> dict[K, Counts]:
    """Returns the sums of all pairs with the same key."""
    found: dict[K, Counts] = defaultdict(Counts)
    for pair, one in counts.items():
        found[key(pair)] += one
    return dict(found)


def lines(account: str, found: dict[Pair, Compared]) -> list[TrafficLine]:
    """Returns a line for each pair."""
    return [TrafficLine(account, country, operator, counts) for (country, operator), counts in found.items()]


def step_of(length: Duration) -> Duration:
    """Returns a round step such that a span of this length has at most 60 of them."""
    fitting = (step for step in _STEPS if length <= step * _MOST_STEPS)
    return next(fitting, -(-length // (_MOST_STEPS * DAY)) * DAY)


def course(readings: Iterable[WindowReader], start: Instant, end: Instant) -> Course:
    """Returns the messages of all accounts over time. The last step may be shorter than the others."""
    step = step_of(end - start)
    count = max(-(-(end - start) // step), 1)
    final, delivered = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for reading in readings:
        rows = reading.rows(replace(outbound(start, end), final=True))
        at = (reading.window.columns["date"][rows] - start - 1) // step
        final += np.bincount(at, minlength=count)
        delivered += np.bincount(at[among(reading, rows, {DELIVERED})], minlength=count)
    return Course(start, step, tuple(final.tolist()), tuple(delivered.tolist()))


def campaigns(account: str, reading: WindowReader, start: Instant, end: Instant) -> list[CampaignLine]:
    """Returns the campaigns with reports in the span, with all their messages that are known."""
    found = runs(reading, Query(-_ALWAYS, end, conditions=(OUTBOUND,)), start, _SETTLING)
    facets = reading.window.facets
    columns = (found.codes, found.name, found.began, found.messages, found.delivered, found.failed, found.waiting)
    values = zip(*(column.tolist() for column in columns), found.spent.tolist(), strict=True)
    return [
        CampaignLine(
            account,
            reading.labels(("campaignTrackingId",), code)[0],
            facets.text("campaign", name) if name >= 0 else "",
            *(began, messages, delivered, failed, waiting, spent),
        )
        for code, name, began, messages, delivered, failed, waiting, spent in values
    ]
