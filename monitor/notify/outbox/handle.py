"""The handle of a running delivery: what others may ask and tell it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import trio

from monitor.notify.channels.protocol import Notifier
from monitor.runtime.clock import Clock, Duration, Instant


class DeliveryObserver(Protocol):
    """Who counts the tries."""

    def notification(
        self, receiver: str, channel: str, outcome: Literal["sent", "retry", "rejected"], seconds: float
    ) -> None:
        """One try has ended with ``outcome`` after ``seconds``."""


class Unobserved:
    """Counts nothing."""

    def notification(
        self, receiver: str, channel: str, outcome: Literal["sent", "retry", "rejected"], seconds: float
    ) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel that has taken nothing since its first failure at ``since``; ``why`` is the latest reason.

    ``refused``: it has said of a notification that it never will take it.
    """

    since: Instant
    why: str
    refused: bool = False


Notifiers = Mapping[tuple[str, str], Notifier]
"""By receiver and channel."""


class Outbox:
    """``failing`` has the channels (receiver, channel) whose last try did not succeed, ``taken`` those that have ever taken something,
    ``sending`` those that are being sent to and since when, ``at_work`` those that are at work at all and since when they last got a
    step further, in trio's seconds."""

    def __init__(self) -> None:
        self.failing: dict[tuple[str, str], Failing] = {}
        self.taken: set[tuple[str, str]] = set()
        self.sending: dict[tuple[str, str, int], float] = {}
        self.at_work: dict[tuple[str, str], float] = {}
        self.assign: Callable[[Notifiers], None] = lambda notifiers: None
        """Send through these from now on. One that is the same as before goes on; one that is left out, or takes another's place, first
        ends what it is sending. What waits for a channel that is left out stays until it is there again."""

        self.stopped = trio.Event()
        self._bell = trio.Event()

    def wake(self) -> None:
        """Notifications were committed: look now."""
        self._bell.set()
        self._bell = trio.Event()

    def stop(self) -> None:
        """Begin nothing more; what is under way has the grace period to end. `deliver` then returns."""
        self.stopped.set()
        self.wake()

    def failed(self, channel: tuple[str, str], why: str, now: Instant, *, refused: bool) -> None:
        """A try of the channel did not succeed; ``refused``: it never will take this."""
        known = self.failing.get(channel)
        self.failing[channel] = Failing(known.since if known else now, why, refused)

    def took(self, channel: tuple[str, str]) -> None:
        """The channel has taken something."""
        self.failing.pop(channel, None)
        self.taken.add(channel)

    def forget(self, channel: tuple[str, str]) -> None:
        """What is known of the channel says nothing of one that may take its place."""
        self.failing.pop(channel, None)
        self.taken.discard(channel)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self.stopped.is_set()

    @property
    def bell(self) -> trio.Event:
        """Set at the next `wake` or `stop`. Take it before looking into the store: then no ring is missed."""
        return self._bell

    async def pause(self, clock: Clock, duration: Duration, leave: trio.Event) -> None:
        """Wait that long, or until `stop` or ``leave``."""
        await _first(self.stopped.wait, leave.wait, partial(clock.sleep, duration))

    async def rest(self, bell: trio.Event, clock: Clock, duration: Duration | None) -> None:
        """Wait that long (None: however long) or until ``bell``."""
        if duration is None:
            await bell.wait()
        else:
            await _first(bell.wait, partial(clock.sleep, duration))


async def _first(*waits: Callable[[], Awaitable[object]]) -> None:
    """Until the first of them is over."""
    async with trio.open_nursery() as nursery:

        async def race(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(race, wait)
