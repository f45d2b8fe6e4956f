"""The handle of a running delivery: its state, and the methods that wake, stop and reconfigure it."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Literal, Protocol

import trio

from monitor.notify.channels.protocol import Notifier
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import Clock, Duration, Instant
from monitor.runtime.dataclass import dataclass


class DeliveryObserver(Protocol):
    """Observes the tries."""

    def notification(
        self, receiver: str, channel: str, outcome: Literal["sent", "retry", "rejected"], seconds: float
    ) -> None:
        """Records that one try has ended with ``outcome`` after ``seconds``."""


class Unobserved:
    """An observer that records nothing."""

    def notification(
        self, receiver: str, channel: str, outcome: Literal["sent", "retry", "rejected"], seconds: float
    ) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel that has accepted nothing since its first failure at ``since``; ``why`` is the latest reason.

    ``refused`` says that it has rejected a notification for good.
    """

    since: Instant
    why: str
    refused: bool = False


Notifiers = Mapping[tuple[str, str], Notifier]
"""Notifiers by receiver and channel."""


class Outbox:
    """The state of delivery, by channel (receiver, channel). Times are in trio's seconds.

    ``failing`` holds the channels whose last try failed; ``accepted_channels`` those that have ever accepted something; ``sending`` the sends under
    way and when they are cut off; ``busy`` the channels that have work, and when they last made progress; ``gate`` says whose may be sent.
    """

    def __init__(self) -> None:
        self.failing: dict[tuple[str, str], Failing] = {}
        self.accepted_channels: set[tuple[str, str]] = set()
        self.sending: dict[tuple[str, str, int], float] = {}
        self.busy: dict[tuple[str, str], float] = {}
        self.assign: Callable[[Notifiers], None] = lambda notifiers: None
        """Replaces the notifiers. An unchanged one goes on; one that is removed or replaced first finishes what it is sending. Notifications to a
        removed channel stay in the outbox until it returns.
        """

        self._ends: dict[tuple[str, str], Callable[[Instant], set[str]]] = {}
        self.gate = AccountGate(self.wake)
        self.stopped = trio.Event()
        self._wake_event = trio.Event()

    def wake(self) -> None:
        """Notifies the senders that notifications were committed."""
        self._wake_event.set()
        self._wake_event = trio.Event()

    def stop(self) -> None:
        """Begins no more sends; those under way get the grace period to end. `deliver` then returns."""
        self.stopped.set()
        self.wake()

    def failed(self, channel: tuple[str, str], why: str, now: Instant, *, refused: bool) -> None:
        """Records a failed try of the channel; ``refused`` says that the channel rejected it for good."""
        known = self.failing.get(channel)
        self.failing[channel] = Failing(known.since if known else now, why, refused)

    def accepted(self, channel: tuple[str, str]) -> None:
        """Records that the channel has accepted something."""
        self.failing.pop(channel, None)
        self.accepted_channels.add(channel)

    def forget(self, channel: tuple[str, str]) -> None:
        """Forgets the state of the channel, because it says nothing about a replacement."""
        self.failing.pop(channel, None)
        self.accepted_channels.discard(channel)
        self._ends.pop(channel, None)

    def ends(self, channel: tuple[str, str], accounts: Callable[[Instant], set[str]]) -> None:
        """Takes a function that returns of which accounts the channel has ends of alerts to tell that are not stored."""
        self._ends[channel] = accounts

    def ending(self, now: Instant) -> set[str]:
        """Returns the accounts of which some channel has such ends to tell."""
        return set[str]().union(*(accounts(now) for accounts in self._ends.values()))

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self.stopped.is_set()

    @property
    def wake_event(self) -> trio.Event:
        """The event that the next `wake` or `stop` sets. Get it before reading the store, so that no `wake` is missed."""
        return self._wake_event

    async def pause(self, clock: Clock, duration: Duration, leave: trio.Event) -> None:
        """Waits for ``duration``, or until `stop` or ``leave``."""
        await _first(self.stopped.wait, leave.wait, partial(clock.sleep, duration))

    async def rest(self, clock: Clock, duration: Duration | None, *events: trio.Event) -> None:
        """Waits for ``duration`` (None: without limit), or until the first of ``events``."""
        waits: list[Callable[[], Awaitable[object]]] = [event.wait for event in events]
        await _first(*waits, *([] if duration is None else [partial(clock.sleep, duration)]))


async def _first(*waits: Callable[[], Awaitable[object]]) -> None:
    """Waits until the first of them returns."""
    async with trio.open_nursery() as nursery:

        async def wait_and_cancel(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(wait_and_cancel, wait)
