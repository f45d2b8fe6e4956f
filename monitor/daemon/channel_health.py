"""Watches whether channels take what they are sent, and raises `NotificationFailing` where one does not: on the other receivers."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.model.builtin_alerts import NOTIFICATION_FAILING, finding, over
from monitor.notify.outbox import Failing, Outbox
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration
from monitor.runtime.errors import StoreError

PATIENCE: Final[Duration] = 5 * MINUTE
"""A channel that has taken nothing for so long since its first failure is told of; a dead letter is told of at once."""
LOOK_EVERY: Final[Duration] = 5 * SECOND
SLOWEST_SEND: Final = 150.0
"""Seconds. A send is cut off long before; one that lasts longer means that delivery does not get on."""
SLOWEST_STEP: Final = 400.0
"""Seconds. A channel whose task has something to do and gets no step further for so long does not get on: the longest pause between two
tries to write a receipt is shorter."""

log = logging.getLogger("monitor")

Channel = tuple[str, str]
"""A receiver and its channel (``slack/0``)."""


class ChannelWatch:
    """``channels`` are those of the configuration. ``alive`` is called while deliveries get on, ``report`` with what fails and why."""

    def __init__(
        self,
        pipeline: Pipeline,
        outbox: Outbox,
        channels: Collection[Channel],
        clock: Clock,
        *,
        alive: Callable[[], None],
        report: Callable[[Mapping[Channel, str]], None],
    ) -> None:
        self._pipeline = pipeline
        self._outbox = outbox
        self._channels = frozenset(channels)
        self._clock = clock
        self._alive = alive
        self._report = report

    async def run(self) -> None:
        """Look again and again."""
        while True:
            with contextlib.suppress(StoreError):  # the pipeline has complained of it, and the next look finds the same
                await self.look()
            if self._gets_on:
                self._alive()
            await self._clock.sleep(LOOK_EVERY)

    @property
    def _gets_on(self) -> bool:
        """Whether every channel's task that has something to do does it, and is not stuck in it."""
        now, outbox = trio.current_time(), self._outbox
        in_time = all(now - began < SLOWEST_SEND for began in outbox.sending.values())
        return in_time and all(now - since < SLOWEST_STEP for since in outbox.at_work.values())

    def watch(self, channels: Collection[Channel]) -> None:
        """From now on these are the configuration's."""
        self._channels = frozenset(channels)

    async def look(self) -> None:
        """Raise and end what has changed. Raises StoreError; what was not told then is at the next look."""
        failing = {channel: one for channel, one in self._outbox.failing.items() if self._is_failing(one)}
        self._report({channel: one.why for channel, one in failing.items()})
        raised = dict(self._raised())
        for channel, one in failing.items():
            if channel not in raised:
                await self._tell(self._pipeline.first_account, channel, one)
        for channel, account in raised.items():
            if channel not in self._channels or (channel in self._outbox.taken and channel not in self._outbox.failing):
                receiver, name = channel
                await self._pipeline.tell(account, NOTIFICATION_FAILING, over(receiver=receiver, channel=name))

    def _is_failing(self, one: Failing) -> bool:
        return one.refused or self._clock.now() - one.since >= PATIENCE

    def _raised(self) -> Iterator[tuple[Channel, str]]:
        """The channels of which it is told that they fail, and the account under which it is."""
        for account, about in self._pipeline.firing(NOTIFICATION_FAILING):
            yield (about.get("receiver", ""), about.get("channel", "")), account

    async def _tell(self, account: str, channel: Channel, one: Failing) -> None:
        receiver, name = channel
        what = (
            "refused a notification and will not get it again"
            if one.refused
            else "has accepted no notification for 5 minutes"
        )
        why = f"receiver {receiver} ({name}) {what}: {one.why}"
        log.error("%s", why)
        await self._pipeline.tell(account, NOTIFICATION_FAILING, finding(why, receiver=receiver, channel=name))
