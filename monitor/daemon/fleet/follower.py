"""Follows what the other daemons on the store do: what people changed there, and callbacks that came there."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.daemon.pipeline import Pipeline
from monitor.model.fleet import FleetView
from monitor.runtime.errors import StoreError

UNREAD: Final = "The alerts of accounts that other daemons hold are not read yet"


class FleetFollower:
    """Takes the answer to each beat.

    ``wanted`` returns the accounts that are configured, ``forwarded`` takes in the callbacks that wait, ``may_act`` returns whether this
    daemon may act for an account at that moment, and ``logouts`` ends the sessions of browsers that were ended elsewhere.
    """

    def __init__(
        self,
        keeper: LeaseKeeper,
        pipeline: Pipeline,
        wanted: Callable[[], Sequence[str]],
        forwarded: Callable[[], Awaitable[None]],
        may_act: Callable[[str], bool],
        logouts: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self._keeper, self._pipeline = keeper, pipeline
        self._wanted, self._forwarded, self._may_act, self._logouts = wanted, forwarded, may_act, logouts
        self._edits: int | None = None
        self._has_begun = False

    async def run(self) -> None:
        """Follows until it is cancelled. What fails is tried again at the next beat."""
        while True:
            beaten, view = self._keeper.beaten, self._keeper.view
            if view is not None:
                with suppress(StoreError):  # the code that uses the store logs it
                    await self.follow(view)
            await beaten.wait()

    async def follow(self, view: FleetView) -> None:
        """Does what the answer to a beat asks for. Raises StoreError."""
        self._report(view)
        if not self._pipeline.accounts:
            self._pipeline.services.health.store()  # it commits nothing, so that the beat is what shows that the store can be written
        await self._pipeline.led_by(view.fleet.leading)
        if view.edits != self._edits:
            self._pipeline.services.wake()  # dead letters may wait again
            await self._logouts()
            await self._pipeline.suppressions_changed()
            self._edits = view.edits
        if view.callbacks_wait:
            await self._forwarded()

    def _report(self, view: FleetView) -> None:
        services, wanted = self._pipeline.services, self._wanted()
        services.metrics.fleet(len(view.fleet.living), lambda: self._keeper.age or 0.0, self._held)
        nobodys = [account for account in wanted if view.fleet.holder_of(account) is None]
        known = {*self._pipeline.accounts, *self._pipeline.elsewhere.accounts}
        unread = [account for account in wanted if account not in known]
        self._has_begun = self._has_begun or not (nobodys or unread)
        why = f"No daemon works for account {', '.join(nobodys)} yet" if nobodys else UNREAD
        services.health.fleet("" if self._has_begun else why)

    def _held(self) -> dict[str, bool]:
        accounts = self._pipeline.accounts
        return {account: account in accounts and self._may_act(account) for account in self._wanted()}
