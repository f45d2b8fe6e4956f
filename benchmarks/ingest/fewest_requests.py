"""How few requests would be enough for somebody who knew beforehand what has changed: the floor of the requests of a day."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.ingest.late_traffic import span_of
from monitor.ingest.poll.plan import pages
from monitor.runtime.clock import Duration, Instant
from monitor.simulation.sandbox import Sandbox


class FewestRequests:
    """Counts requests of pages of ``page_size`` messages. It knows the date of each row's present status as of the last request for it."""

    def __init__(self, sandbox: Sandbox, page_size: int) -> None:
        self._rows = sandbox.messages.rows
        self._size = page_size
        self._known = np.full(len(self._rows), -1, np.int64)
        self.requests: Counter[str] = Counter()

    def polled(self, now: Instant, overlap: Duration) -> None:
        """Counts a poll: the pages that are needed for what is new or has changed since the poll before, and at least one."""
        changed = self._take(now - overlap, now, now)
        self.requests["polls"] += pages(int(np.count_nonzero(changed)), self._size)

    def swept(self, start: Instant, end: Instant, now: Instant, name: str = "sweep") -> None:
        """Counts, under ``name``, a sweep of what was sent after ``start``, up to ``end``: the pages in which something has changed since they
        were last read."""
        changed = self._take(start, end, now)
        whole = np.zeros(pages(len(changed), self._size) * self._size, np.bool_)
        whole[: len(changed)] = changed
        self.requests[name] += int(whole.reshape(-1, self._size).any(axis=1).sum())

    def _take(self, start: Instant, end: Instant, now: Instant) -> NDArray[np.bool_]:
        """Takes in the state of all that was sent within the span; returns which rows have changed."""
        span = span_of(self._rows, start, end)
        _, dates = self._rows.take(span).present(now)
        changed: NDArray[np.bool_] = dates != self._known[span]
        self._known[span] = dates
        return changed
