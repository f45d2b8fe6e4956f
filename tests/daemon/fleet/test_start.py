"""The daemon's start on a PostgreSQL that goes away while it starts."""

import functools
import io
import logging
import socket
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from monitor.config.settings import load
from monitor.daemon import main as daemon
from monitor.notify.render import Templates
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_worker
from monitor.store.postgresql_connection import BoundedConnection, PostgresqlLimits, connect
from monitor.store.postgresql_migrate import MIGRATING
from tests.fakes.alertmanager import free_port
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.postgresql_link import PostgresqlLink, linked
from tests.fakes.waiting import GUARD, until

CONFIG = """
accounts:
  - {{name: main, application_id: id, application_secret: secret, api_url: "http://127.0.0.1:9", auth_url: "http://127.0.0.1:9"}}
searches: [{{name: all, every: 1m}}]
rules: [rules.yaml]
store: "{store}"
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops}}
web: {{listen: "127.0.0.1:{port}"}}
"""
RULES = "rules: [{name: Failing, kind: rate, window: 1h, above: 20%}]"


class Away(logging.Handler):
    """Makes the server unreachable as soon as the daemon listens, and reachable again once it has said that it waits."""

    def __init__(self, link: PostgresqlLink) -> None:
        super().__init__()
        self.link, self.said = link, list[str]()
        self.comes_back = True

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.said.append(text.partition(":")[0].partition(" on http")[0])
        if text.startswith("listening on") and self.said.count("listening") == 1:
            self.link.refusing = True
            self.link.cut()
        elif text.startswith("the daemon cannot start yet") and self.comes_back:
            self.link.refusing = False


class Released(logging.Handler):
    """Ends the transaction of another session once the daemon says that it cannot start."""

    def __init__(self, session: BoundedConnection) -> None:
        super().__init__()
        self._session, self.said = session, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if (text := record.getMessage()).startswith("the daemon cannot start yet"):
            self.said.append(text)
            self._session.execute("ROLLBACK")


@pytest.fixture
def link(postgresql: PostgresqlAddress) -> Iterator[PostgresqlLink]:
    with linked(postgresql) as made:
        yield made


@pytest.fixture
def away(link: PostgresqlLink) -> Iterator[Away]:
    handler, log = Away(link), logging.getLogger("monitor")
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


def started(
    link: PostgresqlLink, folder: Path, stop: trio.Event, port: int = 0
) -> functools.partial[Coroutine[Any, Any, None]]:
    (folder / "monitor.yaml").write_text(CONFIG.format(store=store_of(link.address), port=port))
    (folder / "rules.yaml").write_text(RULES)
    settings = load(folder / "monitor.yaml", {})
    return functools.partial(daemon.run, settings, Templates(), stop=stop, stream=io.StringIO())


def store_of(address: PostgresqlAddress) -> str:
    """Returns the address as it is written in a configuration."""
    return f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"


async def test_a_server_that_goes_away_while_the_daemon_starts_is_waited_for(
    link: PostgresqlLink, away: Away, tmp_path: Path
) -> None:
    stop = trio.Event()
    with trio.fail_after(GUARD):
        async with trio.open_nursery() as nursery:
            running = await nursery.start(started(link, tmp_path, stop))
            assert running.url
            assert away.said.count("the daemon cannot start yet") == 1
            assert away.said.count("listening") == 2
            stop.set()


async def test_a_daemon_waits_while_another_one_makes_the_tables(
    postgresql: PostgresqlAddress, link: PostgresqlLink, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    log, stop = logging.getLogger("monitor"), trio.Event()
    with closing(connect(postgresql, PostgresqlLimits())) as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
        released = Released(other)
        log.addHandler(released)
        request.addfinalizer(lambda: log.removeHandler(released))
        with trio.fail_after(GUARD):
            async with trio.open_nursery() as nursery:
                running = await nursery.start(started(link, tmp_path, stop))
                assert running.url
                stop.set()
    [said] = released.said
    assert said.endswith("is locked by another program; the daemon tries again; if it lasts, see pg_locks")


SLOW = (
    "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(150); END'",
    "CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION slow()",
)
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


async def test_a_stop_ends_a_start_that_makes_the_tables_for_a_minute(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, link: PostgresqlLink, tmp_path: Path
) -> None:
    for statement in SLOW:
        postgresql_server.administer(statement, database=postgresql.database)
    stop = trio.Event()

    def is_making() -> bool:
        with closing(connect(postgresql, PostgresqlLimits())) as other:
            return other.execute(ASLEEP).fetchone() == (1,)

    with trio.fail_after(GUARD):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(started(link, tmp_path, stop))
            await until(is_making, "the tables to be made")
            stop.set()
    assert is_making(), "it has not waited for that"
    link.cut()


async def test_a_daemon_that_has_ended_is_known_by_the_port_on_which_it_listened(
    postgresql: PostgresqlAddress, link: PostgresqlLink, tmp_path: Path
) -> None:
    stop, port = trio.Event(), free_port()
    with trio.fail_after(GUARD):
        async with trio.open_nursery() as nursery:
            await nursery.start(started(link, tmp_path, stop, port))
            stop.set()
    with closing(open_worker(postgresql)) as store:
        [ended] = store.rules_of_others()
    assert ended.daemon == f"{socket.gethostname()} (port {port})"


async def test_a_stop_ends_that_wait(link: PostgresqlLink, away: Away, tmp_path: Path) -> None:
    stop = trio.Event()
    away.comes_back = False
    with trio.fail_after(GUARD):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(started(link, tmp_path, stop))
            await until(lambda: "the daemon cannot start yet" in away.said, "the daemon to say so")
            stop.set()
    assert not any("stopped" in one for one in away.said), "it never was up"
