"""Tells open pages that there is something new, by server-sent events (``GET /events``).

An event is sent once an evaluation or a flush is complete; the page then fetches itself again, so an event says only that and when. A stream
holds a connection and nothing else. The number of streams is limited: to admit a new one, the oldest is told to come again later. A client
that does not read is dropped by the listener (`monitor.daemon.http.http1.TimedStream`).
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

import trio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from monitor.daemon.http.fair_queue import FairQueue
from monitor.runtime.clock import Clock, iso
from monitor.runtime.file_descriptors import connections_possible

MOST: Final = 100
"""The most open streams; never more than half of the listener's connections."""

HEARTBEAT_SECONDS: Final = 15.0
"""Seconds without an event after which a comment is sent, so that proxies and clients know that the stream is alive."""

PAUSE_SECONDS: Final = 1.0
"""The least time between two events of a stream; several evaluations in between are one event."""

LONGEST_SECONDS: Final = 3600.0
"""A stream is ended after this time; its client opens another one."""

_RETRY: Final = b"retry: 3000\n\n"
_AGAIN: Final = b"event: again\ndata: come again\n\n"


class EventStreams:
    """The open streams. ``news`` returns an event that is set, and replaced, with the next change (`Pipeline.news`)."""

    def __init__(self, news: Callable[[], trio.Event], clock: Clock, most: int | None = None) -> None:
        self._news, self._clock = news, clock
        self._most = max(min(MOST, connections_possible() // 2), 1) if most is None else most
        self._open: dict[int, trio.Event] = {}
        self._turns = FairQueue()  # a hundred events sent at once would hold up everything else for a tenth of a second
        self._opened = 0
        self._seen: trio.Event | None = None
        self._number = 0
        self._began = clock.now()

    def __len__(self) -> int:
        return len(self._open)

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [Route("/events", self.events)]

    async def events(self, request: Request) -> Response:
        if request.method == "HEAD":  # a stream without a body would hold its place and never say anything
            return Response(media_type="text/event-stream", headers={"connection": "close"})
        events = self._events(request.headers.get("last-event-id", "")[:100])
        headers = {"connection": "close", "x-accel-buffering": "no"}
        return _EventResponse(events, media_type="text/event-stream", headers=headers)

    def end_all(self) -> None:
        """Tells all clients to come again: whoever may not read any more is then refused."""
        while self._open:
            self._open.pop(next(iter(self._open))).set()

    @property
    def last_id(self) -> str:
        """The id of the latest event. It begins with the daemon's start, so that ids of different runs differ."""
        news = self._news()
        if news is not self._seen:
            self._seen, self._number = news, self._number + 1
        return f"{self._began}-{self._number}"

    async def _events(self, last_id: str) -> AsyncGenerator[bytes, None]:
        self._opened += 1
        mine, replaced = self._opened, trio.Event()
        while len(self._open) >= self._most:
            self._open.pop(next(iter(self._open))).set()
        self._open[mine] = replaced
        ends_at = trio.current_time() + LONGEST_SECONDS
        try:
            yield _RETRY
            while not replaced.is_set() and trio.current_time() < ends_at:
                if self.last_id != last_id:
                    await self._turns.next("")
                    last_id = self.last_id
                    yield f"id: {last_id}\nevent: news\ndata: {iso(self._clock.now())}\n\n".encode()
                    await self._either(replaced, PAUSE_SECONDS)
                elif not await self._either(replaced, HEARTBEAT_SECONDS, self._news()):
                    await self._turns.next("")
                    yield b":\n\n"
            if replaced.is_set():
                yield _AGAIN
        finally:
            self._open.pop(mine, None)

    async def _either(self, replaced: trio.Event, seconds: float, news: trio.Event | None = None) -> bool:
        """Waits for one of the events, at most so many seconds; returns whether one came."""
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for event in (replaced, news):
                    if event is not None:
                        nursery.start_soon(_wait, event, nursery.cancel_scope)
        return replaced.is_set() or (news is not None and news.is_set())


class _EventResponse(StreamingResponse):
    """A stream whose generator is closed at once when the client has gone, so that its place is free again."""

    def __init__(self, events: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(events, **options)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


async def _wait(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
