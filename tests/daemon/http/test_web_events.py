"""The events that keep open pages current: one for each change, few streams, and none that costs the others anything."""

from collections import Counter
from contextlib import AsyncExitStack, aclosing

import pytest
import trio
from plain_client import ask, connect, served
from starlette.applications import Starlette

from monitor.daemon.health import Health
from monitor.daemon.http.app import make_app
from monitor.daemon.http.event_streams import HEARTBEAT_SECONDS, EventStreams
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import SystemClock
from tests.fakes.waiting import guarded, until

GET = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


class News:
    """What the pipeline has: an event that is set, and replaced, with each change."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def happen(self) -> None:
        self.event.set()
        self.event = trio.Event()


@pytest.fixture
def news() -> News:
    return News()


def app(streams: EventStreams) -> Starlette:
    clock = SystemClock()
    return make_app(Health(), Metrics(clock), apis=streams.routes())


async def told(stream: trio.SocketStream, words: bytes) -> bytes:
    """What came until these words did, or the stream ended."""
    received = b""
    with guarded():
        while words not in received:
            piece = await stream.receive_some()
            if not piece:
                break
            received += piece
    return received


async def test_a_change_is_an_event_with_an_id_of_its_own(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    async with served(app(streams)) as url, await connect(url) as stream:
        await stream.send_all(GET)
        first = await told(stream, b"data: ")
        assert b"text/event-stream" in first
        assert b"retry: 3000" in first
        earlier = streams.last_id
        news.happen()
        assert f"id: {streams.last_id}".encode() in await told(stream, b"data: ")
        assert streams.last_id != earlier


async def test_who_asks_for_the_head_alone_holds_no_place(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    with guarded():
        async with served(app(streams)) as url:
            reply = await ask(url, "/events", "HEAD")
            assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert (reply.body, len(streams)) == (b"", 0)


async def test_a_client_that_goes_gives_its_place_back(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    async with served(app(streams)) as url:
        async with await connect(url) as stream:
            await stream.send_all(GET)
            await told(stream, b"data: ")
            assert len(streams) == 1
        await until(lambda: len(streams) == 0, "the place to be free")


async def test_who_has_seen_the_latest_event_is_not_told_again(
    news: News, autojump_clock: trio.testing.MockClock
) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    events = streams._events(streams.last_id)
    began = trio.current_time()
    assert [await anext(events), await anext(events)] == [b"retry: 3000\n\n", b":\n\n"]
    assert trio.current_time() - began == pytest.approx(HEARTBEAT_SECONDS), "a comment keeps the stream alive"
    news.happen()
    assert b"event: news" in await anext(events)
    await events.aclose()
    assert len(streams) == 0


async def test_beyond_the_limit_the_oldest_is_told_to_come_again(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock(), most=2)
    async with served(app(streams)) as url, AsyncExitStack() as stack:
        three = []
        for number in range(1, 4):
            three.append(await stack.enter_async_context(await connect(url)))
            await three[-1].send_all(GET)
            await until(lambda number=number: len(streams) == min(number, 2), "the stream")
            await told(three[-1], b"data: ")
        assert b"event: again" in await told(three[0], b"event: again")
        assert await told(three[0], b"never") in (b"", b"\r\n0\r\n\r\n", b"0\r\n\r\n")
        news.happen()
        for one in three[1:]:
            assert b"event: news" in await told(one, b"event: news")
        await until(lambda: len(streams) == 2, "the oldest to be gone")


async def test_a_thousand_streams_and_clients_that_never_read_leave_the_daemon_alive(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    async with served(app(streams)) as url, AsyncExitStack() as stack:
        for number in range(1000):
            stream = await stack.enter_async_context(await connect(url))
            await stream.send_all(GET)  # and reads nothing
            if number % 100 == 99:
                news.happen()
                assert (await ask(url, "/healthz")).status == 200
        await until(lambda: len(streams) > 0, "the streams")
        assert len(streams) <= 100
        news.happen()
        assert (await ask(url, "/healthz")).status == 200


async def test_a_change_is_told_to_one_stream_in_each_turn_of_the_loop(news: News) -> None:
    streams = EventStreams(lambda: news.event, SystemClock())
    turns, told_in = 0, list[int]()

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def watch(ready: trio.Event) -> None:
        async with aclosing(streams._events(streams.last_id)) as events:
            await anext(events)
            ready.set()
            while b"event: news" not in await anext(events):
                pass
            told_in.append(turns)

    with guarded():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            async with trio.open_nursery() as watching:
                for _ in range(50):
                    ready = trio.Event()
                    watching.start_soon(watch, ready)
                    await ready.wait()
                for _ in range(10):  # until all wait for news
                    await trio.lowlevel.checkpoint()
                news.happen()
            nursery.cancel_scope.cancel()
    assert len(told_in) == 50
    assert max(Counter(told_in).values()) <= 2, "the order within a turn is random"
