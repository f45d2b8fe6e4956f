"""Stores of every version there has been: brought up to date with all that is in them, window included."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from monitor.daemon.window_restore import restored_window
from monitor.store.migrate import migrations
from monitor.store.open import open_daemon_store
from monitor.store.protocol import Commit, Entry
from monitor.store.sqlite import open_sqlite
from monitor.window import Query, WindowReader
from tests.fakes.written import settings
from tests.store.store_samples import NOW, ack, alert, keys, silence

STORES = Path(__file__).parent.parent / "testdata" / "stores"
RULES = "rules: []"
FOUND = {
    ("Nova", "Failed"): 7,
    ("Nova", "Delivered"): 10,
    ("Nova", "Sent"): 3,
    ("Cosmote", "Delivered"): 18,
    ("Cosmote", "Sent"): 2,
}
"""By operator and status: of 40 messages five stayed Sent, five were delivered at the second poll, the rest at the third or failed."""


def written_by(step: int, path: Path) -> None:
    """A file as the program wrote it then."""
    with closing(sqlite3.connect(path)) as older:
        older.executescript((STORES / f"schema-{step}.sql").read_text("utf-8"))


def test_there_is_a_store_of_every_version_but_the_present_one() -> None:
    assert [file.name for file in sorted(STORES.iterdir())] == [f"schema-{one.number}.sql" for one in migrations()[:-1]]


@pytest.mark.parametrize("step", [one.number for one in migrations()[:-1]])
def test_an_older_store_is_brought_up_to_date_with_all_that_is_in_it(step: int, tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    written_by(step, path)
    store, damage = open_daemon_store(path, NOW)
    assert damage is None
    with closing(store):
        loaded = store.load()
        assert [one.as_of for one in loaded.cursors] == [NOW + 2]
        assert [one.state for one in loaded.alerts] == ["firing", "resolved"]
        assert list(loaded.groups[0].told) == [alert().fingerprint]
        assert loaded.account_states == {}
        assert loaded.first_evaluations == {("main", ""): 0}, "of the rules of then nobody knows"
        assert store.receipt("ops", "slack/0", "e1") == {"ts": "1.2", "channel": "C1"}
        assert keys(store.waiting("ops", "slack/0", 9)) == ["k2"]
        assert [one.outcome for one in store.history()] == ["waiting", "sent"]
        if step == 3:
            found = [(one.record, one.seen, one.first_at, one.at) for one in store.quarantined()]
            minute = 60_000_000
            assert found == [("{}", 3, NOW, NOW + 2 * minute), ('{"messageId": "m"}', 1, NOW + minute, NOW + minute)]
        if step >= 2:
            assert (loaded.silences, loaded.acks) == ([silence()], [ack(alert().fingerprint)])
        window = restored_window(store, "main", settings(RULES).config, store.secret("recipients"))
        reading = WindowReader(window)
        tally = reading.tally(Query(NOW - 10**10, NOW, by=("operator", "status")))
        found = {
            reading.labels(("operator", "status"), code): n for code, n in zip(tally.codes, tally.counts, strict=True)
        }
        assert found == FOUND
        assert (window.messages, window.unsaved().blob) == (40, None)


@pytest.mark.parametrize("step", [one.number for one in migrations()[:-1]])
def test_what_is_written_next_stands_beside_the_entries_of_then(step: int, tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    written_by(step, path)
    config = settings(RULES).config
    with closing(open_sqlite(path)) as store:
        window = restored_window(store, "main", config, store.secret("recipients"))
        window.expire(NOW - 20 * 60_000_000)
        unsaved = window.unsaved()
        entries = [Entry("main", *entry) for entry in unsaved.entries]
        assert unsaved.blob is not None
        store.commit(Commit(journal=[("main", unsaved.blob)], entries=entries))
        assert restored_window(store, "main", config, store.secret("recipients")).messages == window.messages == 20


def test_an_update_that_is_interrupted_is_made_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    written_by(1, path)
    with closing(sqlite3.connect(path)) as broken:  # a table in the way, as if somebody had tried by hand
        broken.execute("CREATE TABLE silence (id TEXT)")
    with pytest.raises(Exception, match="silence"):
        open_sqlite(path)
    with closing(sqlite3.connect(path)) as mended:
        assert mended.execute("PRAGMA user_version").fetchone() == (1,)
        mended.execute("DROP TABLE silence")
    with closing(open_sqlite(path)) as store:
        assert len(store.load().alerts) == 2
