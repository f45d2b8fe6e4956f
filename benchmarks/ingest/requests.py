"""Measures the requests of a day in virtual time: a million messages, of which a tenth is reported late, by up to two days.

Beside each poll and sweep it computes the fewest requests with which somebody who knew what has changed could do: each page has room for 2,000
messages, a poll brings what is new or has changed since within its overlap, a sweep the pages in which something has changed.
"""

from collections import Counter
from functools import partial
from typing import Final, TypeVar

import numpy as np
import trio
import trio.testing
from numpy.typing import NDArray

from benchmarks.figure import Figure
from benchmarks.ingest.fewest_requests import FewestRequests
from benchmarks.ingest.late_traffic import FIRST_NUMBER, SOON, late_sandbox, span_of
from monitor.daemon.search_plan import plan_of
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import NoObserver, PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import DAY, HOUR, MINUTE, Clock, Duration, Instant, TrioClock, format_duration, parse_iso
from monitor.runtime.errors import InternalError, RouteeError, StoreError
from monitor.simulation.sandbox import Sandbox
from monitor.store.protocol import Cursor
from monitor.window import Query, Window, WindowReader
from tests.fakes.watched import Wire, written

START: Final[Instant] = parse_iso("2026-11-21T10:00:00Z")
WARM_UP: Final[Duration] = HOUR + MINUTE
"""Not measured: the first poll, and the first sweep, which reads all that is past."""
COUNTED: Final[Duration] = 15 * MINUTE
"""The window whose counts are compared at each poll."""
A_DAY: Final = 1_000_000
Instants = NDArray[np.int64]
ADay = TypeVar("ADay", bound="Day")


def run(quick: bool) -> list[Figure]:
    """Measures a day; ``quick`` six hours of a tenth of the messages."""
    messages, span = (A_DAY // 10, 6 * HOUR) if quick else (A_DAY, DAY)
    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(requests_of_a_day, messages, span, clock=clock)


async def requests_of_a_day(messages_a_day: int, span: Duration) -> list[Figure]:
    """Returns what was counted. Needs trio's MockClock."""
    return (await lived(Day, messages_a_day, span)).figures(span)


async def lived(kind: type[ADay], messages_a_day: int, span: Duration) -> ADay:
    """Polls for ``span`` after WARM_UP, in virtual time; returns its sink and observer."""
    clock = TrioClock(START)
    sandbox = late_sandbox(clock, messages_a_day, WARM_UP + span)
    plan = plan_of(written("{name: all}").config.searches[0])
    day = kind(sandbox, clock, plan)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(poll_search, plan, Wire(sandbox), day, clock, None, observer=day))
        await clock.sleep(WARM_UP)
        day.measure()
        await clock.sleep(span)
        nursery.cancel_scope.cancel()
    return day


