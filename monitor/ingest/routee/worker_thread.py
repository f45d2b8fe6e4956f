"""Large answers are worked on in a thread, so that whoever else runs is not kept waiting for the whole of it."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

Result = TypeVar("Result")

_LIMITER: Final = trio.lowlevel.RunVar[trio.CapacityLimiter]("threads that work on large answers")


async def in_worker(work: Callable[[bytes], Result], body: bytes, large: int) -> Result:
    """What ``work`` makes of ``body``: at once up to ``large`` bytes, else in a thread.

    There is one thread for all accounts: many large answers together take the memory of one.
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
