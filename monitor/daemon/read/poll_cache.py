"""Keeps what was worked out until the next poll, or other news, so that a hundred viewers cost no more than one."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import field
from typing import Any, Final, TypeVar

import trio

from monitor.runtime.dataclass import dataclass

MOST_KEPT: Final = 48
"""The most results that are kept; the one that was asked for least lately makes room."""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _ResultToCome:
    """A result that a task is making. ``made`` stays empty if that fails."""

    stamp: Hashable
    made: list[Any] = field(default_factory=list)
    settled: trio.Event = field(default_factory=trio.Event)


class PollCache:
    """Results by key. ``stamp`` returns something that is different after each poll, and now and then while reports are
    pushed. Results as of an earlier stamp are not kept.
    """

    def __init__(self, stamp: Callable[[], Hashable], most: int = MOST_KEPT) -> None:
        self._stamp = stamp
        self._most = most
        self._kept: dict[Hashable, Any] = {}
        self._kept_as_of: Hashable = None
        self._pending: dict[Hashable, _ResultToCome] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of ``make`` as of the latest poll before this call, or a later one.

        It is made once for all who ask for it at the same time, also if polls come faster than it is made.
        """
        while True:
            stamp = self._forget_earlier()
            if key in self._kept:
                found: T = self._kept.pop(key)
                self._kept[key] = found  # at the end: it was asked for last
                return found
            pending = self._pending.get(key)
            if pending is None:
                return await self._make(key, stamp, make)
            await pending.settled.wait()
            if pending.made and pending.stamp == stamp:
                made: T = pending.made[0]
                return made

    async def _make(self, key: Hashable, stamp: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        pending = self._pending[key] = _ResultToCome(stamp)
        try:
            made = await make()
            pending.made.append(made)
            if self._forget_earlier() == stamp:
                self._kept[key] = made
                while len(self._kept) > self._most:
                    del self._kept[next(iter(self._kept))]
            return made
        finally:
            del self._pending[key]
            pending.settled.set()

    def _forget_earlier(self) -> Hashable:
        """Returns the present stamp. Forgets results that were made at another one."""
        stamp = self._stamp()
        if stamp != self._kept_as_of:
            self._kept, self._kept_as_of = {}, stamp
        return stamp
