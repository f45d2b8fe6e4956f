"""What taking over accounts costs where the database is far away: round trips, of which it must not matter how many accounts there are."""

from contextlib import closing

import pytest
import trio

from monitor.daemon.fleet.held_accounts import HeldAccounts
from monitor.runtime.clock import SECOND
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.async_store import AsyncStore
from monitor.store.postgresql import PostgresqlStore, open_worker
from tests.daemon.fleet.test_held_accounts import Tasks
from tests.fakes.far_link import far_link
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, SharedWorker
from tests.fakes.written import settings

ACCOUNTS = [f"account{number:02}" for number in range(20)]
CONFIG = f"""
accounts: [{", ".join(f"{{name: {one}, application_id: id, application_secret: secret}}" for one in ACCOUNTS)}]
searches: [{", ".join(f"{{name: all, account: {one}, every: 1d}}" for one in ACCOUNTS)}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 0s}}
web: off
{SHARED}
"""
RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1h, above: 20%}]"


class FarWorker(SharedWorker):
    """A worker on a store in PostgreSQL."""

    def __init__(self, store: PostgresqlStore, clock: HandClock) -> None:
        super().__init__(settings(RULES, CONFIG), clock, MemoryStore())
        self.front = AsyncStore(store)  # type: ignore[assignment]  # the other front is one without a thread


@pytest.mark.parametrize("number", [2, 20])
async def test_a_take_over_costs_the_same_round_trips_however_many_accounts_are_taken(
    postgresql: PostgresqlAddress, number: int
) -> None:
    clock, accounts = HandClock(), ACCOUNTS[:number]
    with (
        far_link(postgresql) as link,
        closing(open_worker(postgresql)) as near,
        closing(open_worker(link.address)) as far,
    ):
        first, second = FarWorker(near, clock), FarWorker(far, clock)
        await first.start(accounts)
        for account in accounts:
            sent = traffic(9, date=clock.now() - SECOND, operator="Cosmote")
            rows = [row | {"messageId": f"{account}{number}"} for number, row in enumerate(sent)]
            await first.poll(account, rows, clock.now())
        await second.start()
        tasks, key = Tasks(), second.store.secret("recipients")
        held = HeldAccounts(
            second.front, second.pipeline, tasks, lambda: second.present, key, lambda: None, lambda: ACCOUNTS[0]
        )
        link.round_trip = 0.1  # so that no answer comes while something is still being sent
        before = link.turns
        async with trio.open_nursery() as nursery:
            for account in accounts:
                nursery.start_soon(held.adopt, account)
        assert list(second.pipeline.accounts) == accounts
        assert [len(second.firing(one)) for one in accounts] == [1] * number
        assert link.turns - before <= 8
