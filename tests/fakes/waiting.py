"""Waiting for something to become true, in a test with real sockets, threads or processes."""

from collections.abc import Callable

import trio


async def until(true: Callable[[], object], what: str | Callable[[], str], within: float = 20.0) -> None:
    """Look every few milliseconds; fails, naming ``what`` was waited for, after ``within`` seconds."""
    with trio.move_on_after(within):
        while not true():
            await trio.sleep(0.005)
        return
    raise AssertionError(f"waited {within:g} s in vain for {what if isinstance(what, str) else what()}")
