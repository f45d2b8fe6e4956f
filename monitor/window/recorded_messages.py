"""Replays a window's messages in the order in which they happened.

A window has the latest report of each part and when the part was first seen. The replay makes two reports of that: a first one without
a final status at the first sight, if that was earlier, and the latest one at its date. What happened in between (a failure that
became a delivery, a change from Queued to Sent) is lost, and so are messages older than the store's retention. If a part was first
seen with its final status, its time of sending is computed from its latency.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import FINAL, QUEUED, SENT, UNKNOWN
from monitor.runtime.clock import MILLISECOND, Duration, Instant
from monitor.window import Window
from monitor.window.columns import AS_PART, NOT_GIVEN
from monitor.window.index import Rows
from monitor.window.profiles import PROFILED
from monitor.window.table import Values

AT_ONCE: Final = 50_000
"""The most reports that are put into the window at once."""

_COPIED: Final = ("high", "low", "key", "parts", "latency", "price", "to", "recipient")

Instants = NDArray[np.int64]


class RecordedMessages:
    """Feeds the reports of ``known`` into ``window``, which begins empty and shares its dictionaries. ``known`` must not change meanwhile.

    If a part's latency says that it was sent more than ``slack`` before it was first seen, the replay assumes that the daemon missed it on
    its way, as it misses messages that are faster than its polls. Parts whose latest report is not after ``since`` are left out.
    """

    def __init__(self, known: Window, slack: Duration = 0, since: Instant | None = None) -> None:
        self.window = known.empty_copy()
        self._known = known
        columns = known.columns
        rows = np.flatnonzero(columns["kind"][: columns.length] & AS_PART)
        rows = rows if since is None else rows[columns["date"][rows] > since]
        dates, sent = columns["date"][rows], _sent(known, rows, slack)
        order = np.argsort(dates, kind="stable")
        self._rows: Rows = rows[order]
        self._dates, self._sent = dates[order], sent[order]
        early = np.flatnonzero(self._sent < self._dates)
        self._early: Rows = early[np.argsort(self._sent[early], kind="stable")]
        self._early_at = self._sent[self._early]
        self._latest_done = self._early_done = 0
        self._first_status = self._first_statuses()

    def __len__(self) -> int:
        """Returns how many parts there are."""
        return len(self._rows)

    @property
    def begins(self) -> Instant | None:
        """Returns the date of the oldest report; None if none exists."""
        return int(min(self._sent.min(), self._dates[0])) if len(self) else None

    def feed(self, until: Instant) -> None:
        """Puts every report up to that instant into the window. If both reports of a part lie after the last call, only the latest is put
        in."""
        first = int(np.searchsorted(self._early_at, until, side="right"))
        positions = self._early[self._early_done : first]
        self._early_done = max(first, self._early_done)
        self._hand_over(positions[self._dates[positions] > until], self._as_sent)
        latest = int(np.searchsorted(self._dates, until, side="right"))
        self._hand_over(np.arange(self._latest_done, latest), self._as_reported)
        self._latest_done = max(latest, self._latest_done)

    def count(self, start: Instant, end: Instant) -> int:
        """Returns how many parts have their latest report in (start, end]."""
        edges = np.searchsorted(self._dates, np.array([start, end]), side="right")
        return int(edges[1] - edges[0])

    def _hand_over(self, positions: Rows, form: Callable[[Rows], Values]) -> None:
        for start in range(0, len(positions), AT_ONCE):
            self.window.upsert_coded(form(positions[start : start + AT_ONCE]))

    def _as_reported(self, positions: Rows) -> Values:
        columns, rows = self._known.columns, self._rows[positions]
        values: Values = {name: columns[name][rows] for name in _COPIED}
        values |= {name: columns.of(name, rows).astype(np.int64) for name in PROFILED}
        values["date"], values["first_seen"] = self._dates[positions], self._sent[positions]
        return values

    def _as_sent(self, positions: Rows) -> Values:
        values = self._as_reported(positions)
        values["date"] = values["first_seen"]
        values["latency"] = np.full(len(positions), NOT_GIVEN, np.int64)
        values["status"] = self._first_status[values["status"]]
        values["searches"] = self._had_it(values["searches"])
        values["detailedStatus"] = np.full(len(positions), self._code("detailedStatus", UNKNOWN), np.int64)
        return values

    def _had_it(self, sets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the sets of searches before the latest report: searches that the message has left had it then."""
        searches = self._known.searches
        some, inverse = np.unique(sets, return_inverse=True)
        before = [searches.code(searches.ever(int(one))) for one in some]
        return np.array(before, np.int64)[inverse]

    def _first_statuses(self) -> NDArray[np.int64]:
        """Returns, by the code of the latest status, the code of the status before it: Sent before a final one, else Queued."""
        sent, queued = self._code("status", SENT), self._code("status", QUEUED)
        texts = self._known.dictionaries["status"].texts
        return np.array([sent if text in FINAL else queued for text in texts], np.int64)

    def _code(self, name: str, text: str) -> int:
        return int(self._known.dictionaries[name].encode([text])[0])


def _sent(known: Window, rows: Rows, slack: Duration) -> Instants:
    """Returns when each part first appeared: when it was sent by its latency, if it was missed on its way, else when it was first seen."""
    columns = known.columns
    latency, seen = columns["latency"][rows].astype(np.int64), columns["first_seen"][rows]
    before = columns["date"][rows] - np.where(latency == NOT_GIVEN, 0, latency * MILLISECOND)
    return np.asarray(np.where(seen - before > slack, before, seen))
