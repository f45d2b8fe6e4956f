"""Watches whether channels take what they are sent, and raises `NotificationFailing` where one does not: on the other receivers."""

import contextlib
import logging
from collections.abc import Collection, Iterator
from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.model.builtin_alerts import NOTIFICATION_FAILING, finding, over
from monitor.notify.outbox import Failing, Outbox
from monitor.runtime.clock import MINUTE, SECOND, Duration
from monitor.runtime.errors import StoreError

DELIVERY: Final = "delivery"
"""The name of all channels' loops together, where signs of life are collected."""
PATIENCE: Final[Duration] = 5 * MINUTE
"""Time without a success since its first failure after which a channel is reported; a dead letter is reported at once."""
UPDATE_EVERY: Final[Duration] = 5 * SECOND
SLOWEST_SEND: Final = 150.0
"""Seconds. A send is cut off long before; one that lasts longer means that delivery does not get on."""
SLOWEST_STEP: Final = 400.0
"""Seconds without progress before a busy channel counts as stuck: longer than the longest pause between two
tries to write a receipt."""

log = logging.getLogger("monitor")

Channel = tuple[str, str]
"""A receiver and its channel (``slack/0``)."""


class ChannelWatch:
    """``channels`` are those of the configuration."""

    def __init__(self, pipeline: Pipeline, outbox: Outbox, channels: Collection[Channel]) -> None:
        self._pipeline = pipeline
        self._services = pipeline.services
        self._outbox = outbox
        self._channels = frozenset(channels)

    async def run(self) -> None:
        """Update again and again."""
        while True:
            with contextlib.suppress(
                StoreError
            ):  # the pipeline has complained of it, and the next update finds the same
                await self.update()
            if self._makes_progress:
                self._services.health.beat(DELIVERY)
            await self._services.clock.sleep(UPDATE_EVERY)

    @property
    def _makes_progress(self) -> bool:
        """Whether every channel's task that has something to do does it, and is not stuck in it."""
        now, outbox = trio.current_time(), self._outbox
        in_time = all(now - began < SLOWEST_SEND for began in outbox.sending.values())
        return in_time and all(now - since < SLOWEST_STEP for since in outbox.at_work.values())

    def watch(self, channels: Collection[Channel]) -> None:
        """From now on these are the configuration's."""
        self._channels = frozenset(channels)

    async def update(self) -> None:
        """Raise and end what has changed. Raises StoreError; what was not raised then is at the next update."""
        failing = {channel: one for channel, one in self._outbox.failing.items() if self._is_failing(one)}
        reasons = {channel: one.why for channel, one in failing.items()}
        self._services.health.channels(reasons)
        self._services.metrics.failing(reasons)
        raised = dict(self._raised())
        for channel, one in failing.items():
            if channel not in raised:
                await self._raise(self._pipeline.default_account, channel, one)
        for channel, account in raised.items():
            if channel not in self._channels or (channel in self._outbox.taken and channel not in self._outbox.failing):
                receiver, name = channel
                await self._pipeline.update_builtin(
                    account, NOTIFICATION_FAILING, over(receiver=receiver, channel=name)
                )

    def _is_failing(self, one: Failing) -> bool:
        return one.refused or self._services.clock.now() - one.since >= PATIENCE

    def _raised(self) -> Iterator[tuple[Channel, str]]:
        """The channels of which it is told that they fail, and the account under which it is."""
        for account, about in self._pipeline.firing(NOTIFICATION_FAILING):
            yield (about.get("receiver", ""), about.get("channel", "")), account

    async def _raise(self, account: str, channel: Channel, one: Failing) -> None:
        receiver, name = channel
        what = (
            "refused a notification and will not get it again"
            if one.refused
            else "has accepted no notification for 5 minutes"
        )
        why = f"receiver {receiver} ({name}) {what}: {one.why}"
        log.error("%s", why)
        await self._pipeline.update_builtin(
            account, NOTIFICATION_FAILING, finding(why, receiver=receiver, channel=name)
        )
