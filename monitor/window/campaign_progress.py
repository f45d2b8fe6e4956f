"""Computes the progress of campaigns: their messages by stage, their cost, and when something last changed."""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules.match import Condition
from monitor.model.message import DELIVERED, FAILURES, QUEUED, UNKNOWN
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window.campaign_rows import BY
from monitor.window.columns import PRICE_UNIT
from monitor.window.index import Rows
from monitor.window.profile_index import Codes, Mask
from monitor.window.query import Query, WindowReader

__all__ = ["BY", "IN_A_CAMPAIGN", "IS_KNOWN", "Runs", "active", "among", "of_campaigns", "runs", "runs_of"]

WAITING, NOT_SENT, FAILED, ARRIVED = range(4)
LATEST: Final[Instant] = 1 << 61
"""Later than every date."""
STAGES = 4
"""The number of stages of a message. The first two have no final status."""
IN_A_CAMPAIGN = Condition("campaignTrackingId", "is_not", (UNKNOWN,))

IS_KNOWN = Condition("status", "is_not", (UNKNOWN,))
"""Excludes messages that have left every search, which are neither waiting nor final."""


@dataclass(frozen=True)
class Runs:
    """The progress of campaigns in arrays of one length: the codes of their tracking ids ascending, and numbers of messages.

    ``queued`` messages are not sent yet; ``waiting`` ones have no final status, queued ones included. ``settled`` ones got their final
    status at most the requested time after the last message appeared. ``began`` and ``appeared`` are when the first and the last
    message were first seen, ``changed`` is the date of the latest report. ``spent`` is money. ``name`` is the code of the campaign's
    name, -1 without one. ``rows`` are the messages of all campaigns, and ``position`` is the campaign of each of them.

    While the messages stay the same, all this is so for every span of this length that ends in [``since``, ``until``), if the campaigns do.
    """

    codes: Codes
    messages: Codes
    waiting: Codes
    queued: Codes
    failed: Codes
    delivered: Codes
    settled: Codes
    began: Codes
    appeared: Codes
    changed: Codes
    spent: NDArray[np.float64]
    name: Codes
    rows: Rows
    position: Codes
    since: Instant
    until: Instant

    def hold(self, codes: Codes, end: Instant) -> bool:
        """Returns whether this is so of these campaigns for a span that ends then, if the messages have stayed the same."""
        return self.since <= end < self.until and np.array_equal(codes, self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    def find(self, code: int) -> int | None:
        """Returns the position of the campaign with this code; None if it is not among them."""
        at = int(np.searchsorted(self.codes, code))
        return at if at < len(self.codes) and self.codes[at] == code else None

    def rows_of(self, at: int) -> Rows:
        """Returns the rows of the campaign at a position."""
        ends = self._ends
        return self._sorted[ends[at] - self.messages[at] : ends[at]]

    @cached_property
    def _ends(self) -> Codes:
        return np.cumsum(self.messages)

    @cached_property
    def _sorted(self) -> Rows:
        """Returns the rows sorted by campaign. They are sorted at the first call."""
        return self.rows[np.argsort(self.position, kind="stable")]


def active(reading: WindowReader, question: Query) -> Codes:
    """Returns the codes of the campaigns with reports in the query's span, ascending."""
    return reading.tally(of_campaigns(question)).codes


def runs(reading: WindowReader, question: Query, since: Instant, settling: Duration) -> Runs:
    """Returns the campaigns that were active from ``since`` on, with their messages that were first seen in the query's span.

    ``settling`` is the time after the last message in which a final status counts as ``settled``. The result is computed once for each
    reader.
    """
    key = ("runs", question, since, settling)
    known = reading.shared.get(key)
    if not isinstance(known, Runs):
        codes = active(reading, question.moved(since, question.end))
        known = reading.shared[key] = runs_of(reading, question, codes, settling)
    return known


def of_campaigns(question: Query) -> Query:
    return replace(question, by=BY).narrowed([IN_A_CAMPAIGN])


def runs_of(reading: WindowReader, question: Query, codes: Codes, settling: Duration) -> Runs:
    """Returns these campaigns; see `runs`."""
    rows, position, appears = _positioned(reading, question, codes)
    columns, end, count = reading.window.columns, question.end, len(codes)
    date, first = columns["date"][rows], columns["first_seen"][rows]
    reported = date <= end  # a later report is not known at that moment
    leaves = int(first.min(initial=LATEST)) + end - question.start
    stage = np.where(reported, _stages(reading)[columns["profile"][rows]], WAITING)
    appeared = _highest(position, first, count)
    price = np.maximum(columns["price"][rows], 0).astype(np.float64)
    at_stage = np.bincount(position * STAGES + stage, minlength=count * STAGES).reshape(-1, STAGES).T.astype(np.int64)
    early = (stage >= FAILED) & (date <= appeared[position] + settling)
    return Runs(
        codes=codes,
        messages=at_stage.sum(axis=0),
        waiting=at_stage[WAITING] + at_stage[NOT_SENT],
        queued=at_stage[NOT_SENT],
        failed=at_stage[FAILED],
        delivered=at_stage[ARRIVED],
        settled=np.bincount(position[early], minlength=count).astype(np.int64),
        began=-_highest(position, -first, count),
        appeared=appeared,
        changed=_highest(position, np.where(reported, date, first), count),
        spent=np.bincount(position, price, count) / PRICE_UNIT,
        name=_names(reading, codes),
        rows=rows,
        position=position,
        since=end,
        until=min(leaves, appears, int(date[~reported].min(initial=LATEST))),
    )


def _positioned(reading: WindowReader, question: Query, codes: Codes) -> tuple[Rows, Codes, Instant]:
    """Returns the messages of these campaigns, the position of each one's campaign in ``codes``, and when the next message may appear of those
    that are dated after the span's end."""
    asked = of_campaigns(replace(question, seen=True)).narrowed([IS_KNOWN])
    rows, position = reading.window.campaign_rows.of(codes, reading.window.facets)
    chosen = reading.selects(asked, rows)
    others = reading.window.columns["first_seen"][rows[~chosen]]
    return rows[chosen], position[chosen], int(others[others > question.end].min(initial=LATEST))


def _highest(position: Codes, values: Codes, count: int) -> Codes:
    highest = np.full(count, np.iinfo(np.int64).min)
    np.maximum.at(highest, position, values)
    return np.where(highest == np.iinfo(np.int64).min, 0, highest)


def _names(reading: WindowReader, codes: Codes) -> Codes:
    """Returns the code of each campaign's name: of several, the one that the window saw first. It is -1 without one."""
    facets = reading.window.facets
    of, names, unknown = facets.groups(BY).of, facets.digits("campaign"), facets.code("campaign", UNKNOWN)
    given = names != (-1 if unknown is None else unknown)
    none = np.iinfo(np.int64).max
    found = np.full(len(facets.groups(BY)), none)
    np.minimum.at(found, of[given], names[given])
    return np.where(found == none, -1, found)[codes]


def _stages(reading: WindowReader) -> Codes:
    """Returns the stage of each profile's messages."""
    fits = [_with_status(reading, some) for some in ({QUEUED}, FAILURES, {DELIVERED})]
    return np.select(fits, [NOT_SENT, FAILED, ARRIVED], WAITING)


def among(reading: WindowReader, rows: Rows, statuses: Collection[str]) -> Mask:
    """Returns which rows have one of these statuses."""
    return np.asarray(_with_status(reading, statuses)[reading.window.columns["profile"][rows]])


def _with_status(reading: WindowReader, statuses: Collection[str]) -> Mask:
    return reading.window.facets.fits(Condition("status", "is", tuple(sorted(statuses))))
