"""While the disk hangs, a crowd that waits for it takes no place from anybody else."""

from collections.abc import Callable
from typing import TypeVar

import pytest
import trio
import trio.testing
from plain_client import ask, exchange, parse, served

from monitor.config.monitor import Web
from monitor.daemon.http.fair_queue import MOST_WAITING
from monitor.daemon.http.guards import Limits
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Store
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.waiting import guarded, until
from tests.fakes.written import settings

T = TypeVar("T")
CROWD = 160


class HangingStore(AsyncStore):
    """Answers only once ``well`` is set."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.well = trio.Event()

    async def run(self, call: Callable[[Store], T]) -> T:
        await self.well.wait()
        raise StoreError("the disk was full")


def harness() -> tuple[PipelineHarness, HangingStore]:
    made = PipelineHarness(settings(), HandClock(), fronted=HangingStore)
    assert isinstance(made.front, HangingStore)
    return made, made.front


async def test_who_asks_for_the_status_is_turned_away_where_many_wait_and_others_are_answered() -> None:
    made, store = harness()
    reader = DaemonReader(made.pipeline, store, lambda: made.settings)
    app = ReloadableApp(Web(), made.settings.config, made.pipeline, store, reader)
    replies = list[bytes]()
    async with served(app, limits=Limits(connections=100)) as url, trio.open_nursery() as nursery:

        async def ask_for_the_status() -> None:
            replies.append(await exchange(url, b"GET /api/v1/status HTTP/1.0\r\nHost: localhost\r\n\r\n"))

        for _ in range(CROWD):
            nursery.start_soon(ask_for_the_status)
        await until(lambda: len(replies) >= CROWD - MOST_WAITING - 1, "the others to be turned away")
        assert (await ask(url, "/api/v2/silences")).status == 200
        store.well.set()
    answered = [parse(reply) for reply in replies if reply]
    assert {reply.status for reply in answered} == {200, 503}
    assert all("retry-after" in reply.headers for reply in answered if reply.status == 503)


class CountingStore(HangingStore):
    """Also counts the calls that have been handed to it and are not over."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.open, self.most_open = 0, 0

    async def run(self, call: Callable[[Store], T]) -> T:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            return await super().run(call)
        finally:
            self.open -= 1


@pytest.mark.parametrize("crowd", ["people", "programs"])
async def test_reads_of_the_store_wait_in_one_short_queue_and_nothing_else_waits_behind_them(crowd: str) -> None:
    """A poll's commit waits for one read at most, however many ask for pages and answers from the store."""
    made = PipelineHarness(settings(), HandClock(), fronted=CountingStore)
    store = made.front
    assert isinstance(store, CountingStore)
    app = ReloadableApp(
        Web(), made.settings.config, made.pipeline, store, DaemonReader(made.pipeline, store, lambda: made.settings)
    )
    paths = {
        "people": ["/receivers", "/notifications", "/incidents/x", "/alerts/x"],
        "programs": ["/api/v1/history", "/api/v1/incidents", "/api/v1/alerts/x", "/api/v1/status"],
    }[crowd]
    accept = {"people": "text/html", "programs": "application/json"}[crowd]
    replies = list[bytes]()
    with guarded():
        async with served(app) as url, trio.open_nursery() as nursery:

            async def ask_for(path: str) -> None:
                head = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
                replies.append(await exchange(url, head.encode()))

            for number in range(CROWD):
                nursery.start_soon(ask_for, paths[number % len(paths)])
            await until(lambda: len(replies) >= CROWD - 2 * (MOST_WAITING + 1), "the others to be turned away")
            assert store.open == 1
            turned_away = [parse(reply) for reply in replies]
            assert (await ask(url, "/api/v2/silences")).status == 200
            store.well.set()
    assert store.most_open == 1
    assert {(reply.status, reply.headers["retry-after"].isdecimal()) for reply in turned_away} == {(503, True)}
    assert {parse(reply).status for reply in replies} == ({503, 200} if crowd == "programs" else {503})


async def test_a_change_is_refused_where_many_wait_already() -> None:
    made, store = harness()
    now = made.clock.now()
    silence = Silence("a", (), now, now + HOUR, "ann", "why", now)
    said = list[str]()

    async def change() -> None:
        try:
            await made.actions.put_silence(silence)
        except StoreError as error:
            said.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(MOST_WAITING + 1):
            nursery.start_soon(change)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StoreError, match="too many changes wait"):
            await made.actions.put_silence(silence)
        store.well.set()
    assert said == ["the disk was full"] * (MOST_WAITING + 1)
