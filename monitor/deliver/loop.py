"""Starts a sender for each channel, and ends them."""

import logging
from collections.abc import Mapping
from typing import Final

import trio

from monitor.clock import Clock
from monitor.deliver.outbox import Observer, Outbox, Unobserved
from monitor.deliver.sender import Sender
from monitor.errors import StoreError
from monitor.notify.outcome import Notifier
from monitor.store.thread import StoreFront

GRACE: Final = 4.0
"""Seconds that sends under way get to end when delivery is stopped."""

log = logging.getLogger("monitor.deliver")


async def deliver(
    store: StoreFront,
    notifiers: Mapping[tuple[str, str], Notifier],
    clock: Clock,
    *,
    observer: Observer | None = None,
    grace: float = GRACE,
    task_status: trio.TaskStatus[Outbox] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Send what waits for ``notifiers`` (by receiver and channel) until `Outbox.stop`; hands back the Outbox at its start.

    What waits for a channel without a notifier stays and is reported. Failures of the store and of channels are logged and
    outlived. After ``grace`` seconds of stopping, sends under way are cut off: they are made again at the next start.
    """
    outbox = Outbox()
    async with trio.open_nursery() as nursery:
        for (receiver, channel), notifier in notifiers.items():
            sender = Sender(outbox, store, clock, observer or Unobserved(), receiver, channel, notifier)
            nursery.start_soon(sender.run, name=f"deliver to {receiver} {channel}")
        nursery.start_soon(_report_unclaimed, store, set(notifiers), name="report unclaimed notifications")
        task_status.started(outbox)
        await outbox.stopped.wait()
        nursery.cancel_scope.deadline = trio.current_time() + grace


async def _report_unclaimed(store: StoreFront, claimed: set[tuple[str, str]]) -> None:
    try:
        backlog = await store.backlog()
    except StoreError as error:
        log.warning("Cannot tell whether notifications wait for channels that are gone: %s", error)
        return
    for receiver, channel in backlog.keys() - claimed:
        waiting, _ = backlog[receiver, channel]
        log.warning(
            "%d notifications wait for %s %s, which the configuration no longer has: they stay until it has it again",
            waiting,
            receiver,
            channel,
        )
