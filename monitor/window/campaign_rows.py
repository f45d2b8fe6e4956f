"""Keeps the rows of each campaign, so that what campaigns do is found without reading all messages.

It is kept from the first question on. Rows that were written since the last question are looked at when the next one is asked.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import UNKNOWN
from monitor.window.columns import Columns
from monitor.window.index import Rows
from monitor.window.profile_index import Codes, Facets
from monitor.window.stable_order import stable_order
from monitor.window.table import ColumnTable
from monitor.window.written_rows import WrittenRows

BY = ("campaignTrackingId",)
NO_CAMPAIGN = -1


class CampaignRows:
    """The rows of one window by campaign."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._facets: Facets | None = None
        self._campaign = ColumnTable({"campaign": np.int8})  # of each row that is listed, else NO_CAMPAIGN
        self._rows = np.zeros(0, np.int32)  # ordered by campaign
        self._starts: Codes = np.zeros(1, np.int64)  # where each campaign begins, and the end of the last one
        self._written = WrittenRows(columns)

    @property
    def nbytes(self) -> int:
        return self._campaign.nbytes + self._rows.nbytes

    def of(self, codes: Codes, facets: Facets) -> tuple[Rows, Codes]:
        """Returns the rows of these campaigns, and the position in ``codes`` of each one's campaign.

        ``codes`` are groups by the tracking id. The rows are parts and messages, whatever their dates are.
        """
        self._bring_up_to_date(facets)
        known = np.minimum(codes, len(self._starts) - 2)
        starts, ends = self._starts[known], self._starts[known + 1]
        some = [self._rows[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        rows = np.concatenate([np.zeros(0, np.int32), *some]).astype(np.int64)
        return rows, np.repeat(np.arange(len(codes)), ends - starts)

    def _bring_up_to_date(self, facets: Facets) -> None:
        """Lists the rows that were written, or all of them where campaigns have other codes now."""
        is_new = facets is not self._facets
        if is_new:
            self._begin(facets)
        rows = self._written.take(everything=is_new)
        codes = self._codes(rows, facets)
        before = self._campaign["campaign"][rows]
        moved = codes != before
        rows, codes, before = rows[moved], codes[moved], before[moved]
        if rows.size:
            self._campaign.write(rows, {"campaign": codes.astype(np.int32)})
            self._list(rows[codes >= 0], codes[codes >= 0], facets, drop=bool((before >= 0).any()))
        if len(self._starts) <= len(facets.groups(BY)):
            self._cut(facets)

    def _begin(self, facets: Facets) -> None:
        self._facets, length = facets, self._columns.length
        self._campaign = ColumnTable({"campaign": np.int8})
        self._campaign.reserve(length)
        self._campaign["campaign"][:] = NO_CAMPAIGN
        self._rows, self._starts = np.zeros(0, np.int32), np.zeros(1, np.int64)

    def _codes(self, rows: Rows, facets: Facets) -> Codes:
        """Returns the campaign of each row; NO_CAMPAIGN where it has none or is free. Makes room for new rows."""
        known = self._campaign.length
        if known < self._columns.length:
            self._campaign.reserve(self._columns.length)
            self._campaign["campaign"][known:] = NO_CAMPAIGN
        unknown = facets.code(BY[0], UNKNOWN)
        of = facets.groups(BY).of.copy()
        of[facets.digits(BY[0]) == (-1 if unknown is None else unknown)] = NO_CAMPAIGN
        codes: Codes = of[self._columns["profile"][rows]]
        codes[self._columns["kind"][rows] == 0] = NO_CAMPAIGN
        return codes

    def _list(self, rows: Rows, codes: Codes, facets: Facets, *, drop: bool) -> None:
        """Adds rows to the lists of their campaigns. ``drop``: some rows were listed that are in another campaign, or in none, by now."""
        if drop:
            campaign = self._campaign["campaign"]
            listed = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
            self._rows = self._rows[campaign[self._rows] == listed]
        order = stable_order(codes)
        listed_now = rows[order].astype(np.int32)
        if self._rows.size:
            at = np.searchsorted(self._campaign["campaign"][self._rows], codes[order], side="right")
            listed_now = np.insert(self._rows, at, listed_now)
        self._rows = listed_now
        self._cut(facets)

    def _cut(self, facets: Facets) -> None:
        campaigns: NDArray[np.signedinteger] = self._campaign["campaign"][self._rows]
        self._starts = np.searchsorted(campaigns, np.arange(len(facets.groups(BY)) + 1))
