"""What polling one account takes, counted in virtual time: requests, messages fetched, rows that change, rows that are written."""

from collections import Counter
from itertools import count

import numpy as np
import trio
import trio.testing

from benchmarks.ingest.late_traffic import span_of
from benchmarks.ingest.requests import START, WARM_UP, Day, lived
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import Clock, Duration
from monitor.simulation.sandbox import Sandbox
from monitor.store.protocol import Cursor


class CountedDay(Day):
    """Counts messages too, and commits the window's changes as the daemon does, but to nowhere."""

    def __init__(self, sandbox: Sandbox, clock: Clock, plan: SearchPlan) -> None:
        super().__init__(sandbox, clock, plan)
        self.fetched, self.changed, self.written = Counter[str](), 0, 0
        self._numbers = count(1)

    def measure(self) -> None:
        super().measure()
        self.fetched, self.changed, self.written = Counter[str](), 0, 0

    async def page(
        self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """See `monitor.ingest.poll.Sink`."""
        rows = self.rows_of(batch)
        self.changed += int(np.count_nonzero(batch.date != self.seen[rows]))
        await super().page(search, batch, rejected, origin)

    def finished(self, figures: PollFigures) -> None:
        """See `monitor.ingest.poll.PollObserver`."""
        super().finished(figures)
        self.fetched[figures.kind] += figures.rows

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """See `monitor.ingest.poll.Sink`."""
        await super().complete(search, cursor, read)
        unsaved = self.window.unsaved()
        self.written += unsaved.count
        self.window.saved(unsaved, next(self._numbers) if unsaved.count else None)


def polled(messages_a_day: int, span: Duration) -> dict[str, float]:
    """Returns, for each message sent within ``span`` of busy hours, how many there were of what `Costs` names."""
    return trio.run(_polled, messages_a_day, span, clock=trio.testing.MockClock(autojump_threshold=0))


async def _polled(messages_a_day: int, span: Duration) -> dict[str, float]:
    day = await lived(CountedDay, messages_a_day, span)
    sent = span_of(day.rows, START + WARM_UP, START + WARM_UP + span)
    polls = day.requests["polls"]
    counted = {
        "poll_fetched": day.fetched["poll"],
        "sweep_fetched": day.fetched["sweep"],
        "poll_requests": polls,
        "sweep_requests": day.requests.total() - polls,
        "changed": day.changed,
        "written": day.written,
    }
    return {name: value / (sent.stop - sent.start) for name, value in counted.items()}
