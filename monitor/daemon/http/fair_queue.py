"""Who comes next: what clients ask for in crowds is done one after the other, and everything else has its turn in between.

A request costs some milliseconds. If a hundred were worked on side by side, each step of anything else, of a probe too, would wait for a
hundred pieces of work. So in each turn of trio's loop one request begins; the probes have a queue of their own. What is more expensive
(lists, metrics, regular expressions of strangers) is made one at a time, and with a pause where the next one waits already.
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
"""They never wait behind anything else: who asks wants to know whether the daemon is alive."""

PROBES_AT_ONCE: Final = 4
"""The most probes that begin in one turn of the loop: many probes are answered before many of anything else."""

MOST_WAITING: Final = 50
"""The most requests that wait for something expensive; further ones get a 503 with `Retry-After`."""

PAUSE: Final = 20
"""Loop iterations between two expensive answers: a probe needs about 15 from its connection to its answer."""

_PROBE: Final = re.compile(rb"(?:GET|HEAD) (/healthz|/readyz)[ ?]")

Endpoint = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


def path_of(head: bytes) -> str:
    """The path that a request's first bytes ask for, if that is one of the probes, else nothing."""
    found = _PROBE.match(head)
    return found[1].decode() if found else ""


class Turns:
    """Lets one request begin in each turn of the loop, in the order in which they came; beside it some probes."""

    def __init__(self) -> None:
        self._probes, self._others = trio.Semaphore(PROBES_AT_ONCE), trio.Semaphore(1)

    async def next(self, path: str) -> None:
        """Wait until a request for that path may begin."""
        # To acquire one lasts one turn of the loop. Whoever has got it hands it on at once, to the one that has waited longest.
        async with self._probes if path in PROBES else self._others:
            pass


class Dear:
    """Makes expensive answers one at a time."""

    def __init__(self) -> None:
        self._one = trio.Lock()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._one.statistics().tasks_waiting

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """No other expensive answer is made inside the block. Nothing in it may wait for a client or a disk.

        Raises HTTPException (503) where too many wait already.
        """
        if self.waiting >= MOST_WAITING:
            raise HTTPException(503, "too many ask for this at once; try again in a second", {"retry-after": "1"})
        waited = self._one.locked()
        async with self._one:
            if waited:
                await _pause()
            yield

    def endpoint(self, endpoint: Endpoint) -> Endpoint:
        """``endpoint``, whose whole answer is made alone."""

        @wraps(endpoint)
        async def answered(request: Request) -> Response:
            async with self.alone():
                return await endpoint(request)

        return answered


class Shared(Generic[T]):
    """An expensive answer that is made once for all who wait for it, and never before they asked."""

    def __init__(self, dear: Dear) -> None:
        self._dear = dear
        self._wanted: dict[str, _Wanted[T]] = {}
        self._handing_out = trio.Lock()

    async def get(self, key: str, make: Callable[[str], T]) -> T:
        """What ``make`` gives for ``key``."""
        while (wanted := self._wanted.get(key)) is not None:
            await wanted.settled.wait()
            async with self._handing_out:  # one in each turn of the loop: they all have much to send
                if wanted.made:
                    return wanted.made[0]
        return await self._make(key, make)

    async def _make(self, key: str, make: Callable[[str], T]) -> T:
        wanted = self._wanted[key] = _Wanted()
        try:
            async with self._dear.alone():
                del self._wanted[key]  # who asks from now on gets a newer one
                wanted.made.append(make(key))
        finally:
            if self._wanted.get(key) is wanted:
                del self._wanted[key]
            wanted.settled.set()
        return wanted.made[0]


class _Wanted(Generic[T]):
    """What somebody is about to make. ``made`` stays empty where that fails."""

    def __init__(self) -> None:
        self.made: list[T] = []
        self.settled = trio.Event()


async def _pause() -> None:
    for _ in range(PAUSE):
        await trio.lowlevel.checkpoint()
