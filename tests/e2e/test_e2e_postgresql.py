"""The real daemon on a real PostgreSQL that is stopped, crashes, or does not answer."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio
from e2e_process import daemon
from e2e_store import as_of, counted, opened, store_keys, window
from e2e_trouble import Town, troubled_town
from e2e_turns import recount

from monitor.runtime.errors import StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.copying import copy_between
from tests.fakes.postgresql import PostgresqlServer, running_server
from tests.fakes.postgresql_link import PostgresqlLink, linked
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_server() -> Iterator[PostgresqlServer]:
    """A server that nobody else uses."""
    with running_server() as server:
        yield server


@pytest.fixture
def link(postgresql: PostgresqlAddress) -> Iterator[PostgresqlLink]:
    with linked(postgresql) as made:
        yield made


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with troubled_town() as made:
        yield made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_a_server_that_goes_and_comes_back_is_outlived(
    town: Town, own_server: PostgresqlServer, tmp_path: Path, how: signal.Signals
) -> None:
    config = town.config(tmp_path, **store_keys(own_server.database()))
    async with daemon(config) as process:
        await town.begun(process)
        own_server.stop(how)
        await town.live_through(process, "cannot be opened")
        own_server.start()
        await town.recovered(process)
        assert await process.stop() == 0
    end = as_of(config)
    assert counted(window(config), end) == recount(town.sandbox, end)


async def test_at_its_start_the_daemon_waits_for_the_server(
    town: Town, own_server: PostgresqlServer, tmp_path: Path
) -> None:
    config = town.config(tmp_path, **store_keys(own_server.database()))
    own_server.stop()
    async with daemon(config) as process:
        await until(lambda: process.said("the daemon cannot start yet: "), "the daemon to say so")
        assert "cannot be opened" in process.said("the daemon cannot start yet: ")[0]
        own_server.start()
        await town.begun(process)
        assert await process.stop() == 0


async def test_sigterm_ends_the_wait_for_the_server(
    town: Town, postgresql: PostgresqlAddress, link: PostgresqlLink, tmp_path: Path
) -> None:
    link.refusing = True
    async with daemon(town.config(tmp_path, **store_keys(link.address))) as process:
        await until(lambda: process.said("the daemon cannot start yet: "), "the daemon to say so")
        assert await process.stop() == 0


async def test_what_stays_wrong_is_not_waited_for(town: Town, postgresql: PostgresqlAddress, tmp_path: Path) -> None:
    config = town.config(tmp_path, **store_keys(postgresql.with_password("another-password")))
    async with daemon(config) as process:
        await until(lambda: process.process.poll() is not None, "the daemon to end")
        assert process.process.returncode == 69
        assert process.said("password authentication failed")
        assert not process.said("cannot start yet")


async def test_sigterm_ends_in_time_while_the_server_does_not_answer(
    town: Town, link: PostgresqlLink, tmp_path: Path
) -> None:
    async with daemon(town.config(tmp_path, **store_keys(link.address))) as process:
        await town.begun(process)
        asked = town.sandbox.requests["search"]
        link.silence()
        await until(  # or one was under way, and no other follows it
            lambda: town.sandbox.requests["search"] > asked or process.said("the leases cannot be renewed"),
            "a poll that has something to keep",
        )
        assert await process.stop(within=10) == 0


async def test_a_daemon_that_took_a_commit_for_failed_ends_and_tells_everything_when_it_is_started_again(
    town: Town, link: PostgresqlLink, tmp_path: Path
) -> None:
    config = town.config(tmp_path, **store_keys(link.address))
    async with daemon(config) as process:
        await town.begun(process)
        link.cut_at_commit, link.refusing = "after", True
        await until(lambda: process.said("is not known yet"), "the daemon to say so")
        link.refusing = False
        await until(lambda: process.process.poll() is not None, "the daemon to end")
        assert process.process.returncode == 69
        assert process.said("whose answer got lost"), process.logged
    async with daemon(config) as process:
        await process.watching()
        town.ends_and_begins()
        await town.recovered(process)
        assert await process.stop() == 0
    with opened(config) as store:
        assert store.backlog() == {}


async def test_the_store_of_a_working_daemon_is_not_copied_and_it_is_said_who_works_there(
    town: Town, postgresql: PostgresqlAddress, tmp_path: Path
) -> None:
    config, target = town.config(tmp_path, **store_keys(postgresql)), tmp_path / "copy.db"
    async with daemon(config) as first:
        await town.begun(first)
        with pytest.raises(
            StoreError, match=rf"another daemon \(process {first.process.pid} on .*\) works on the store"
        ):
            await trio.to_thread.run_sync(copy_between, postgresql, target)
        assert await first.stop() == 0
    assert (await trio.to_thread.run_sync(copy_between, postgresql, target)).total > 0
