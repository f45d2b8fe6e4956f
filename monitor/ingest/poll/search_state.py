"""The state that the polls and sweeps of one search share."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import trio

from monitor.ingest.poll.blindness import Blindness
from monitor.ingest.poll.cursor import Progress
from monitor.ingest.poll.plan import SearchPlan, Slice, horizon, on_grid, sweep_range
from monitor.ingest.poll.poll_log import log_finished
from monitor.ingest.poll.reader import Reader
from monitor.ingest.poll.sink import Kind, PollFigures, PollObserver, Sink
from monitor.ingest.poll.trouble import Trouble
from monitor.model.complete_read import POLL
from monitor.model.routee_query import Tracking
from monitor.runtime.clock import Clock, Duration, Instant
from monitor.runtime.errors import InternalError, RouteeError, StoreError
from monitor.store.protocol import Cursor

Unread = Callable[[Instant], Duration]
"""Returns how far back of a moment a search has to be read once, beside its sweeps, because rules look at messages that are missing (new to
this daemon, or lost from the store); 0 if none are."""


def nothing_unread(now: Instant) -> Duration:
    """Returns that nothing has to be read beside the sweeps."""
    return 0


class SearchState:
    """The state of one search. ``idle`` is set while no poll runs, ``first_poll`` once a poll was complete in this run, ``polled`` by the next
    complete poll. ``known_since`` is from where on the latest one knows everything.
    """

    def __init__(
        self,
        plan: SearchPlan,
        tracking: Tracking,
        sink: Sink,
        clock: Clock,
        cursor: Cursor | None,
        observer: PollObserver,
        trouble: Trouble | None = None,
        overdue: bool = False,
        unread: Unread = nothing_unread,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.progress = Progress(plan, sink, clock, cursor)
        self.blindness = Blindness(plan, sink, clock, cursor.as_of if cursor else None, trouble, overdue)
        self.first_poll = trio.Event()
        self.idle = trio.Event()
        self.polled = trio.Event()
        self.known_since: Instant | None = None
        self._tracking = tracking
        self._sink = sink
        self._observer = observer
        self._unread = unread
        self._sizes: dict[Duration, int] = {}

    def measured(self, back: Duration, total: int) -> None:
        """Notes that the span of the sweep that looks ``back`` has ``total`` parts. Smaller sweeps have at most as many."""
        for other, _ in self.plan.sweeps:
            if other < back:
                self._sizes[other] = min(self._sizes.get(other, total), total)
        self._sizes[back] = total

    def is_measured(self, back: Duration) -> bool:
        """Returns whether the size of the sweep is known in this run."""
        return back in self._sizes

    def is_small(self, back: Duration) -> bool:
        """Returns whether a sweep is known to fit on one page. Then it is done by a poll that starts further back."""
        size = self.plan.page_size
        return self._sizes.get(back, size) <= size * 3 // 4

    def reader(
        self, figures: PollFigures, give_way: Callable[[], Awaitable[None]] | None = None, fresh_since: Instant = 0
    ) -> Reader:
        """Returns a reader whose pages go to the sink. Messages that it returns first were sent after ``fresh_since``."""
        plan = self.plan
        return Reader(
            self._tracking,
            plan.question,
            plan.page_size,
            partial(self._sink.page, plan.name),
            figures,
            lambda: horizon(self.clock.now()),
            give_way,
            fresh_since,
        )

    def has_polled(self) -> None:
        """Wakes who waits for a complete poll."""
        self.polled.set()
        self.polled = trio.Event()

    def sweep_range(self, now: Instant, back: Duration) -> Slice | None:
        """Returns the span of the sweep that looks ``back``; see `monitor.ingest.poll.plan.sweep_range`."""
        return sweep_range(self.plan, now, self.progress.as_of, back, self.known_since)

    def unread(self, now: Instant) -> Duration:
        """Returns how far back messages have to be read once, beside the sweeps; 0 if there are none to read."""
        back = self._unread(now)
        return 0 if self.progress.has_read(on_grid(max(now - back, horizon(now)))) else back

    def reached(self) -> None:
        """Reports that more of the past may have been read."""
        self._observer.reached(self.plan.name, self.progress.share_read(self.unread(self.clock.now())))

    async def attempt(self, kind: Kind, action: Callable[[PollFigures], Awaitable[None]], read: str = POLL) -> bool:
        """Runs one poll or sweep, reports its outcome, and returns whether it was complete. ``read`` is its name for the sink."""
        figures = PollFigures(self.plan.name, kind)
        began = trio.current_time()
        try:
            with self._reading(read):
                await action(figures)
        except (RouteeError, StoreError) as error:
            figures.outcome = error.outcome if isinstance(error, RouteeError) else "store"
            await self._failed(figures, error)
        except Exception as error:  # noqa: BLE001 - an unexpected failure ends this poll or sweep, and nothing else
            figures.outcome = "internal"
            await self._failed(figures, InternalError(error))
        figures.seconds = trio.current_time() - began
        self._observer.finished(figures)
        log_finished(self.plan, figures)
        return figures.outcome == "ok"

    async def _failed(self, figures: PollFigures, error: RouteeError | StoreError | InternalError) -> None:
        if figures.kind == "poll":
            self.blindness.trouble.ended(figures.outcome, str(error))
        with suppress(StoreError):  # the observer's figures show the failure, and it is reported again if it lasts
            await self._sink.failed(self.plan.name, error)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Tells the sink when a read begins and ends, if messages can leave the search."""
        if not self.plan.question.is_narrow:
            yield
            return
        self._sink.begin(self.plan.name, name)
        try:
            yield
        finally:
            self._sink.end(self.plan.name, name)
