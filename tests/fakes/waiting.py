"""Waits until a condition is true, in tests with real sockets, threads or processes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import trio

GUARD = 60.0
"""Seconds after which a wait counts as hanging, even on a busy machine. It measures nothing."""


def guarded() -> AbstractContextManager[trio.CancelScope]:
    """Ends the block; raises trio.TooSlowError if it hangs."""
    return trio.fail_after(GUARD)


async def until(true: Callable[[], object], what: str | Callable[[], str], within: float = GUARD) -> None:
    """Checks every few milliseconds; fails with ``what`` after ``within`` seconds."""
    with trio.move_on_after(within):
        while not true():
            await trio.sleep(0.005)
        return
    raise AssertionError(f"waited {within:g} s in vain for {what if isinstance(what, str) else what()}")
