"""Several real daemons on one real PostgreSQL: they share the accounts, and nobody notices when one of them comes, goes or dies."""

from pathlib import Path

import pytest
from e2e_cluster import ACCOUNTS, cluster, taken, until_shared

from monitor.runtime.clock import SECOND
from monitor.runtime.postgresql_address import PostgresqlAddress

pytestmark = pytest.mark.e2e


async def test_after_a_kill_the_other_worker_goes_on_within_ten_seconds_and_tells_everything_once(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first, town.worker("second") as second:
        await until_shared(first, second)
        town.fail("Ends")
        await town.until_firing("Ends")
        orphaned = taken(first)
        await first.kill()
        killed_at = town.told.now()
        town.mend("Ends")
        town.fail("Begins")
        await town.until_firing("Begins")
        took = max(one.at for one in town.told.told if _of(one.payload, orphaned)) - killed_at
        assert took < 10 * SECOND, f"it took {took / SECOND:.1f} s"
        town.check_once(fired=8, resolved=4)
        assert taken(second) == sorted(ACCOUNTS)
        assert await second.stop() == 0


def _of(payload: object, accounts: list[str]) -> bool:
    return any(f'"{name}"' in str(payload).replace("'", '"') for name in accounts)
