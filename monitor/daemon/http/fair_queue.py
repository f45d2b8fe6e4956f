"""Schedules requests so that a crowd of clients never delays anything else for long.

A request costs some milliseconds. If a hundred ran side by side, each step of anything else, even of a probe, would wait for a hundred
pieces of work. So one request begins per iteration of trio's loop; probes have a queue of their own. Expensive answers (lists, metrics,
requested regular expressions) are made one at a time, with a pause in between if another one waits.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Final, Generic, TypeVar

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Paths that never wait behind other requests, because they show whether the daemon is alive."""

PROBES_AT_ONCE: Final = 4
"""The most probes that begin in one iteration of the loop, so that many probes are answered before many other requests."""

MOST_WAITING: Final = 50
"""The most requests that wait for something expensive; further ones get a 503 with `Retry-After`."""

PAUSE: Final = 20
"""Loop iterations between two expensive answers: a probe needs about 15 from its connection to its answer."""

CALLBACKS: Final = "/callbacks/routee/"
"""The beginning of the path of every callback; the account's name follows."""

CALLBACKS_AT_ONCE: Final = 4
"""The most callbacks that begin in one iteration of the loop. One takes up to 0.3 milliseconds."""

_PROBE: Final = re.compile(rb"(?:GET|HEAD) (/healthz|/readyz)[ ?]|POST (/callbacks/routee/)")

Endpoint = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


def path_of(head: bytes) -> str:
    """Returns the path of a probe, or the beginning of a callback's path, that a request's first bytes ask for, else an empty text."""
    found = _PROBE.match(head)
    return (found[1] or found[2]).decode() if found else ""


class FairQueue:
    """Lets one request begin per iteration of the loop, in the order of arrival, and some probes and callbacks beside it."""

    def __init__(self) -> None:
        self._probes, self._others = trio.Semaphore(PROBES_AT_ONCE), trio.Semaphore(1)
        self._callbacks = trio.Semaphore(CALLBACKS_AT_ONCE)

    async def next(self, path: str) -> None:
        """Waits until a request for that path may begin."""
        # Acquiring a semaphore takes one iteration of the loop. It is released at once to the task that has waited longest.
        async with self._probes if path in PROBES else self._callbacks if path == CALLBACKS else self._others:
            pass


class ExpensiveQueue:
    """Makes expensive answers one at a time."""

    def __init__(self) -> None:
        self._one = trio.Lock()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._one.statistics().tasks_waiting

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keeps other expensive answers from being made inside the block. Nothing in it may wait for a client, nor for a disk if answers from
        memory wait for the same queue.

        Raises HTTPException (503) if too many wait already.
        """
        if self.waiting >= MOST_WAITING:
            raise HTTPException(503, "too many ask for this at once; try again in a second", {"retry-after": "1"})
        waited = self._one.locked()
        async with self._one:
            if waited:
                await _pause()
            yield

    def endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Returns ``endpoint`` with its whole answer made inside `alone`."""

        @wraps(endpoint)
        async def answered(request: Request) -> Response:
            async with self.alone():
                return await endpoint(request)

        return answered


class SharedAnswer(Generic[T]):
    """An expensive answer that is made once for all requests that wait for it, and never before they came."""

    def __init__(self, expensive: ExpensiveQueue) -> None:
        self._expensive = expensive
        self._pending: dict[str, _PendingAnswer[T]] = {}
        self._handing_out = trio.Lock()

    async def get(self, key: str, make: Callable[[str], T]) -> T:
        """Returns what ``make`` returns for ``key``."""
        while (pending := self._pending.get(key)) is not None:
            await pending.settled.wait()
            async with self._handing_out:  # one per iteration of the loop, because each has much to send
                if pending.made:
                    return pending.made[0]
        return await self._make(key, make)

    async def _make(self, key: str, make: Callable[[str], T]) -> T:
        pending = self._pending[key] = _PendingAnswer()
        try:
            async with self._expensive.alone():
                del self._pending[key]  # later requests get a newer answer
                pending.made.append(make(key))
        finally:
            if self._pending.get(key) is pending:
                del self._pending[key]
            pending.settled.set()
        return pending.made[0]


class _PendingAnswer(Generic[T]):
    """An answer that a task is about to make. ``made`` stays empty if that fails."""

    def __init__(self) -> None:
        self.made: list[T] = []
        self.settled = trio.Event()


async def _pause() -> None:
    for _ in range(PAUSE):
        await trio.lowlevel.checkpoint()
