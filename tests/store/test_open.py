"""The one place where a store is opened: for commands beside the daemon, and for the daemon's tasks."""

from pathlib import Path

import pytest
import trio

from monitor.runtime.errors import StoreError
from monitor.store.daemon_store import daemon_store
from monitor.store.open import lock_holder, open_store
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
        async with daemon_store(path, NOW) as (store, damage):
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
    async with daemon_store(path, NOW) as (store, _):
        await store.commit(Commit(alerts=[alert()]))
    path.write_bytes(b"")
    async with daemon_store(path, NOW) as (store, damage):
        assert damage is not None
        assert (await store.load()).alerts == []
