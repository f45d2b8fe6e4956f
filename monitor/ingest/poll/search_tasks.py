"""One search's life: polls at each interval, sweeps in between, and a watch on blindness.

Polls and sweeps are two tasks, so that no slow sweep delays a poll; a sweep gives way before each of its requests while a poll
runs. Where a sweep's whole span fits on one page it costs less as part of a poll than as a request of its own: the poll
then simply starts further back.
"""

from typing import Final

import trio

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.poller import Polls
from monitor.ingest.poll.search_state import SearchState
from monitor.ingest.poll.sink import NoObserver, PollObserver, Sink
from monitor.ingest.poll.sweep_scheduler import Sweeps
from monitor.ingest.poll.trouble import Trouble
from monitor.model.routee_query import Tracking
from monitor.runtime.clock import Clock
from monitor.store.protocol import Cursor

LAST_POLL: Final = 10.0
"""Seconds that a poll under way gets to be completed when it is told to stop."""


async def poll_search(
    plan: SearchPlan,
    tracking: Tracking,
    sink: Sink,
    clock: Clock,
    cursor: Cursor | None,
    *,
    stop: trio.Event | None = None,
    observer: PollObserver | None = None,
    trouble: Trouble | None = None,
) -> None:
    """Poll until cancelled, or until ``stop`` is set. ``cursor`` is the last one that was committed; None: never polled.

    Polls and sweeps that fail (RouteeError, StoreError) are told to the sink and made again at the next interval, over the
    whole range since the watermark. Told to stop it completes a poll that is under way, if that takes no longer than LAST_POLL;
    nothing is lost where it is cut short, as only what is complete counts. ``trouble``
    is told by others of tries that fail while a poll goes on.
    """
    search = SearchState(plan, tracking, sink, clock, cursor, observer or NoObserver(), trouble)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(search.blindness.watch, name=f"watch {plan.name}")
        nursery.start_soon(Polls(search).run, name=f"poll {plan.name}")
        nursery.start_soon(Sweeps(search).run, name=f"sweep {plan.name}")
        if stop is not None:
            await stop.wait()
            with trio.move_on_after(LAST_POLL):
                await search.idle.wait()
            nursery.cancel_scope.cancel()
