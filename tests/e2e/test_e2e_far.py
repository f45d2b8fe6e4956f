"""Two real daemons whose database is far away: they share the accounts, and one goes on when the other dies, as if it were near."""

import signal
from pathlib import Path

import pytest
import trio
from e2e_cluster import ACCOUNTS, cluster, taken, until_shared
from e2e_process import daemon
from e2e_store import store_keys

from monitor.runtime.clock import SECOND
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import open_store
from tests.fakes.far_link import far_link
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e
SLOWLY = {"searches": [{"name": "all", "account": name, "every": "10s"} for name in ACCOUNTS]}
"""Each poll is a commit, which takes three round trips."""
LAST = "SELECT CAST(extract(epoch FROM max(since)) * 1000000 AS BIGINT) FROM routee_monitor.lease"
"""When the last account was taken, by the server's clock, which is this machine's."""
LARGE = """
    INSERT INTO routee_monitor.journal (account, rows)
    SELECT account, rows FROM routee_monitor.journal, generate_series(1, 9000) WHERE account <> 'athens'"""
"""Makes all accounts but one so large that each is read alone, for a while."""
SMALL_AGAIN = """
    DELETE FROM routee_monitor.journal
    WHERE account <> 'athens' AND sequence > (SELECT min(sequence) + 30 FROM routee_monitor.journal)"""


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


async def test_a_daemon_that_is_stopped_while_it_still_reads_accounts_lets_its_sends_end_and_they_are_not_sent_again(
    tmp_path: Path, postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    async with cluster(tmp_path, postgresql) as town:
        async with town.worker("earlier") as earlier:
            town.fail("Ends")
            await town.until_firing("Ends")
            assert await earlier.stop() == 0
        postgresql_server.administer(LARGE, database=postgresql.database)
        town.fail("Begins", ["athens"])
        town.told.later = trio.Event()
        with far_link(postgresql, 0.1) as link:
            async with daemon(town.config("first", **store_keys(link.address))) as first:
                await until(lambda: town.told_by("first"), "it to tell what has begun")
                assert not first.said("watching "), "it reads the other accounts"
                first.process.send_signal(signal.SIGTERM)
                await until(lambda: first.said("stopping"), "it to stop")
                town.told.later.set()
                with trio.fail_after(10):
                    assert await first.process.wait() == 0
        with open_store(postgresql, read_only=True) as store:
            assert store.outbox_rows("waiting") == [], ("it has noted what it sent", first.logged)
        postgresql_server.administer(SMALL_AGAIN, database=postgresql.database)
        async with town.worker("second"):
            town.mend("Ends")
            await town.until_firing("Begins", accounts=["athens"])
            assert (town.told_by("first"), town.told_by("second")) == (1, 4)
            town.check_once(fired=5, resolved=4)
