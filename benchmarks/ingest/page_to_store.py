"""The program's own path from a page to the store, without rules and receivers, for the benchmarks of reading messages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.messages import SPAN
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import Dispatcher
from monitor.ingest.poll.plan import Slice
from monitor.ingest.poll.reader import Reader, Take
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.routee.client import Routee
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import PAGE_SIZE, RejectedRecord, RouteeQuery
from monitor.notify.render import Templates
from monitor.routing.route import Route
from monitor.runtime.clock import DAY, HOUR, SystemClock
from monitor.runtime.heap import keep_heap, share_heap
from monitor.store.async_store import AsyncStore
from monitor.store.open import StoreLocation, open_store
from monitor.store.protocol import Cursor
from monitor.window import Window


def set_up_heap() -> None:
    """Sets up this process's memory as `routee-monitor run` does."""
    share_heap()
    keep_heap()


class PageIngestion:
    """A pipeline of one account with one search."""

    def __init__(self, async_store: AsyncStore, key: bytes) -> None:
        clock = SystemClock()
        self.window = Window("main", RecipientMask("mask", key))
        evaluator = RuleEvaluator(self.window, [], ["all"])
        services = Services(clock, Metrics(clock), Health(), lambda: None)
        account = AccountPipeline(evaluator, Views(evaluator, Templates()))
        self._pipeline = Pipeline(async_store, [account], Dispatcher(Route("nobody"), {}), 30 * DAY, services)
        self._sink = AccountSink(self._pipeline, account)
        self._clock = clock

    async def take(self, batch: Batch, unreadable: tuple[RejectedRecord, ...], origin: ReadOrigin) -> None:
        """Puts a page into the window and, together with others, into the store."""
        await self._sink.page("all", batch, unreadable, origin)

    async def complete(self) -> None:
        """Commits the rest."""
        now = self._clock.now()
        await self._sink.complete("all", Cursor("main", "all", now, now - SPAN))


@asynccontextmanager
async def page_ingestion(place: StoreLocation) -> AsyncIterator[PageIngestion]:
    """Yields a pipeline whose store is a file in that folder, or that database."""
    location = place / "monitor.db" if isinstance(place, Path) else place
    with open_store(location, exclusive=True) as store:
        async_store = AsyncStore(store)
        yield PageIngestion(async_store, await async_store.secret("recipients"))


async def read_all(routee: Routee, take: Take, messages: int) -> int:
    """Reads everything as polling does, slice by slice; returns how many parts came, counting repeated ones again."""
    now, figures = SystemClock().now(), PollFigures("all", "sweep")
    reader = Reader(routee, RouteeQuery(), PAGE_SIZE, take, figures, lambda: 0)
    await reader.read(Slice(now - SPAN - HOUR, now), lambda reading: None, messages)
    return figures.rows


async def ignore(batch: Batch, unreadable: tuple[RejectedRecord, ...], origin: ReadOrigin) -> None:
    """Drops a page; used to measure fetching alone."""
