"""Watches whether channels accept notifications, and raises `NotificationFailing` on the other receivers if one does not."""

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
"""The name in `Health` of all channels' loops together."""
PATIENCE: Final[Duration] = 5 * MINUTE
"""Time without a success, since its first failure, after which a channel is reported; a dead letter is reported at once."""
UPDATE_EVERY: Final[Duration] = 5 * SECOND
LATE: Final = 90.0
"""Seconds after which delivery counts as stuck if a send was to be cut off and still lasts."""
SLOWEST_STEP: Final = 400.0
"""Seconds without progress before a busy channel counts as stuck; the longest pause between two tries to write a receipt is shorter."""

log = logging.getLogger("monitor")

Channel = tuple[str, str]
"""A receiver and its channel (``slack/0``)."""


class ChannelWatch:
    """Watches the outbox's channels. ``channels`` are those of the configuration."""

    def __init__(self, pipeline: Pipeline, outbox: Outbox, channels: Collection[Channel]) -> None:
        self._pipeline = pipeline
        self._services = pipeline.services
        self._outbox = outbox
        self._channels = frozenset(channels)

    async def run(self) -> None:
        """Updates at intervals until it is cancelled."""
        while True:
            with contextlib.suppress(StoreError):  # the pipeline logs it, and the next update makes up for it
                await self.update()
            if self._makes_progress:
                self._services.health.beat(DELIVERY)
            await self._services.clock.sleep(UPDATE_EVERY)

    @property
    def _makes_progress(self) -> bool:
        """Whether no channel's task is stuck in its work."""
        now, outbox = trio.current_time(), self._outbox
        in_time = all(now - until < LATE for until in outbox.sending.values())
        return in_time and all(now - since < SLOWEST_STEP for since in outbox.busy.values())

    def watch(self, channels: Collection[Channel]) -> None:
        """Replaces the configuration's channels."""
        self._channels = frozenset(channels)

    async def update(self) -> None:
        """Raises and ends alerts as channels change. Raises StoreError; the next update then makes up for it."""
        failing = {channel: one for channel, one in self._outbox.failing.items() if self._is_failing(one)}
        reasons = {channel: one.why for channel, one in failing.items()}
        self._services.health.channels(reasons)
        self._services.metrics.failing(reasons)
        raised = dict(self._raised())
        for channel, one in failing.items():
            account = self._pipeline.default_account
            if channel not in raised and account is not None:
                await self._raise(account, channel, one)
        for channel, account in raised.items():
            if channel not in self._channels or (
                channel in self._outbox.accepted_channels and channel not in self._outbox.failing
            ):
                receiver, name = channel
                await self._pipeline.update_builtin(
                    account, NOTIFICATION_FAILING, over(receiver=receiver, channel=name)
                )

    def _is_failing(self, one: Failing) -> bool:
        return one.refused or self._services.clock.now() - one.since >= PATIENCE

    def _raised(self) -> Iterator[tuple[Channel, str]]:
        """Yields the channels with a firing alert, each with the account that keeps it."""
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
