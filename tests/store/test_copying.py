"""A store copied into another one, of each kind: everything is there, in its order, or nothing is."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import msgspec
import pytest

from monitor.model.account_state import AccountState
from monitor.model.alert import Transition, TransitionSubject
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.copying import NUMBERED, TABLES, copy_between, copy_store
from monitor.store.open import StoreLocation, open_store
from monitor.store.postgresql import PostgresqlStore, open_postgresql, open_worker
from monitor.store.protocol import (
    SUPERSEDED,
    Commit,
    Entry,
    NotificationFilter,
    Pending,
    QuarantinedRecord,
    Store,
)
from monitor.store.sql_store import SqlStore
from monitor.store.sqlite import open_sqlite
from tests.fakes.postgresql import PostgresqlServer
from tests.store.store_samples import NOW, ack, alert, cursor, enqueue, group, keys, notification, silence

Places = Callable[[str], StoreLocation]
KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Kept:
    data: bytes

    def blob(self) -> bytes:
        return self.data


def fill(store: Store) -> None:
    """Something in every table, and gaps where rows were deleted."""
    store.secret("recipients")
    told = alert("Old", resolved_at=NOW - 1)
    store.commit(
        Commit(
            journal=[("main", bytes([number]) * 1_000) for number in range(10)],
            entries=[Entry("main", "from", code, text) for code, text in enumerate(["", "nul\0", "Ä\ufdd0", "b"])],
            cursors=[cursor(), cursor("other")],
            lost={"main": NOW - 5, "": NOW - 9},
            alerts=[alert("Zeta"), told, alert("Alpha")],
            transitions=[
                Transition(
                    "f1", "R", NOW, "fired", about=TransitionSubject("main", (("from", "\0"),), 1, incident="i1")
                ),
                Transition("f1", "R", NOW + 1, "resolved", "recovered", 0.1),
            ],
            groups=[
                msgspec.structs.replace(group("z"), told={told.fingerprint: "warning"}),
                group("a\0", episode="e2"),
            ],
            silences=[silence(2), silence(1)],
            acks=[ack("f2"), ack("f1")],
            quarantined=[
                QuarantinedRecord("main", "s", NOW + number, "why", f"{{{number}}}") for number in range(1_100)
            ],
            account_states={"main": AccountState()},
            rule_states={("main", "B"): Kept(b"\0"), ("main", "A"): Kept(b"a" * 3_000)},
            first_evaluations={("main", "B"): NOW, ("main", "A"): NOW + 1},
        )
    )
    store.end_sessions({b"\0" * 32: NOW, b"\xff" * 32: NOW + 1}, 0, 9)
    in_incident = msgspec.structs.replace(notification("k\0", "e0"), incident="i1", head="f1")
    rows = enqueue(store, in_incident, *(notification(f"k{number}", at=NOW + number) for number in range(5)))
    store.sent(rows[0].id, {"ts": "1"}, NOW)
    store.sent(rows[1].id, {SUPERSEDED: "k2"}, NOW)
    store.postponed(rows[2].id, "503", NOW + 9)
    store.rejected(rows[3].id, "no\0", NOW)
    last = store.commit(Commit(journal=[("main", b"last")]))
    store.commit(Commit(cleaned=[("main", last[0]), ("main", 2)], dropped_entries=[("main", "from", 3)]))


def shown(store: Store) -> list[object]:
    """Everything that the protocol shows."""
    return [
        store.load(),
        store.secret("recipients"),
        store.ended_sessions(),
        store.entries("main"),
        list(store.journal("main")),
        store.transitions(),
        store.quarantined(2_000),
        store.outbox_rows(),
        store.notifications(),
        store.notifications(NotificationFilter(incident="i1")),
        store.head_view("f1", "i1"),
        store.incidents(),
        store.counts(),
    ]


@pytest.fixture
def places(tmp_path: Path, postgresql_server: PostgresqlServer) -> Iterator[Places]:
    """New places for stores of a kind."""
    made: list[PostgresqlAddress] = []
    numbers = count(1)

    def place(kind: str) -> StoreLocation:
        if kind == "sqlite":
            return tmp_path / f"{next(numbers)}.db"
        made.append(postgresql_server.database())
        return made[-1]

    yield place
    for address in made:
        postgresql_server.drop(address)


def opened(location: StoreLocation) -> SqlStore:
    return open_sqlite(location) if isinstance(location, Path) else open_postgresql(location)


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_a_copy_shows_what_the_store_shows_and_goes_on_where_it_was(
    places: Places, source_kind: str, target_kind: str
) -> None:
    source, target = places(source_kind), places(target_kind)
    with open_store(source) as store:
        fill(store)
        before = shown(store)
    reported: list[tuple[int, int]] = []
    made = copy_between(source, target, lambda done, total: reported.append((done, total)))
    assert made.rows.keys() == {table.name for table in TABLES}
    assert all(made.rows.values()), "this test has something for every table"
    assert reported[-1] == (2 * made.total, 2 * made.total)
    with closing(opened(source)) as old, closing(opened(target)) as new:
        assert shown(new) == shown(old) == before
        for name in NUMBERED:
            assert new.last_number(name) == old.last_number(name)
        numbers = [old.commit(Commit(journal=[("main", b"x")])), new.commit(Commit(journal=[("main", b"x")]))]
        assert numbers[0] == numbers[1] == [12]
        new.prune(NOW + 1, NOW + 1)
        assert new.load().alerts == old.load().alerts, "an end that a group has yet to notify is kept"
        new.commit(Commit(quarantined=[QuarantinedRecord("main", "s", NOW, "why", "new")]))
        assert new.counts()["quarantined"] == 1_101


def test_an_empty_store_is_copied(places: Places) -> None:
    source, target = places("sqlite"), places("postgresql")
    with open_store(source):
        pass
    assert copy_between(source, target).total == 0
    with open_store(target, read_only=True) as copy:
        assert copy.load().cursors == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_is_not_empty_is_refused(places: Places, kind: str) -> None:
    source, target = places("sqlite"), places(kind)
    for place in (source, target):
        with open_store(place) as store:
            store.commit(Commit(alerts=[alert()]))
    with pytest.raises(StoreError, match="the target is not empty"):
        copy_between(source, target)
    with open_store(target, read_only=True) as copy:
        assert len(copy.load().alerts) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_a_daemon_works_on_is_refused_on_either_side(places: Places, kind: str) -> None:
    busy, other = places(kind), places("sqlite")
    with open_store(busy, exclusive=True), open_store(other):
        for source, target in ((busy, places("sqlite")), (other, busy)):
            with pytest.raises(StoreError, match="another daemon"):
                copy_between(source, target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_is_not_copied_into_itself_or_out_of_nothing(places: Places, kind: str) -> None:
    place = places(kind)
    with pytest.raises(StoreError, match="the store itself"):
        copy_between(place, place)
    with pytest.raises(StoreError, match="there is no store"):
        copy_between(place, places("sqlite"))
    assert not isinstance(place, Path) or not place.exists()


class Forgetful(PostgresqlStore):
    """Loses rows of one table on their way."""

    def fill_table(self, table: object, batch: object) -> None:
        name = getattr(table, "name", "")
        super().fill_table(table, batch[1:] if name == "silence" else batch)  # type: ignore[index,arg-type]  # a list in this test


@contextmanager
def pair(places: Places) -> Iterator[tuple[SqlStore, SqlStore]]:
    source, target = places("sqlite"), places("postgresql")
    with closing(opened(source)) as old, closing(opened(target)) as new:
        fill(old)
        yield old, new


def test_a_copy_that_is_not_the_same_is_not_committed(places: Places) -> None:
    with pair(places) as (old, new):
        assert isinstance(new, PostgresqlStore)
        with pytest.raises(StoreError, match=r"table silence is not the same \(2 rows became 1\)"):
            copy_store(old, Forgetful(new._session))
        assert [new.count_rows(table) for table in TABLES] == [0] * len(TABLES)
        copy_store(old, new)


@pytest.mark.parametrize(("kind", "advice"), [("sqlite", "restart the daemon"), ("postgresql", "delete that row")])
def test_a_row_that_cannot_be_read_stops_the_copy_with_advice_about_its_store(
    places: Places, kind: str, advice: str
) -> None:
    with closing(opened(places(kind))) as old, closing(opened(places("postgresql"))) as new:
        fill(old)
        with old.copying():
            old._run("UPDATE alert SET data = ? WHERE fingerprint = ?", (b'{"rule": 1}', alert("Zeta").fingerprint))
        with pytest.raises(
            StoreDamaged, match=f"the alert {alert('Zeta').fingerprint} .*cannot be read.*{advice}"
        ) as caught:
            copy_store(old, new)
        assert ("file" in str(caught.value)) == (kind == "sqlite")
        assert [new.count_rows(table) for table in TABLES] == [0] * len(TABLES)


NAMED = {
    "acknowledgement": "the acknowledgement of alert",
    "silence": "the silence",
    "alert": "the alert",
    "alert_group": "the group",
    "cursor": "the cursor of account",
}


@pytest.mark.parametrize(("table", "named"), NAMED.items())
def test_what_one_store_does_without_is_no_damage_in_the_copy(places: Places, table: str, named: str) -> None:
    with closing(opened(places("postgresql"))) as old, closing(opened(places("sqlite"))) as new:
        fill(old)
        with old.copying():
            old._run(f"UPDATE {table} SET data = ?", (b"no JSON",))
        with pytest.raises(StoreDamaged, match=f"{named} .*cannot be read.*delete that row"):
            copy_store(old, new)
        assert [new.count_rows(one) for one in TABLES] == [0] * len(TABLES)


@pytest.mark.parametrize("damage", [b'{"key": 1}', b"not JSON", b""], ids=["another shape", "no JSON", "empty"])
@pytest.mark.parametrize("kinds", [(one, other) for one in KINDS for other in KINDS], ids="-".join)
def test_a_notification_that_cannot_be_read_is_left_out_and_named(
    places: Places, kinds: tuple[str, str], damage: bytes
) -> None:
    with closing(opened(places(kinds[0]))) as old, closing(opened(places(kinds[1]))) as new:
        fill(old)
        before = {table.name: old.count_rows(table) for table in TABLES}
        [(number,)] = old._rows("SELECT id FROM parcel WHERE key = 'k4'")
        with old.copying():
            old._run("UPDATE parcel SET notification = ? WHERE key = ?", (damage, "k4"))
        done = list[tuple[int, int]]()
        made = copy_store(old, new, lambda *at: done.append(at))
        assert list(made.left_out) == [number]
        assert made.left_out[number]
        assert made.rows == before | {"parcel": before["parcel"] - 1}
        assert done[-1][0] == done[-1][1]
        assert {table.name: new.count_rows(table) for table in TABLES} == made.rows
        assert [kept for (kept,) in new._rows("SELECT id FROM parcel ORDER BY id")] == [
            kept for (kept,) in old._rows("SELECT id FROM parcel ORDER BY id") if kept != number
        ]


SPANNING = '{}:{alertname="OperatorFailureRate"}'
"""The key of a group without an account."""


def spanning_accounts(store: Store) -> None:
    """Groups and notifications as one daemon with two accounts has them."""
    mine, theirs = alert(), msgspec.structs.replace(alert(), account="other")
    told = {theirs.fingerprint: "critical", mine.fingerprint: "warning"}
    view = msgspec.structs.replace(notification("x").alerts[0], fingerprint=theirs.fingerprint)
    made = msgspec.structs.replace(notification("k", group=SPANNING), alerts=(view,))
    store.commit(
        Commit(
            cursors=[cursor(), msgspec.structs.replace(cursor(), account="other")],
            alerts=[mine, theirs],
            groups=[msgspec.structs.replace(group(SPANNING), told=told), group("alone")],
            outbox=[Pending("slack/0", made), Pending("slack/0", notification("k2"))],
        )
    )


def test_groups_that_span_accounts_are_split_in_postgresql_and_stay_so_in_sqlite(places: Places) -> None:
    first, shared, back = places("sqlite"), places("postgresql"), places("sqlite")
    with closing(opened(first)) as store:
        spanning_accounts(store)
    copy_between(first, shared)
    with closing(opened(shared)) as store:
        for _ in range(2):
            store.assign_accounts(["main", "other"])
            groups = store.load().groups
            assert [(one.key, one.account, one.episode == "e1") for one in groups] == [
                ('{}/{account="other"}:{alertname="OperatorFailureRate"}', "other", True),
                ('{}/{account="main"}:{alertname="OperatorFailureRate"}', "main", False),
                ("alone", "main", True),
            ]
            assert [row.account for row in store.outbox_rows()] == ["main", "other"]
        state = store.load(["other"])
        assert [one.account for one in (*state.alerts, *state.cursors, *state.groups)] == ["other"] * 3
    again = places("postgresql")
    for target in (again, back):
        copy_between(shared, target)
        with closing(opened(target)) as store:
            assert store.load().groups == groups
            assert [row.account for row in store.outbox_rows()] == ["main", "other"]
    with closing(opened(back)) as store:
        for _ in range(2):
            store.assign_accounts(["main", "other"])
            assert {(one.key, one.episode, *one.told) for one in store.load().groups} == {
                (one.key, one.episode, *one.told) for one in groups
            }
            assert {one.account for one in store.load().groups} == {""}


def test_what_waits_of_a_split_group_is_sent_before_what_it_tells_next(places: Places) -> None:
    first, shared = places("sqlite"), places("postgresql")
    with closing(opened(first)) as store:
        spanning_accounts(store)
    copy_between(first, shared)
    with closing(opened(shared)) as store:
        store.assign_accounts(["main", "other"])
        [mine] = (one for one in store.load().groups if one.account == "other")
        ended = notification("k3", reason="all resolved", group=mine.key)
        store.commit(Commit(outbox=[Pending("slack/0", ended, "other")]))
        assert keys(store.waiting("ops", "slack/0", 9)) == ["k", "k2", "k3"]
        assert keys(store.heads("ops", "slack/0", 9)) == ["k", "k2"], "one after the other"


def test_callbacks_that_nobody_took_yet_are_not_left_behind(places: Places) -> None:
    with closing(opened(places("postgresql"))) as old, closing(opened(places("sqlite"))) as new:
        old.forward_callback("main", b"{}", NOW)
        with pytest.raises(StoreError, match="1 callbacks of Routee's wait"):
            copy_store(old, new)
        old.drop_forwarded([one.id for one in old.forwarded(["main"], 9)])
        assert copy_store(old, new).total == 0


def test_a_store_with_a_living_worker_is_not_copied(places: Places) -> None:
    shared = places("postgresql")
    assert isinstance(shared, PostgresqlAddress)
    with closing(open_worker(shared)):
        for source, target in ((shared, places("sqlite")), (places("sqlite"), shared)):
            with open_store(source):
                pass
            with pytest.raises(StoreError, match=r"another daemon \(process \d+ on .*\) works on the store"):
                copy_between(source, target)


def test_the_same_database_under_another_user_is_the_same(places: Places) -> None:
    place = places("postgresql")
    assert isinstance(place, PostgresqlAddress)
    with pytest.raises(StoreError, match="the store itself"):
        copy_between(place, replace(place, user="another"))


def test_what_is_queued_in_a_copy_keeps_its_order(places: Places) -> None:
    with pair(places) as (old, new):
        copy_store(old, new)
        old.commit(Commit(outbox=[Pending("slack/0", notification("next"))]))
        new.commit(Commit(outbox=[Pending("slack/0", notification("next"))]))
        assert [row.id for row in old.outbox_rows()] == [row.id for row in new.outbox_rows()]
