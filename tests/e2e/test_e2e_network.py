"""Workers whose packets to PostgreSQL vanish, while they reach Routee and the webhook: what people are told, and by whom."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from e2e_cluster import ACCOUNTS, Cluster, cluster, taken, until_shared
from e2e_folder import message
from e2e_network import Cable, ServerNetwork, server_network
from e2e_process import Daemon
from e2e_stage import SEARCH
from e2e_store import store_keys

from monitor.model.message import DELIVERED
from monitor.runtime.clock import MINUTE, SECOND, Instant
from tests.fakes.http import Answer, Asked
from tests.fakes.postgresql import PostgresqlServer, running_server
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Site:
    """A server in a network of its own. The tests have a cable to it that is never cut."""

    network: ServerNetwork
    server: PostgresqlServer

    @asynccontextmanager
    async def town(self, folder: Path, **more: Any) -> AsyncIterator[Cluster]:
        address = self.server.database()
        async with cluster(folder, address, **more) as town:
            yield town
        self.server.drop(address)

    @asynccontextmanager
    async def worker(self, town: Cluster, name: str) -> AsyncIterator[tuple[Daemon, Cable]]:
        """A worker with a cable of its own to the database."""
        with self.network.cable() as cable:
            async with town.worker(name, **store_keys(replace(town.database, host=cable.there))) as process:
                yield process, cable

    def rows(self, town: Cluster, query: str) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = self.server.administer(query, database=town.database.database)
        return rows

    def last_takeover(self, town: Cluster) -> Instant:
        """When the last account was taken, by the server's clock, which is this machine's."""
        [(at,)] = self.rows(
            town, "SELECT CAST(extract(epoch FROM max(since)) * 1000000 AS BIGINT) FROM routee_monitor.lease"
        )
        assert isinstance(at, int)
        return at


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with (
        server_network() as network,
        network.cable() as cable,
        running_server(inside=network.inside, host=cable.there) as server,
    ):
        yield Site(network, server)


def vanish(cable: Cable, what: str) -> None:
    cable.cut()
    cable.requests_vanish, cable.answers_vanish = what != "answers", what != "requests"


@pytest.mark.parametrize("what", ["everything", "answers", "requests"])
async def test_a_worker_whose_packets_vanish_is_replaced_and_comes_back_without_a_word(
    tmp_path: Path, site: Site, what: str
) -> None:
    async with (
        site.town(tmp_path) as town,
        site.worker(town, "first") as (first, cable),
        site.worker(town, "second") as (second, _),
    ):
        await until_shared(first, second)
        town.fail("Ends")
        await town.until_firing("Ends")
        before = town.told_by("first")
        cut = town.told.now()
        vanish(cable, what)
        town.mend("Ends")
        town.fail("Begins")
        await until(lambda: first.said("the leases cannot be renewed"), "it to stop")
        assert taken(second) != sorted(ACCOUNTS), "nobody has taken its accounts by then"
        await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take over")
        assert site.last_takeover(town) - cut < 10 * SECOND
        await town.until_firing("Begins")
        assert town.told_by("first") == before
        town.check_once(fired=8, resolved=4)
        told = len(town.told.taken)
        cable.heal()
        await until_shared(first, second)
        assert len(town.told.taken) == told
        town.mend("Begins")
        await town.until_firing()
        town.check_once(fired=8, resolved=8)
        assert town.told_by("first") > before


async def test_one_of_three_is_left_and_has_all_accounts(tmp_path: Path, site: Site) -> None:
    async with (
        site.town(tmp_path) as town,
        site.worker(town, "first") as (first, one),
        site.worker(town, "second") as (second, another),
        site.worker(town, "third") as (third, _),
    ):
        await until_shared(first, second, third)
        town.fail("Ends")
        await town.until_firing("Ends")
        cut = town.told.now()
        vanish(one, "everything")
        vanish(another, "answers")
        town.mend("Ends")
        town.fail("Begins")
        await until(lambda: taken(third) == sorted(ACCOUNTS), "the last one to take over")
        assert site.last_takeover(town) - cut < 10 * SECOND
        await town.until_firing("Begins")
        one.heal()
        another.heal()
        await until_shared(first, second, third)
        town.check_once(fired=8, resolved=4)


async def test_what_was_told_and_not_noted_comes_once_more_with_the_same_id_and_nothing_else_does(
    tmp_path: Path, site: Site
) -> None:
    """The cable is cut while the webhook takes the notification, so that its receipt cannot be written."""
    async with (
        site.town(tmp_path) as town,
        site.worker(town, "first") as (first, cable),
        site.worker(town, "second") as (second, _),
    ):
        await until_shared(first, second)

        def take(asked: Asked) -> Answer:
            if asked.target == "/hook/first" and cable.cut_at is None:
                cable.cut()
            return Answer()

        town.told.answer = take
        town.fail("Begins")
        await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take over")
        await town.until_firing("Begins")
        times = Counter(one.id for one in town.told.taken)
        assert sorted(times.values()) == [1, 1, 1, 2]
        assert town.told.names("firing") == {"Failing": 4}
        cable.heal()
        await until_shared(first, second)
        town.mend("Begins")
        await town.until_firing()
        assert town.told.names("resolved") == {"Failing": 4}
        town.told.episodes()


async def test_a_cut_in_the_middle_of_a_large_commit_keeps_nobody_out(tmp_path: Path, site: Site) -> None:
    """The server has a part of a statement, and locks the leases while it waits for the rest."""
    stalled = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'ClientRead' "
        "AND state IN ('active', 'idle in transaction') AND xact_start < clock_timestamp() - INTERVAL '2 s'"
    )
    async with (
        site.town(tmp_path) as town,
        site.worker(town, "first") as (first, cable),
        site.worker(town, "second") as (second, _),
    ):
        await until_shared(first, second)
        lost = taken(first)
        cable.cut_within(60_000)
        put_many(town, lost[0], 10_000)
        await until(lambda: cable.cut_at is not None, "a large commit")
        cut = town.told.now()
        await until(lambda: site.rows(town, stalled), "the server to wait for the rest")
        town.fail("Begins")
        await until(lambda: taken(second) == sorted(ACCOUNTS), "the other one to take over")
        assert site.last_takeover(town) - cut < 10 * SECOND
        await town.until_firing("Begins")
        cable.heal()
        await until_shared(first, second)
        assert town.told.names("firing")["Failing"] == 4, "beside that nobody saw the large account for some seconds"
        assert town.told.names("resolved")["Failing"] == 0
        assert set(Counter(one.id for one in town.told.taken).values()) == {1}


def put_many(town: Cluster, account: str, number: int) -> None:
    sandbox = town.sandboxes[account]
    at = sandbox.now()
    for one in range(number):
        name = f"{one * 2654435761 % 2**32:x}-{one}"
        sandbox.put(message(name, DELIVERED, at - SECOND, operator="Many"), sent=at - MINUTE)


async def test_a_network_that_loses_packets_costs_time_and_nothing_else(tmp_path: Path, site: Site) -> None:
    """What is polled each second is blind after three: so long may a commit take, whose packets are lost and sent again, on a busy machine."""
    async with (
        site.town(tmp_path, searches=[SEARCH | {"account": name, "every": "5s"} for name in ACCOUNTS]) as town,
        site.worker(town, "first") as (first, one),
        site.worker(town, "second") as (second, another),
    ):
        for cable in (one, another):
            cable.delay, cable.loss = 0.01, 0.03
        await until_shared(first, second)
        for number in range(2):
            town.fail(f"Ends{number}")
            await town.until_firing(f"Ends{number}")
            town.mend(f"Ends{number}")
            await town.until_firing()
        town.check_once(fired=8, resolved=8)
