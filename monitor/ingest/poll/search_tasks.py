"""Runs the tasks of one search: polls at each interval, sweeps in between, and the detection of blindness.

Polls and sweeps are two tasks, so that a slow sweep does not delay a poll. A sweep waits before each of its requests while a poll
runs. A sweep whose whole span fits on one page is done by a poll that starts further back, which saves a request.
"""

from typing import Final

import trio

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.poller import Polls
from monitor.ingest.poll.search_state import SearchState, Unread, nothing_unread
from monitor.ingest.poll.sink import NoObserver, PollObserver, Sink
from monitor.ingest.poll.sweep_scheduler import Sweeps
from monitor.ingest.poll.trouble import Trouble
from monitor.model.routee_query import Tracking
from monitor.runtime.clock import Clock
from monitor.store.protocol import Cursor

LAST_POLL: Final = 10.0
"""Seconds that a running poll may take to complete after it was told to stop."""


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
    overdue: bool = False,
    unread: Unread = nothing_unread,
) -> None:
    """Polls until cancelled, or until ``stop`` is set. ``cursor`` is the last committed one; None if the search was never polled.

    A failed poll or sweep is reported to the sink and repeated at the next interval, over the whole range since the watermark. After
    ``stop`` it waits up to LAST_POLL for a running poll. Nothing is lost if that poll is cut short, since only complete polls count.
    ``trouble`` gets the failed tries of requests while a poll goes on. ``overdue`` says that it was polled until now, or should have been: what is
    missing since ``cursor`` then counts as blind time. ``unread`` is asked what has to be read once; see `SearchState.unread`.
    """
    search = SearchState(plan, tracking, sink, clock, cursor, observer or NoObserver(), trouble, overdue, unread)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(search.blindness.watch, name=f"watch {plan.name}")
        nursery.start_soon(Polls(search).run, name=f"poll {plan.name}")
        nursery.start_soon(Sweeps(search).run, name=f"sweep {plan.name}")
        if stop is not None:
            await stop.wait()
            with trio.move_on_after(LAST_POLL):
                await search.idle.wait()
            nursery.cancel_scope.cancel()
