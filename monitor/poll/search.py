"""What the polls and the sweeps of one search share."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from monitor.clock import Clock, Duration
from monitor.errors import RouteeError, StoreError
from monitor.poll.blindness import Blindness
from monitor.poll.plan import SearchPlan, horizon
from monitor.poll.progress import Progress
from monitor.poll.sink import Kind, Observer, Round, Sink
from monitor.poll.slices import Reader
from monitor.poll.trouble import Trouble
from monitor.routee.question import Page, Tracking
from monitor.store.protocol import Cursor


class Search:
    """One search at work. ``idle`` is set while no poll runs; ``first_poll`` once one was complete in this run."""

    def __init__(
        self,
        plan: SearchPlan,
        tracking: Tracking,
        sink: Sink,
        clock: Clock,
        cursor: Cursor | None,
        observer: Observer,
        trouble: Trouble | None = None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.progress = Progress(plan, sink, clock, cursor)
        self.blindness = Blindness(plan, sink, clock, cursor.as_of if cursor else None, trouble)
        self.first_poll = trio.Event()
        self.idle = trio.Event()
        self._tracking = tracking
        self._sink = sink
        self._observer = observer
        self._sizes: dict[Duration, int] = {}

    def measured(self, back: Duration, total: int) -> None:
        """The span of the sweep that looks ``back`` had so many parts; the smaller ones have no more than that."""
        for other, _ in self.plan.sweeps:
            if other < back:
                self._sizes[other] = min(self._sizes.get(other, total), total)
        self._sizes[back] = total

    def is_small(self, back: Duration) -> bool:
        """Whether a sweep is known to fit on one page, so that it is done by starting a poll further back."""
        size = self.plan.page_size
        return self._sizes.get(back, size) <= size * 3 // 4

    def reader(self, figures: Round, give_way: Callable[[], Awaitable[None]] | None = None) -> Reader:
        """A reader whose pages go to the sink."""
        plan = self.plan
        return Reader(
            self._tracking,
            plan.question,
            plan.page_size,
            self._take,
            figures,
            lambda: horizon(self.clock.now()),
            give_way,
        )

    async def attempt(self, kind: Kind, action: Callable[[Round], Awaitable[None]]) -> bool:
        """Do one poll or sweep, tell how it went, and give whether it was complete."""
        figures = Round(self.plan.name, kind)
        began = trio.current_time()
        try:
            await action(figures)
        except (RouteeError, StoreError) as error:
            figures.outcome = error.outcome if isinstance(error, RouteeError) else "store"
            if kind == "poll":
                self.blindness.trouble.ended(figures.outcome, str(error))
            with suppress(
                StoreError
            ):  # what cannot be stored now is on the observer's figures, and fails again if it lasts
                await self._sink.failed(self.plan.name, error)
        figures.seconds = trio.current_time() - began
        self._observer.finished(figures)
        return figures.outcome == "ok"

    async def _take(self, page: Page) -> None:
        await self._sink.page(self.plan.name, page.batch, page.asides)
