"""Processes large answers in a worker thread, so that they do not block other tasks."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

Result = TypeVar("Result")

_LIMITER: Final = trio.lowlevel.RunVar[trio.CapacityLimiter]("threads that work on large answers")


async def in_worker(work: Callable[[bytes], Result], body: bytes, large: int) -> Result:
    """Returns ``work(body)``. It runs directly up to ``large`` bytes, otherwise in a thread.

    One thread serves all accounts, so that many large answers take the memory of one.
    """
    if len(body) <= large:
        return work(body)
    return await trio.to_thread.run_sync(work, body, limiter=_limiter(), abandon_on_cancel=True)


def _limiter() -> trio.CapacityLimiter:
    try:
        return _LIMITER.get()
    except LookupError:
        limiter = trio.CapacityLimiter(1)
        _LIMITER.set(limiter)
        return limiter
