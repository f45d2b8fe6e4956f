"""Several real daemons on one real PostgreSQL: they share the accounts, and nobody notices when one of them comes, goes or dies."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from e2e_cluster import ACCOUNTS, Cluster, cluster, newer_version, taken, until_shared
from e2e_folder import account
from e2e_process import Daemon, daemon
from e2e_stage import SEARCH
from e2e_store import store_keys

from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.runtime.clock import SECOND, SystemClock, parse_iso
from monitor.runtime.errors import StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import open_store
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.postgresql import running_server
from tests.fakes.postgresql_link import linked
from tests.fakes.waiting import guarded, until

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def two_workers(folder: Path, database: PostgresqlAddress) -> AsyncIterator[tuple[Cluster, Daemon, Daemon]]:
    """Two workers that share the accounts, in each of which an operator fails, which was told."""
    async with cluster(folder, database) as town, town.worker("first") as first, town.worker("second") as second:
        await until_shared(first, second)
        town.fail("Ends")
        await town.until_firing("Ends")
        yield town, first, second


async def test_after_a_kill_the_other_worker_goes_on_within_ten_seconds_and_tells_everything_once(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with two_workers(tmp_path, postgresql) as (town, first, second):
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


async def test_restarting_one_worker_after_the_other_tells_nobody_anything(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with two_workers(tmp_path, postgresql) as (town, first, second):
        assert await first.stop() == 0
        await until_shared(second)
        async with town.worker("third") as third:
            await until_shared(second, third)
            assert await second.stop() == 0
            await until_shared(third)
            town.check_once(fired=4, resolved=0)
            town.mend("Ends")
            await town.until_firing()
            town.check_once(fired=4, resolved=4)


async def test_a_worker_without_a_new_rule_yet_tells_nobody_that_it_is_over(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town:
        behind = town.config("second")
        rules = behind.parent / "rules.yaml"
        changed = rules.read_text()
        rules.write_text("rules: []")
        async with town.worker("first") as first, daemon(behind) as second:
            await second.watching()
            await until_shared(first, second)
            town.fail("Ends")
            fired = taken(first)
            await town.until_firing("Ends", accounts=fired)
            await first.kill()
            await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take all accounts", 60)
            rules.write_text(changed)
            second.process.send_signal(signal.SIGHUP)
            await town.until_firing("Ends")
            town.check_once(fired=len(ACCOUNTS), resolved=0)
            town.mend("Ends")
            await town.until_firing()
            town.check_once(fired=len(ACCOUNTS), resolved=len(ACCOUNTS))


async def test_a_removed_rule_waits_for_a_worker_that_was_stopped_and_this_is_said(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town:
        left = town.config("second")
        async with town.worker("first") as first, daemon(left) as second:
            await second.watching()
            await until_shared(first, second)
            town.fail("Ends")
            await town.until_firing("Ends")
            assert await first.stop() == 0
            await until_shared(second)
            (left.parent / "rules.yaml").write_text("rules: []")
            second.process.send_signal(signal.SIGHUP)
            waits = f"it waits for {socket.gethostname()}, which has ended, was last heard of at 20"
            await until(lambda: second.said(waits), "the log to say so", 30)
            async with httpx.AsyncClient() as client:
                warnings = (await client.get(f"{second.url}/readyz")).json()["warnings"]
            assert [one for one in warnings if waits in one] == second.said(waits)
            [said] = [one for one in second.logged if waits in one["message"]]
            assert said["level"] == "warning"
            assert said["message"].startswith(
                f"Rule Failing of account {', '.join(sorted(ACCOUNTS))} is not in this daemon's"
            )
            town.check_once(fired=len(ACCOUNTS), resolved=0)


async def test_a_removed_account_is_given_up_once_the_end_of_its_alerts_is_told(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first:
        town.fail("Ends")
        await town.until_firing("Ends")
        left = [name for name in ACCOUNTS if name != "athens"]
        searches = [SEARCH | {"account": name, "every": "1s"} for name in left]
        town.config("first", accounts=[account(town.urls[name], name) for name in left], searches=searches)
        first.process.send_signal(signal.SIGHUP)
        await town.until_firing("Ends", accounts=left)
        [told] = [one.payload for one in town.told.told if "resolved" in str(one.payload["status"])]
        [alert] = told["alerts"]
        assert alert["annotations"]["summary"] == "account athens is no longer watched"
        assert taken(first) == sorted(ACCOUNTS)
        await until(lambda: taken(first) == sorted(left), "its lease to be given back", 180)
        async with httpx.AsyncClient() as client:
            with guarded():  # the next renewal of the leases shows it
                while "athens" in str((await client.get(f"{first.url}/api/v1/status")).json()["fleet"]):
                    await trio.sleep(0.1)
        town.check_once(fired=len(ACCOUNTS), resolved=1)


async def test_a_removed_account_is_kept_while_an_alertmanager_that_is_away_has_its_ends_to_be_told(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    is_away, posted = trio.Event(), list[tuple[str, str]]()

    async def alertmanager(asked: Asked) -> Answer:
        if is_away.is_set():
            return Answer(503)
        posted.extend((one["labels"]["account"], one["endsAt"]) for one in asked.json)
        return Answer()

    async with serving(alertmanager) as url:
        receivers = [{"name": "ops", "alertmanager": [{"urls": [url]}]}]
        rarely = {"receivers": receivers, "searches": [SEARCH | {"account": name, "every": "20s"} for name in ACCOUNTS]}
        async with cluster(tmp_path, postgresql, **rarely) as town, town.worker("first") as first:
            town.fail("Ends", ["athens"])
            await until(lambda: "athens" in dict(posted), "the alert to be posted")
            is_away.set()
            left = [name for name in ACCOUNTS if name != "athens"]
            searches = [SEARCH | {"account": name, "every": "1s"} for name in left]
            town.config("first", accounts=[account(town.urls[name], name) for name in left], searches=searches)
            first.process.send_signal(signal.SIGHUP)
            await trio.sleep(3 * CHANGEOVER)
            assert taken(first) == sorted(ACCOUNTS), "it is kept"
            posted.clear()
            is_away = trio.Event()
            await until(lambda: "athens" in dict(posted), "the end to be posted", 90)
            assert parse_iso(dict(posted)["athens"]) < SystemClock().now()


async def test_a_worker_that_joins_has_its_share_within_a_minute_and_tells_nobody_anything(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first:
        town.fail("Ends")
        await town.until_firing("Ends")
        async with town.worker("second") as second, town.worker("third") as third:
            joined = trio.current_time()
            await until_shared(first, second, third)
            assert trio.current_time() - joined < 60
            town.check_once(fired=4, resolved=0)
            town.mend("Ends")
            await town.until_firing()
            by = {told.path.rpartition("/")[2] for told in town.told.told if "resolved" in str(told.payload["status"])}
            assert by == {"first", "second", "third"}
            town.check_once(fired=4, resolved=4)


async def test_a_worker_that_stood_still_tells_nobody_of_accounts_that_others_took_meanwhile(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with two_workers(tmp_path, postgresql) as (town, first, second):
        lost = taken(first)
        first.process.send_signal(signal.SIGSTOP)
        town.mend("Ends")
        town.fail("Begins")
        await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take over", 60)
        await town.until_firing("Begins")
        first.process.send_signal(signal.SIGCONT)
        await until(lambda: first.said("is held by another worker now"), "it to notice")
        await until_shared(first, second)
        town.mend("Begins")
        await town.until_firing()
        town.check_once(fired=8, resolved=8)
        by = {told.path for told in town.told.told if "Begins" in str(told.payload) and _of(told.payload, lost)}
        assert "/hook/second" in by


async def test_a_worker_that_is_cut_off_has_stopped_before_its_accounts_are_taken(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    """It still reaches Routee and the webhook, but not the database: what it sees there it may tell nobody."""
    with linked(postgresql) as link:
        async with (
            cluster(tmp_path, postgresql) as town,
            town.worker("first", **store_keys(link.address)) as first,
            town.worker("second") as second,
        ):
            await until_shared(first, second)
            town.fail("Ends")
            await town.until_firing("Ends")
            link.refusing = True
            link.silence()
            await until(lambda: first.said("the leases cannot be renewed"), "it to stop")
            assert taken(second) != sorted(ACCOUNTS), "nobody has taken its accounts by then"
            told_by_first = town.told_by("first")
            town.mend("Ends")
            town.fail("Begins")
            await town.until_firing("Begins")
            assert town.told_by("first") == told_by_first
            assert taken(second) == sorted(ACCOUNTS)
            link.refusing = False
            link.cut()
            link.speak()
            await until_shared(first, second)
            town.mend("Begins")
            await town.until_firing()
            town.check_once(fired=8, resolved=8)


async def test_a_newer_version_replaces_the_workers_one_by_one_and_tells_nobody_anything(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    newer = newer_version(tmp_path / "newer", "99.0")
    async with two_workers(tmp_path, postgresql) as (town, first, second):
        assert await first.stop() == 0
        async with town.worker("third", inside=newer) as third:
            await until_shared(second, third)
            with pytest.raises(StoreError, match=r"newer version.*99\.0"), open_store(postgresql, read_only=True):
                pass
            town.fail("Begins")
            await until(lambda: len(town.firing()) == 8, "both versions to tell")
            assert await second.stop() == 0
            async with town.worker("fourth", inside=newer) as fourth:
                await until_shared(third, fourth)
                town.mend("Ends")
                town.mend("Begins")
                await until(lambda: not town.firing(), "both to tell the end")
                town.check_once(fired=8, resolved=8)


async def test_both_workers_go_on_with_a_standby_that_is_promoted(tmp_path: Path) -> None:
    with running_server() as server, server.standby() as standby, linked(server.database()) as link:
        async with two_workers(tmp_path, link.address) as (town, first, second):
            link.refusing = True
            link.cut()
            sessions = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{link.address.user}'"
            await until(
                lambda: not server.administer(sessions), "the sessions to end, so that nothing more is committed"
            )
            [(written,)] = server.administer("SELECT pg_current_wal_lsn()")
            arrived = f"SELECT pg_last_wal_replay_lsn() >= '{written}'"
            await until(lambda: standby.administer(arrived) == [(True,)], "the standby to have everything")
            server.stop()
            standby.administer("SELECT pg_promote()")
            link.lead_to(standby.port)
            town.mend("Ends")
            town.fail("Begins")
            link.refusing = False
            await town.until_firing("Begins")
            town.check_once(fired=8, resolved=4)
            await until_shared(first, second)
