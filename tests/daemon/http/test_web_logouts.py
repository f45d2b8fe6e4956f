"""A logout at one daemon is one at every daemon of the store, also after a restart, and while the store is away at the one that was asked."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.daemon.http.logouts import AGAIN, PATIENCE, Logouts
from monitor.daemon.http.sessions import BrowserSessions
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.runtime.errors import StoreError
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.inline_store import InlineStoreFront


class Daemon:
    """What one daemon knows of browsers, and a store that can be away."""

    def __init__(self, store: SqliteStore, ahead: Duration = 0) -> None:
        self.front = Front(store)
        self.sessions = BrowserSessions(
            wall=lambda: 10**15 + ahead, key=store.secret("browsers"), may_forget=lambda: not ahead
        )
        self.logouts = Logouts(self.sessions, self.front)


class Front(InlineStoreFront):
    is_away = False

    async def end_sessions(self, ended: Mapping[bytes, Instant], over: Instant, most: int) -> None:
        if self.is_away:
            raise StoreError("the server does not answer")
        await super().end_sessions(ended, over, most)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        yield store


async def test_a_logout_is_stored_when_it_is_answered_and_known_to_who_reads_it(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    one, other = Daemon(store), Daemon(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.logouts.run)
        before = trio.current_time()
        session, stays = one.sessions.begin("token"), one.sessions.begin("token")
        for _ in range(2):
            one.sessions.end(session)
            await one.logouts.stored()
        assert trio.current_time() == before, "nobody waits longer than the store takes"
        assert other.sessions.holds(session, "token"), "not read yet"
        await other.logouts.read()
        restarted = Daemon(store)
        await restarted.logouts.read()
        for daemon in (one, other, restarted):
            assert [daemon.sessions.holds(which, "token") for which in (session, stays)] == [False, True]
        nursery.cancel_scope.cancel()


async def test_a_logout_is_answered_while_the_store_is_away_and_stored_once_it_is_back(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    one, other = Daemon(store), Daemon(store)
    one.front.is_away = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.logouts.run)
        session = one.sessions.begin("token")
        one.sessions.end(session)
        before = trio.current_time()
        await one.logouts.stored()
        assert trio.current_time() - before == PATIENCE
        assert not one.sessions.holds(session, "token"), "the one that was asked knows it"
        one.front.is_away = False
        await trio.sleep(AGAIN)
        await other.logouts.read()
        assert not other.sessions.holds(session, "token")
        nursery.cancel_scope.cancel()


async def test_a_logout_without_anything_to_store_does_not_wait(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    before = trio.current_time()
    await Daemon(store).logouts.stored()
    assert trio.current_time() == before


async def test_a_clock_that_is_ahead_deletes_no_logout_of_others(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    one, wrong = Daemon(store), Daemon(store, 8 * DAY)
    session, later = one.sessions.begin("token"), one.sessions.begin("token")
    async with trio.open_nursery() as nursery:
        for daemon in (one, wrong):
            nursery.start_soon(daemon.logouts.run)
        one.sessions.end(session)
        await one.logouts.stored()
        wrong.sessions.end(later)
        await wrong.logouts.stored()
        nursery.cancel_scope.cancel()
    restarted = Daemon(store)
    await restarted.logouts.read()
    assert not any(restarted.sessions.holds(which, "token") for which in (session, later))
