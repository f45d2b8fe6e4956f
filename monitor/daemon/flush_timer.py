"""Flushes groups when they are due: a group has waited, an interval has passed, or a silence ends."""

from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.runtime.clock import MINUTE, SECOND, Duration
from monitor.runtime.errors import StoreError

GROUPS: Final = "groups of alerts"
"""The name of this loop in `Health`."""
SLOWEST: Final[Duration] = 5 * MINUTE
"""Time without a sign of life after which the loop counts as stuck."""
LONGEST_WAIT: Final[Duration] = 10 * SECOND
"""The longest wait before the clock is read again, because it may be set while nothing is due."""
RETRY_AFTER: Final[Duration] = 5 * SECOND
"""Wait before the groups are flushed again after the store has failed."""


async def flush_when_due(pipeline: Pipeline) -> None:
    """Flushes whenever a group is due, until it is cancelled. Calls `Pipeline.begin` first if that is due."""
    services = pipeline.services
    while True:
        services.health.beat(GROUPS)
        if not pipeline.begin_is_due and not await _is_due(pipeline):
            continue
        try:
            await (pipeline.begin() if pipeline.begin_is_due else pipeline.flush_due())
        except StoreError:
            if pipeline.begin_is_due:
                with suppress(StoreError):  # what is due of other accounts does not wait for one that cannot begin
                    await pipeline.flush_due()
            await services.clock.sleep(RETRY_AFTER)


async def _is_due(pipeline: Pipeline) -> bool:
    """Waits until the next group is due and returns true, or false if a commit may have changed that time, or after `LONGEST_WAIT`."""
    clock, news, due, is_due = pipeline.services.clock, pipeline.news, pipeline.next_flush, False
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await news.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        wait = LONGEST_WAIT if due is None else min(due - clock.now(), LONGEST_WAIT)
        await clock.sleep(wait)
        is_due = due is not None and clock.now() >= due
        nursery.cancel_scope.cancel()
    return is_due
