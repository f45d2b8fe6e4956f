"""The one place where a store is opened: for commands beside the daemon, and for the daemon's tasks."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from monitor.runtime.errors import StoreError
from monitor.store.daemon_store import daemon_store
from monitor.store.open import lock_holder, open_store
from monitor.store.opening import StoreOpening
from monitor.store.protocol import Commit
from tests.store.store_samples import NOW, alert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


def test_a_reader_sees_one_moment_while_others_write(path: Path) -> None:
    with open_store(path) as store:
        store.commit(Commit(alerts=[alert()]))
        with open_store(path, read_only=True) as reader:
            before = len(reader.load().alerts)
            store.commit(Commit(alerts=[alert(operator="Another")]))
            assert len(reader.load().alerts) == before == 1
        with open_store(path, read_only=True) as reader:
            assert len(reader.load().alerts) == 2


def test_a_reader_makes_no_store(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"), open_store(path, read_only=True):
        pass
    assert not path.exists()


async def test_a_daemons_store_is_its_own_until_the_daemon_ends_however_it_ends(path: Path) -> None:
    with trio.CancelScope() as scope:
        async with daemon_store(StoreOpening(path, NOW)) as (store, damage):
            assert damage is None
            await store.commit(Commit(alerts=[alert()]))
            with pytest.raises(StoreError, match="another daemon"), open_store(path, exclusive=True):
                pass
            scope.cancel()
            await trio.sleep_forever()
    assert lock_holder(path) is None
    with open_store(path, exclusive=True) as found:
        assert len(found.load().alerts) == 1


async def test_what_happened_to_a_daemons_store_is_told(path: Path) -> None:
    async with daemon_store(StoreOpening(path, NOW)) as (store, _):
        await store.commit(Commit(alerts=[alert()]))
    path.write_bytes(b"")
    async with daemon_store(StoreOpening(path, NOW)) as (store, damage):
        assert damage is not None
        assert (await store.load()).alerts == []


def test_a_daemons_store_is_opened_from_the_moment_when_somebody_begins_to(path: Path) -> None:
    opening = StoreOpening(path, NOW)
    store, damage = opening()  # waits for it, and needs no event loop
    assert damage is None
    assert lock_holder(path) == os.getpid()
    store.close()
    assert lock_holder(path) is None


async def test_what_kept_a_store_from_being_opened_is_told_to_who_asks_for_it(tmp_path: Path) -> None:
    opening = StoreOpening(tmp_path / "nowhere" / "monitor.db", NOW)
    with pytest.raises(StoreError, match="nowhere"):
        async with daemon_store(opening):
            pass


def test_a_store_that_nobody_waits_for_any_more_is_closed_once_it_is_open(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN EXCLUSIVE")  # the store cannot be opened before this is over
        opening = StoreOpening(path, NOW)
        assert opening.give_up()
        other.rollback()
    opening()
    assert lock_holder(path) is None


def test_a_store_that_is_open_is_not_given_up(path: Path) -> None:
    opening = StoreOpening(path, NOW)
    store, _ = opening()
    assert not opening.give_up()
    assert store.load().alerts == []
    store.close()
