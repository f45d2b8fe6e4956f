"""PostgreSQL is away, read-only or full, or the connection is cut in the middle of a commit: said, outlived, nothing lost or told twice."""

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import trio.testing

from monitor.runtime.clock import MILLISECOND
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import PostgresqlStore, open_worker
from monitor.store.postgresql_connection import PostgresqlLimits
from tests.fakes.postgresql import PostgresqlServer, running_server
from tests.fakes.postgresql_link import PostgresqlLink, When, linked
from tests.faults.test_store_trouble_anywhere import EVERYTHING, MOST_WRITES, TroubledStore, _is_outlived, live

LIMITS = PostgresqlLimits(lock=100 * MILLISECOND, answer=1_000 * MILLISECOND, pause=0)
SOME = (1, 2, 3, 8, 14, 22)
"""Each kind of write is among them."""


@pytest.fixture
def link(postgresql: PostgresqlAddress) -> Iterator[PostgresqlLink]:
    with linked(postgresql) as made:
        yield made


@pytest.fixture
def store(link: PostgresqlLink) -> Iterator[PostgresqlStore]:
    with closing(open_worker(link.address, limits=LIMITS)) as opened:
        yield opened


async def test_undisturbed_the_scenario_is_the_same_as_on_sqlite(
    store: PostgresqlStore, autojump_clock: trio.testing.MockClock
) -> None:
    scene = await live(TroubledStore(store, 0, lambda: None, lambda: None))
    assert (scene.told, scene.counted, scene.errors) == (EVERYTHING, scene.true, 0)
    assert MOST_WRITES - 3 <= scene.writes <= MOST_WRITES


@pytest.mark.parametrize("nth", SOME)
async def test_a_server_that_is_away_from_any_write_on_is_said_and_outlived(
    store: PostgresqlStore,
    link: PostgresqlLink,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    nth: int,
) -> None:
    def away() -> None:
        link.refusing = True
        link.cut()

    def back() -> None:
        link.refusing = False

    await _outlived(TroubledStore(store, nth, away, back), caplog, "cannot be opened")


@pytest.mark.parametrize("nth", SOME)
async def test_a_server_that_is_read_only_from_any_write_on_is_said_and_outlived(
    store: PostgresqlStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, nth: int
) -> None:
    def setting(value: str) -> Callable[[], object]:
        return lambda: store._rows(f"SELECT set_config('default_transaction_read_only', '{value}', false)")

    await _outlived(TroubledStore(store, nth, setting("on"), setting("off")), caplog, "the server is read-only")


async def _outlived(store: TroubledStore, caplog: pytest.LogCaptureFixture, said: str) -> None:
    caplog.set_level(logging.ERROR, "monitor")
    scene = await live(store)
    assert store.failed
    assert said in caplog.text
    _is_outlived(scene)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", SOME)
async def test_a_connection_that_is_cut_in_the_middle_of_any_write_loses_and_repeats_nothing(
    store: PostgresqlStore, link: PostgresqlLink, autojump_clock: trio.testing.MockClock, nth: int, when: When
) -> None:
    def cut() -> None:
        link.cut_at_commit = when

    scene = await live(TroubledStore(store, nth, cut, lambda: None))
    assert link.cut_at_commit is None, "it was cut"
    assert link.connections == 2
    _is_outlived(scene)


@pytest.fixture(scope="module")
def server_on_a_small_disk() -> Iterator[PostgresqlServer]:
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("LEFT OUT: this user may not mount a disk in a namespace of its own")
    with running_server(on_a_small_disk=True) as server:
        yield server


@pytest.mark.parametrize("nth", SOME)
async def test_a_full_disk_of_the_server_from_any_write_on_is_said_and_outlived(
    server_on_a_small_disk: PostgresqlServer,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    nth: int,
) -> None:
    caplog.set_level(logging.ERROR, "monitor")
    server = server_on_a_small_disk
    address = server.database("TABLESPACE small")
    with closing(open_worker(address, limits=LIMITS)) as opened:
        store = TroubledStore(opened, nth, server.fill, server.make_room)
        scene = await live(store)
    server.drop(address)
    assert ("disk is full" in caplog.text) == (store.failed > 0)
    assert store.failed or nth > 2, "a write may find room in pages that there are"
    _is_outlived(scene)
