"""Starts a sender for each channel, and stops and replaces senders."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import trio

from monitor.notify.outbox.handle import DeliveryObserver, Notifiers, Outbox, Unobserved
from monitor.notify.outbox.sender import Sender
from monitor.runtime.clock import Clock
from monitor.runtime.errors import StoreError
from monitor.runtime.task_supervisor import ById, KeepGoing, TaskSpec, TaskSupervisor, once
from monitor.store.async_store import AsyncStore

GRACE: Final = 4.0
"""Seconds that sends under way get to end when delivery is stopped, or their account is given away."""

log = logging.getLogger("monitor.notify.outbox")


async def deliver(
    store: AsyncStore,
    notifiers: Notifiers,
    clock: Clock,
    *,
    outbox: Outbox | None = None,
    observer: DeliveryObserver | None = None,
    keep_going: KeepGoing = once,
    grace: float = GRACE,
    task_status: trio.TaskStatus[Outbox] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Sends what waits for ``notifiers``, or for those of `Outbox.assign`, until `Outbox.stop`.

    Reports the Outbox as started; that is ``outbox`` if given. Notifications without a notifier stay and are logged. Failures of the store and of
    channels are logged and do not end it. After ``grace`` seconds of stopping, sends under way are cancelled; they are repeated at the next
    start.
    """
    outbox = outbox or Outbox()
    async with trio.open_nursery() as nursery:
        supervisor = TaskSupervisor(nursery, keep_going)

        def assign(notifiers: Notifiers) -> None:
            supervisor.assign(_specs(outbox, store, clock, observer or Unobserved(), notifiers))
            outbox.wake()  # wakes senders that are to leave and only wait
            nursery.start_soon(_report_unclaimed, store, set(notifiers), name="report unclaimed notifications")

        outbox.assign = assign
        assign(notifiers)
        task_status.started(outbox)
        await outbox.stopped.wait()
        nursery.cancel_scope.deadline = trio.current_time() + grace


def _specs(
    outbox: Outbox, store: AsyncStore, clock: Clock, observer: DeliveryObserver, notifiers: Notifiers
) -> Iterator[TaskSpec]:
    for (receiver, channel), notifier in notifiers.items():
        sender = partial(Sender, outbox, store, clock, observer, receiver, channel, notifier)
        yield TaskSpec(f"deliver to {receiver} {channel}", ById(notifier), partial(_send, sender))


async def _send(sender: Callable[..., Sender], leave: trio.Event) -> None:
    await sender(leave=leave).run()


async def _report_unclaimed(store: AsyncStore, claimed: set[tuple[str, str]]) -> None:
    try:
        backlog = await store.backlog()
    except StoreError as error:
        log.warning("Cannot read which notifications wait for removed channels: %s", error)
        return
    for receiver, channel in backlog.keys() - claimed:
        waiting, _ = backlog[receiver, channel]
        log.warning(
            "%d notifications wait for %s %s, which is no longer in the configuration; they stay until it is there again",
            waiting,
            receiver,
            channel,
        )
