"""Waits until a condition is true, in tests with real sockets, threads or processes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import trio

GUARD = 60.0
"""Seconds. Whatever takes longer hangs, also on a machine that is busy with other things: nothing is measured by it."""


def guarded() -> AbstractContextManager[trio.CancelScope]:
    """The block ends; trio.TooSlowError where it hangs."""
    return trio.fail_after(GUARD)


async def until(true: Callable[[], object], what: str | Callable[[], str], within: float = GUARD) -> None:
    """Look every few milliseconds; fails, naming ``what`` was waited for, after ``within`` seconds."""
    with trio.move_on_after(within):
        while not true():
            await trio.sleep(0.005)
        return
    raise AssertionError(f"waited {within:g} s in vain for {what if isinstance(what, str) else what()}")
