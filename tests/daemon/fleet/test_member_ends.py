"""An account that is in no daemon's configuration any more stays with the daemon that has ends of it to tell, of which the store knows nothing."""

from collections.abc import Callable
from typing import TypeVar

import trio
import trio.testing

from monitor.daemon.callback_inbox import CallbackInbox
from monitor.daemon.fleet.async_leases import AsyncLeases
from monitor.daemon.fleet.member import FleetMember
from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.model.privacy import RecipientMask
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import SECOND, TrioClock
from monitor.store.leases import LeaseStore
from tests.fakes.lease_table import LeaseTable, TableLeases
from tests.fakes.memory_store import MemoryStore
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker, present_of
from tests.fakes.written import settings

T = TypeVar("T")
REST = f"""
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops}}
web: off
{SHARED}
"""
RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1h, above: 20%}]"


class Leases(AsyncLeases):
    """Calls without a thread, which virtual time would not wait for."""

    async def run(self, call: Callable[[LeaseStore], T]) -> T:
        await trio.lowlevel.checkpoint()
        return call(self._leases)


class Tasks:
    """There are none."""

    def halt(self, account: str) -> None:
        """Nothing runs."""

    async def ended(self, account: str) -> None:
        await trio.lowlevel.checkpoint()


async def test_it_is_held_on_and_none_is_taken_for_that(autojump_clock: trio.testing.MockClock) -> None:
    clock = TrioClock(round(trio.current_time() * SECOND))
    worker = SharedWorker(settings(RULES, THREE_ACCOUNTS + REST), clock, MemoryStore())
    await worker.start()
    table, key, ending = LeaseTable(), worker.store.secret("recipients"), {"c", "gone"}
    member = FleetMember(
        Leases(TableLeases(table, 1, trio.current_time)),
        worker.front,
        worker.pipeline,
        AccountGate(),
        CallbackInbox(worker.pipeline, worker.front, lambda: RecipientMask("masked", key)),
        Tasks(),
        lambda: worker.present,
        key,
        lambda: None,
        UnpolledAccounts(),
        trio.lowlevel.checkpoint,
        lambda now: ending,
    )

    def held() -> list[str]:
        return sorted(worker.pipeline.accounts)

    async with trio.open_nursery() as nursery:
        await member.start(nursery, trio.Event())
        assert held() == ["a", "b", "c"]
        without = "\n".join(
            line for line in THREE_ACCOUNTS.splitlines() if "name: c" not in line and ": c," not in line
        )
        worker.present = present_of(settings(RULES, f"{without}\n{REST}"), clock)
        await trio.sleep(3 * CHANGEOVER)
        assert held() == ["a", "b", "c"]
        ending.clear()
        await trio.sleep(3 * CHANGEOVER)
        assert held() == ["a", "b"]
        nursery.cancel_scope.cancel()