class Day(NoObserver):
    """Sink and observer of polling: puts what is read into a window, and compares it with the truth at the local Routee at each poll.

    Nothing is recorded before `measure`. ``rows`` are the local Routee's, ``seen`` is the date of each row's status, as it was received last.
    ``polls`` and ``sweeps`` count complete ones, ``exact`` those of each after which all was right.
    """

    def __init__(self, sandbox: Sandbox, clock: Clock, plan: SearchPlan) -> None:
        self.rows, self._clock, self._plan = sandbox.messages.rows, clock, plan
        self.window = Window("main", RecipientMask("mask", bytes(32)))
        self._statuses = [outcome.status for outcome in sandbox.known.outcomes.entries]
        self.seen = np.full(len(self.rows), -1, np.int64)
        self._status = np.full(len(self.rows), "", "U16")
        self._cursor: Cursor | None = None
        self._began: Instant | None = None
        self._sweep = ""  # what the latest complete sweep is called
        self._delays: list[Instants] = []
        self._unseen: list[float] = []
        self.fewest = FewestRequests(sandbox, plan.page_size)
        self.requests, self.done, self.exact = Counter[str](), Counter[str](), Counter[str]()

    def measure(self) -> None:
        """Begins to measure."""
        self._began = self._clock.now()
        self.fewest.swept(0, self._began, self._began)
        for counts in (self.requests, self.fewest.requests):
            counts.clear()

    async def page(
        self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """See `monitor.ingest.poll.Sink`."""
        await trio.lowlevel.checkpoint()
        self.window.upsert(batch, search, origin)
        rows = self.rows_of(batch)
        if self._began is not None:
            self._note_delays(rows[batch.date > np.maximum(self.seen[rows], self._began)])
        self.seen[rows] = batch.date
        self._status[rows] = batch.coded.of_each("status")

    def rows_of(self, batch: Batch) -> Instants:
        """Returns which rows of the local Routee these are."""
        return np.array([int(text[1:]) for text in batch.recipient]) - FIRST_NUMBER

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """See `monitor.ingest.poll.Sink`."""
        await trio.lowlevel.checkpoint()
        before, self._cursor = self._cursor, cursor
        if self._began is None or before is None:
            return
        now, overlap = self._clock.now(), self._plan.overlap
        if cursor.as_of > before.as_of:
            self.fewest.polled(now, overlap)
            self._compare("poll", now - overlap, now, now)
            self._compare_counts(now)
        done = [int(back) for back, at in cursor.swept.items() if at > before.swept.get(back, 0)]
        if done:
            start, end = now - max(done), cursor.as_of - overlap
            self._sweep = f"sweeps of the last {format_duration(max(done))}"
            self.fewest.swept(start, end, now, self._sweep)
            self._compare("sweep", start, end, now)

    def finished(self, figures: PollFigures) -> None:
        """See `monitor.ingest.poll.PollObserver`. Raises RuntimeError if a poll or sweep failed."""
        if figures.outcome != "ok":
            raise RuntimeError(f"a {figures.kind} ended with {figures.outcome}")
        self.requests["polls" if figures.kind == "poll" else self._sweep] += figures.requests

    def _note_delays(self, rows: Instants) -> None:
        """Notes how late the changes of these rows are seen, of those that were reported late."""
        now = self._clock.now()
        _, dates = self.rows.take(rows).present(now)
        self._delays.append((now - dates)[dates - self.rows.created[rows] > SOON])

    def _compare(self, kind: str, start: Instant, end: Instant, now: Instant) -> None:
        """Counts a poll or sweep, and whether what it reaches is known as it is now."""
        span = span_of(self.rows, start, end)
        codes, dates = self.rows.take(span).present(now)
        same = np.array_equal(dates, self.seen[span])
        self.done[kind] += 1
        self.exact[kind] += same and np.array_equal(np.array(self._statuses)[codes], self._status[span])

    def _compare_counts(self, now: Instant) -> None:
        """Compares the window's counts of COUNTED with what was received, and notes the share of Routee's that it does not know yet."""
        reader = WindowReader(self.window)
        counts = reader.tally(Query(now - COUNTED, now, by=("status",)))
        found = {
            reader.labels(("status",), code)[0]: n
            for code, n in zip(counts.codes.tolist(), counts.counts.tolist(), strict=True)
        }
        received = (self.seen > now - COUNTED) & (self.seen <= now)
        self.done["counts"] += 1
        self.exact["counts"] += found == Counter(self._status[received].tolist())
        sent = span_of(self.rows, now - 3 * DAY, now)
        _, dates = self.rows.take(sent).present(now)
        recent = dates > now - COUNTED
        self._unseen.append(float(np.mean(dates[recent] != self.seen[sent][recent])))

    def figures(self, span: Duration) -> list[Figure]:
        """Returns what was counted, brought to a day."""
        days = span / DAY
        sent, fewest = self.requests.total(), self.fewest.requests.total()
        delays = np.concatenate(self._delays) / MINUTE
        half, most = np.percentile(delays, [50, 100]).tolist()
        return [
            Figure("requests a day", sent / days, "requests"),
            *self._by_kind("of them", self.requests, days),
            Figure("the fewest possible", fewest / days, "requests"),
            *self._by_kind("of the fewest", self.fewest.requests, days),
            Figure("requests against the fewest possible", sent / fewest, "times", at_most=1.3),
            Figure("polls after which all that they reach is exact", self._share("poll"), "of them", at_least=1),
            Figure("sweeps after which all that they reach is exact", self._share("sweep"), "of them", at_least=1),
            Figure(
                "polls at which the window's counts are what was received", self._share("counts"), "of them", at_least=1
            ),
            Figure(
                "changes of the last 15 minutes that a poll does not know yet", 100 * float(np.mean(self._unseen)), "%"
            ),
            Figure("a late report until it is seen, median", half, "min"),
            Figure("the same, the longest", most, "min"),
        ]

    def _by_kind(self, of: str, requests: Counter[str], days: float) -> list[Figure]:
        return [Figure(f"{of} {kind}", requests[kind] / days, "requests") for kind in sorted(requests)]

    def _share(self, kind: str) -> float:
        return self.exact[kind] / self.done[kind]

    # what a sink and an observer are told besides

    def begin(self, search: str, read: str) -> None:
        """Does nothing."""

    def end(self, search: str, read: str) -> None:
        """Does nothing."""

    async def sighted(self, search: str) -> None:
        """Does nothing."""

    async def failed(self, search: str, error: RouteeError | StoreError | InternalError) -> None:
        """Raises RuntimeError: nothing fails here."""
        raise RuntimeError(str(error))

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """Raises RuntimeError: nothing fails here."""
        raise RuntimeError(reason)

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """Raises RuntimeError: nothing is missed here."""
        raise RuntimeError(f"changes between {start} and {end} are missed")
