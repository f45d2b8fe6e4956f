"""Two real daemons whose database is far away: they share the accounts, and one goes on when the other dies, as if it were near."""

from pathlib import Path

import pytest
from e2e_cluster import ACCOUNTS, cluster, taken, until_shared
from e2e_store import store_keys

from monitor.runtime.clock import SECOND
from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.far_link import far_link
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e
SLOWLY = {"searches": [{"name": "all", "account": name, "every": "10s"} for name in ACCOUNTS]}
"""Each poll is a commit, which takes three round trips."""
LAST = "SELECT CAST(extract(epoch FROM max(since)) * 1000000 AS BIGINT) FROM routee_monitor.lease"
"""When the last account was taken, by the server's clock, which is this machine's."""


async def test_a_worker_whose_database_is_far_away_takes_over_like_any_other(
    tmp_path: Path, postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with far_link(postgresql, 0.1) as one, far_link(postgresql, 0.1) as another:
        async with (
            cluster(tmp_path, postgresql, **SLOWLY) as town,
            town.worker("first", **store_keys(one.address)) as first,
            town.worker("second", **store_keys(another.address)) as second,
        ):
            await until_shared(first, second)
            town.fail("Ends")
            await town.until_firing("Ends")
            before = another.turns
            await first.kill()
            killed_at = town.told.now()
            town.mend("Ends")
            town.fail("Begins")
            await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take over")
            [(at,)] = postgresql_server.administer(LAST, database=postgresql.database)
            assert at - killed_at < 10 * SECOND
            assert another.turns > before
            await town.until_firing("Begins")
            town.check_once(fired=8, resolved=4)
