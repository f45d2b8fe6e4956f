"""This daemon as one of several that share the accounts of a store: its leases, what it does for the accounts, and what it hears of the others."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import trio

from monitor.daemon.callback_inbox import CallbackInbox
from monitor.daemon.fleet.async_leases import AsyncLeases
from monitor.daemon.fleet.fleet_json import fleet_json
from monitor.daemon.fleet.follower import UNREAD, FleetFollower
from monitor.daemon.fleet.held_accounts import AccountTasks, HeldAccounts
from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.daemon.fleet.others import OthersReader
from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.daemon.fleet.probes import Probes
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.rule_sets import RuleSets
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.model.fleet import Fleet
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import SECOND, Instant
from monitor.runtime.errors import StoreError
from monitor.runtime.task_supervisor import run_until
from monitor.store.async_store import AsyncStore

_LOOK_EVERY: Final = CHANGEOVER / 2
"""Seconds between two looks at what is left of accounts: an account counts as done with only if the store has said so for `CHANGEOVER`."""


class FleetMember:
    """The parts, wired together; for the parameters see `HeldAccounts` and `FleetFollower`."""

    def __init__(
        self,
        leases: AsyncLeases,
        store: AsyncStore,
        pipeline: Pipeline,
        gate: AccountGate,
        inbox: CallbackInbox,
        tasks: AccountTasks,
        present: Callable[[], RuntimeConfig],
        key: bytes,
        changed: Callable[[], None],
        unpolled: UnpolledAccounts,
        logouts: Callable[[], Awaitable[None]],
        ending: Callable[[Instant], set[str]] = lambda now: set(),
    ) -> None:
        """``ending`` returns the accounts of which ends are to be told that the store knows nothing of."""
        self._ending = ending
        self._leases, self._store, self._pipeline, self._present = leases, store, pipeline, present
        self._owners: tuple[str, ...] = ()
        """The accounts of which something is left in the store to be ended or told."""
        self._has_begun = False
        held = HeldAccounts(store, pipeline, tasks, present, key, changed, self._leading, self._why_not)
        services = pipeline.services
        services.worker = leases.name
        self._keeper = LeaseKeeper(
            leases,
            store,
            gate,
            self._configured,
            held,
            services.clock,
            orphans=self._orphans,
            failed=services.internal_error,
            unpolled=unpolled,
        )
        self.works = held.works
        self.leave, self.settle = self._keeper.leave, self._keeper.settle
        follower = FleetFollower(self._keeper, pipeline, self._configured, inbox.take_forwarded, gate.is_open, logouts)
        self.follow = follower.run
        self.probe = Probes(lambda: present().config, unpolled, services, changed).run
        self.announce_rules = RuleSets(store, pipeline, present).run
        self.read_others = OthersReader(store, pipeline, present, key, self._held_elsewhere, self._keeper.rows_read).run

    @property
    def worker(self) -> int:
        """The number of this daemon among those that share the store."""
        return self._keeper.worker

    def described(self) -> dict[str, Any]:
        """Returns the daemons and who holds what, by the last successful beat, as JSON has it."""
        view, age, now = self._keeper.view, self._keeper.age, self._pipeline.services.clock.now()
        fleet, as_of = Fleet() if view is None else view.fleet, None if age is None else now - round(age * SECOND)
        return fleet_json(fleet, self.worker, self._configured(), as_of=as_of, now=now)

    async def start(self, nursery: trio.Nursery, stop: trio.Event) -> None:
        """Starts keeping leases in ``nursery``. Returns once what nobody else has is adopted, or when ``stop`` is set. Raises StoreError."""
        self._owners = tuple(await self._store.owners())
        self._has_begun = True
        self._pipeline.services.health.fleet(UNREAD)  # until `follow` knows better
        # It goes on after ``stop``: what is just being sent ends, and is noted, under the leases.
        nursery.start_soon(self._keeper.run, name="leases")
        await run_until(stop, self._keeper.settled.wait)

    async def look_for_removed(self) -> None:
        """Follows of which accounts something is left to be ended or told, until it is cancelled."""
        while True:
            await trio.sleep(_LOOK_EVERY)
            with suppress(StoreError):  # then it is as it was at the last look
                self._owners = tuple(await self._store.owners())

    async def close(self) -> None:
        """Closes the connection of the leases. Others are not told any more of a daemon that ended before it could work."""
        if self._has_begun:
            await self._leases.close()
        else:
            await self._leases.withdraw()

    def _configured(self) -> list[str]:
        return [account.name for account in self._present().config.accounts]

    def _leading(self) -> str:
        view = self._keeper.view
        return "" if view is None else view.fleet.leading

    def _why_not(self) -> str:
        return self._keeper.why_not

    def _held_elsewhere(self) -> list[str]:
        view = self._keeper.view
        leases = () if view is None else view.fleet.leases
        known = dict.fromkeys([*self._configured(), *(lease.account for lease in leases if lease.expires_in > 0)])
        return [name for name in known if name not in self._pipeline.accounts]

    def _orphans(self) -> list[str]:
        """Returns accounts that are not configured here, but of which something is left to be ended or told, in the store or here.

        What Alertmanagers are to be told is of accounts that are held here.
        """
        configured = set(self._configured())
        here = [name for name, one in self._pipeline.accounts.items() if any(one.evaluator.every_alert())]
        ending = self._ending(self._pipeline.services.clock.now()) & self._pipeline.accounts.keys()
        return [name for name in dict.fromkeys([*self._owners, *here, *sorted(ending)]) if name not in configured]
