"""This daemon as one of several that share the accounts of a store: its leases, what it does for the accounts, and what it hears of the others."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from monitor.config.monitor import Config
from monitor.daemon.fleet.async_leases import AsyncLeases
from monitor.daemon.fleet.follower import FleetFollower
from monitor.daemon.fleet.held_accounts import HeldAccounts
from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.model.fleet import FleetView
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.task_supervisor import run_until
from monitor.store.leases import LeaseStore


class FleetMember:
    """The parts, wired together."""

    def __init__(self, keeper: LeaseKeeper, held: HeldAccounts, follower: FleetFollower) -> None:
        self._keeper, self._held = keeper, held
        self.follow: Callable[[], Awaitable[None]] = follower.run
        """The task that follows the other daemons."""

    @property
    def worker(self) -> int:
        """The number of this daemon."""
        return self._keeper.worker

    @property
    def view(self) -> FleetView | None:
        """What the last successful beat told; None before the first one."""
        return self._keeper.view

    def works(self, account: str) -> bool:
        """Returns whether the account, which the pipeline has, is to be polled now."""
        return self._held.works(account)

    async def start(self, nursery: trio.Nursery, stop: trio.Event) -> None:
        """Starts keeping leases. Returns once what nobody else has is adopted, or when ``stop`` is set."""
        await run_until(stop, partial(nursery.start, self._keeper.run, name="leases"))
