"""When groups are flushed: `monitor.daemon.flush_timer` with a pipeline of which only what it calls is there."""

from typing import Any, cast

import trio
import trio.testing

from monitor.daemon.flush_timer import RETRY_AFTER, flush_when_due
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.services import Services
from monitor.runtime.clock import SECOND, TrioClock
from monitor.runtime.errors import LeaseLost


class Stuck:
    """A pipeline with an account that cannot begin."""

    begin_is_due = True

    def __init__(self) -> None:
        clock = TrioClock(0)
        self.services = Services(clock, Metrics(clock), Health(lambda: 0.0), lambda: None)
        self.flushed_at = list[float]()

    async def begin(self) -> None:
        await trio.lowlevel.checkpoint()
        raise LeaseLost(("a",))

    async def flush_due(self) -> None:
        await trio.lowlevel.checkpoint()
        self.flushed_at.append(trio.current_time())


async def test_what_is_due_of_others_does_not_wait_for_an_account_that_cannot_begin(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pipeline, began = Stuck(), trio.current_time()
    with trio.move_on_after(3.5 * RETRY_AFTER / SECOND):
        await flush_when_due(cast(Pipeline, cast(Any, pipeline)))
    assert [at - began for at in pipeline.flushed_at] == [number * RETRY_AFTER / SECOND for number in range(4)]
