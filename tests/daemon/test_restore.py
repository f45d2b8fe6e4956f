"""What a restart makes of what was stored, under a configuration that may be another one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio

from monitor.daemon.committer import put_rows
from monitor.daemon.pipeline import ROWS_AT_ONCE
from monitor.daemon.restore import (
    accounts_to_restore,
    restored_dispatcher,
    restored_evaluator,
    state_for_reload,
    without_messages,
)
from monitor.daemon.window_restore import known_to, restored_or_empty, restored_window
from monitor.model.batch import batch_of
from monitor.model.complete_read import SOMEWHERE
from monitor.runtime.clock import MINUTE
from monitor.runtime.errors import StoreDamaged
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Cursor, Store, StoredState
from monitor.store.sqlite import open_sqlite
from monitor.window import Query, Window, WindowReader
from monitor.window.campaign_progress import runs
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings
from tests.store.store_samples import alert, group

PAGES = 8
NOW = 1_800_000_000_000_000
NOTHING = StoredState([], [], [])
RULES = """
rules:
  - {name: OperatorFailureRate, kind: rate, by: [country, operator], window: 5m, above: 20%}
  - {name: Elsewhere, kind: rate, search: all, window: 5m, above: 20%}
"""


def test_alerts_keep_their_place_where_the_fields_of_a_rule_are_written_in_another_order() -> None:
    before = alert()
    pending = msgspec.structs.replace(before, state="pending", earlier=alert(resolved_at=5))
    written = settings(RULES)
    evaluator = restored_evaluator(Window("main"), written.config, written.rules, StoredState([], [pending], []))
    [(place, found)] = evaluator.alerts["OperatorFailureRate"].items()
    assert place == found.group == (("country", "GR"), ("operator", "Cosmote"))
    assert found.earlier is not None
    assert found.earlier.group == place
    assert found.fingerprint == before.fingerprint


def test_an_alert_of_other_fields_stays_as_it_was_until_it_is_judged() -> None:
    other = msgspec.structs.replace(alert(), group=(("operator", "Cosmote"),))
    written = settings(RULES)
    evaluator = restored_evaluator(Window("main"), written.config, written.rules, StoredState([], [other], []))
    assert evaluator.alerts["OperatorFailureRate"] == {other.group: other}


def test_cursors_of_searches_that_are_gone_are_left_in_the_store() -> None:
    cursors = [Cursor("main", name, 1, 0) for name in ("all", "gone")] + [Cursor("other", "all", 1, 0)]
    written = settings(RULES)
    evaluator = restored_evaluator(Window("main"), written.config, written.rules, StoredState(cursors, [], []))
    assert evaluator.coverage.cursors == {"all": cursors[0]}


def test_an_account_that_is_not_watched_any_more_has_no_rules_and_no_messages() -> None:
    written = settings(RULES)
    gone = msgspec.structs.replace(alert(), account="gone")
    loaded = StoredState([], [gone], [])
    assert accounts_to_restore(written.config, loaded) == ["main", "gone"]
    evaluator = restored_evaluator(Window("gone"), written.config, written.rules, loaded)
    assert (evaluator.rules, evaluator.coverage.searches) == ({}, ())
    assert len(restored_window(MemoryStore(), "gone", written.config, b"")) == 0


async def test_the_window_comes_back_as_it_was() -> None:
    harness = PipelineHarness(settings(RULES), HandClock())
    await harness.poll(traffic(3, operator="Cosmote"))
    again = restored_window(harness.store, "main", settings(RULES).config, b"")
    assert (again.messages, again.unsaved().blob) == (10, None)
    piecewise, damage = await restored_or_empty(harness.front, "main", settings(RULES).config, b"", NOTHING, NOW)
    assert (piecewise.messages, piecewise.unsaved().blob, damage) == (10, None, "")


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Store]:
    """A store with a journal of many pages."""
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        window = Window("main")
        for number in range(PAGES * 16):
            for _ in window.upserting(batch_of(rows(number)), "all", SOMEWHERE):
                pass
            commit, unsaved = Commit(), window.unsaved()
            put_rows(commit, "main", unsaved)
            window.saved(unsaved, store.commit(commit)[0])
        yield store


async def test_other_calls_have_their_turn_while_an_account_is_restored(stored: Store) -> None:
    front, restored, turns = AsyncStore(stored), list[tuple[Window, str]](), 0

    async def restore() -> None:
        restored.append(await restored_or_empty(front, "main", settings(RULES).config, b"", NOTHING, NOW))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(restore)
        while not restored:
            await front.commit(Commit(journal=[("other", b"x")]))
            turns += 1
    assert turns >= PAGES
    [(window, damage)] = restored
    assert (window.messages, damage) == (PAGES * 16, "")


async def test_restoring_an_account_ends_between_two_pages_when_it_is_cancelled(stored: Store) -> None:
    pages: list[int] = []
    with trio.CancelScope() as scope:

        class Front(AsyncStore):
            async def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
                pages.append(after)
                if len(pages) == 2:
                    scope.cancel()
                return await super().journal_page(account, after)

        await restored_or_empty(Front(stored), "main", settings(RULES).config, b"", NOTHING, NOW)
    assert scope.cancelled_caught
    assert len(pages) == 2


def rows(number: int) -> list[dict[str, str | int]]:
    return [{"messageId": f"m{number}", "date": number, "status": "Delivered"}]


async def test_at_the_start_a_window_is_made_ready_for_the_rules() -> None:
    harness = PipelineHarness(settings(RULES), HandClock())
    await harness.poll(traffic(3, operator="Cosmote", campaignTrackingId="c-1"))
    window, damage = await restored_or_empty(harness.front, "main", settings(RULES).config, b"", NOTHING, NOW)
    assert not damage
    assert len(window.columns.timelines) == 2
    reading = WindowReader(window)
    assert reading.tally(Query(0, 1 << 62, seen=True)).counts.tolist() == [10]
    assert runs(reading, Query(0, 1 << 62), 0, 0).messages.tolist() == [10]


def test_up_to_when_messages_were_lost_is_restored_whether_of_the_account_or_of_all() -> None:
    written, loaded = settings(RULES), StoredState([], [], [], lost={"": 5, "main": 4, "other": 9})
    evaluator = restored_evaluator(Window("main"), written.config, written.rules, loaded)
    assert evaluator.coverage.lost_to == 5
    again = restored_evaluator(Window("main"), written.config, written.rules, without_messages(loaded, "main", 7))
    assert again.coverage.lost_to == 7


def test_what_is_lost_was_known_until_now_or_as_far_as_it_was_polled_by_a_clock_ahead_of_this_one() -> None:
    loaded = StoredState(
        [Cursor("main", "all", 7, 0), Cursor("main", "more", 6, 0), Cursor("other", "all", 9, 0)], [], []
    )
    for now, lost_to in ((5, 7), (8, 8)):
        assert known_to(loaded.cursors[:2], now) == lost_to
        assert without_messages(loaded, "main", now).lost == {"main": lost_to}
    assert known_to((), 5) == 5


async def polled(store: Store, *failing: int) -> PipelineHarness:
    """A pipeline that has polled once a minute, with so many messages of an operator that fail each time."""
    harness = PipelineHarness(settings(RULES), HandClock(), store)
    for number in failing:
        harness.clock.at += MINUTE
        await harness.poll(traffic(number, operator="Cosmote"))
    return harness


async def test_an_account_whose_alert_fires_has_been_polled(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        harness, config = await polled(store, 9), settings(RULES).config
        loaded, now = store.load(), harness.clock.at
        assert {one.state for one in loaded.alerts} == {"firing"}
        _, why = await restored_or_empty(AsyncStore(store), "main", config, b"", loaded, now)
        assert why == ""
        forgotten = StoredState([], loaded.alerts, [])
        window, why = await restored_or_empty(AsyncStore(store), "main", config, b"", forgotten, now)
        assert (len(window), why) == (0, "the store does not say any more what was read of account main")
        known = StoredState([], loaded.alerts, [], lost={"main": now})
        assert (await restored_or_empty(AsyncStore(store), "main", config, b"", known, now))[1] == "", "as is known"


@pytest.mark.parametrize(
    "damage", ["DELETE FROM journal WHERE sequence = ?", "UPDATE journal SET account = 'other' WHERE sequence = ?"]
)
async def test_an_entry_of_the_journal_that_is_missing_is_noticed(tmp_path: Path, damage: str) -> None:
    for which in range(3):
        path = tmp_path / f"{which}.db"
        with closing(open_sqlite(path)) as store:
            harness = await polled(store, 3, 3, 3)
            harness.clock.at += MINUTE
            await harness.poll()
            sequence = [number for number, _ in store.journal("main")][which]
        with closing(sqlite3.connect(path)) as db, db:
            assert db.execute(damage, (sequence,)).rowcount == 1
        config = settings(RULES).config
        with closing(open_sqlite(path)) as store:
            loaded, now = store.load(), harness.clock.at
            window, why = await restored_or_empty(AsyncStore(store), "main", config, b"", loaded, now)
            assert (len(window), "its journal has 2 entries instead of 3" in why) == (0, True)
            assert (store.load().lost, store.load().cursors) == ({"main": now}, [])


async def test_a_sum_that_an_older_version_did_not_renew_says_nothing_any_more(tmp_path: Path) -> None:
    """It leaves sums out of the cursors that it writes, and drops entries without a new one."""
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        harness = await polled(store, 0, 1, 2)
        config, [cursor] = settings(RULES).config, store.load().cursors
        [first, *_] = store.journal("main")
        store.commit(Commit(cleaned=[("main", first[0])]))
        for later, is_whole in ((MINUTE, True), (-MINUTE, False)):
            other = msgspec.structs.replace(cursor, search="other", as_of=cursor.as_of + later, journal=None)
            loaded = StoredState([cursor, other], [], [])
            _, why = await restored_or_empty(harness.front, "main", config, b"", loaded, harness.clock.at)
            assert ("its journal has 2 entries instead of 3" not in why) == is_whole


async def test_a_journal_to_which_rows_were_added_since_the_last_poll_is_whole(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        harness = PipelineHarness(settings(RULES), HandClock(), store)
        for number in range(6):
            harness.clock.at += MINUTE
            await harness.poll(traffic(number, operator="Cosmote"))
            await harness.page(traffic(3, operator="Nova"), "all", "main", harness.clock.at)
            account = harness.pipeline.accounts["main"]
            account.changed = ROWS_AT_ONCE  # as after many pages
            await harness.pipeline.commit_rows(account)
            config, loaded = settings(RULES).config, store.load()
            assert loaded.cursors[0].journal is not None
            window, why = await restored_or_empty(harness.front, "main", config, b"", loaded, harness.clock.at)
            assert (window.messages, why) == (account.evaluator.window.messages, "")


async def test_messages_of_an_account_that_is_not_configured_here_are_left_in_the_store(tmp_path: Path) -> None:
    """Its window is empty on purpose. Another daemon may still need them, or this one when the account is put back."""
    other = CONFIG.replace("name: main", "name: second").replace("account: main", "account: second")
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        harness = PipelineHarness(settings(RULES), HandClock(), store)
        harness.clock.at += MINUTE
        await harness.poll(traffic(3, operator="Cosmote"))
        journal, loaded = list(store.journal("main")), store.load()
        assert loaded.cursors[0].journal is not None
        elsewhere = settings(RULES, other).config
        assert (await restored_or_empty(AsyncStore(store), "main", elsewhere, b"", loaded, harness.clock.at))[1] == ""
        found = await state_for_reload(AsyncStore(store), settings(RULES).config, elsewhere, b"", harness.clock.at)
        assert found.troubles == ()
        assert (list(store.journal("main")), store.load().cursors, store.load().lost) == (journal, loaded.cursors, {})


async def test_an_account_whose_messages_cannot_be_read_at_a_reload_starts_again(tmp_path: Path) -> None:
    without = CONFIG.replace("name: main", "name: second").replace("account: main", "account: second")
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        harness = PipelineHarness(settings(RULES), HandClock(), store)
        harness.clock.at += MINUTE
        await harness.poll(traffic(3, operator="Cosmote"))
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as db, db:
        db.execute("UPDATE journal SET rows = substr(rows, 1, 20)")
    before, now = settings(RULES, without).config, harness.clock.at
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        found = await state_for_reload(AsyncStore(store), before, settings(RULES).config, b"", now)
        assert (len(found.troubles), found.cursors, found.lost["main"], store.load().lost) == (
            1,
            {},
            now,
            {"main": now},
        )


async def test_an_account_that_is_added_at_a_reload_knows_what_of_it_was_lost() -> None:
    harness = PipelineHarness(settings(RULES), HandClock())
    harness.store.commit(Commit(lost={"second": 5}))
    second = CONFIG.replace("searches:", "  - {name: second, application_id: x, application_secret: y}\nsearches:")
    second = second.replace("searches:", "searches:\n  - {name: seconds, account: second, every: 30s, resweep: []}")
    await harness.reload(settings(RULES, second))
    assert harness.pipeline.accounts["second"].evaluator.coverage.lost_to == 5
    assert harness.pipeline.accounts["main"].evaluator.coverage.lost_to == 0
    harness.pipeline.accounts["main"].evaluator.coverage.lost_to = 7
    await harness.reload(settings(RULES))
    assert harness.pipeline.accounts["main"].evaluator.coverage.lost_to == 7, (
        "of an account that stays it is not forgotten"
    )


def test_groups_come_back_under_the_route_of_now() -> None:
    config = settings(RULES, CONFIG.replace("group_wait: 10s", "group_wait: 1m")).config
    dispatch = restored_dispatcher(config, StoredState([], [], [group()]))
    assert dispatch.groups == {("ops", group().key): group()}
    assert dispatch.route.group_wait == 60_000_000
    assert dispatch.channels == {"ops": ("console/0",)}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM entry WHERE field = 'operator' AND code = 1",
        "DELETE FROM entry WHERE field = 'operator' AND code = 2",
        "DELETE FROM entry WHERE field = 'recipient'",
        "DELETE FROM entry WHERE field = 'status'",
        "UPDATE entry SET code = 100000 WHERE field = 'operator' AND code = 1",
        "UPDATE entry SET value = 'Cosmote' WHERE field = 'operator' AND code = 1",
        "UPDATE entry SET field = 'operators' WHERE field = 'operator' AND code = 2",
    ],
)
async def test_texts_that_are_missing_are_never_taken_for_others(tmp_path: Path, change: str) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        window, operators = Window("main"), ("Cosmote", "Vodafone", "Nova")
        some = [{"messageId": f"m{one}", "date": 1, "status": "Sent", "operator": one, "to": "+1"} for one in operators]
        window.upsert(batch_of(some), "all")
        commit = Commit()
        put_rows(commit, "main", window.unsaved())
        store.commit(commit)
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as db, db:
        assert db.execute(change).rowcount == 1
    config = settings(RULES).config
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        with pytest.raises(StoreDamaged, match="the messages of account main in the store cannot be read"):
            restored_window(store, "main", config, b"")
        window, damage = await restored_or_empty(AsyncStore(store), "main", config, b"", NOTHING, NOW)
        assert (len(window), "texts of" in damage) == (0, True)
        window, damage = await restored_or_empty(AsyncStore(store), "main", config, b"", NOTHING, NOW + 1)
        assert (len(window), damage) == (0, ""), "it is read anew"
        assert store.load().lost == {"main": NOW}
