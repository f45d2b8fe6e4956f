"""What every store promises: each test runs against each of them."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition, TransitionSubject, What
from monitor.runtime.clock import SECOND
from monitor.runtime.errors import DecidedTooLate, StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_postgresql
from monitor.store.protocol import (
    BEFORE_ALL_TEXTS,
    BEGUN_KEPT,
    QUARANTINED_KEPT,
    QUARANTINED_LENGTH,
    SUPERSEDED,
    Commit,
    Entry,
    NotificationFilter,
    PastIncident,
    Pending,
    QuarantinedRecord,
    Retried,
    Store,
    StoredState,
)
from monitor.store.sqlite import open_sqlite
from tests.store.store_samples import (
    NOW,
    ack,
    alert,
    cursor,
    enqueue,
    group,
    keys,
    notification,
    silence,
    transition,
)

Opener = Callable[[], Store]


def _sqlite(request: pytest.FixtureRequest) -> Opener:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda: open_sqlite(folder / "monitor.db")


def _postgresql(request: pytest.FixtureRequest) -> Opener:
    address: PostgresqlAddress = request.getfixturevalue("postgresql_tables")
    return lambda: open_postgresql(address)


@pytest.fixture(params=[_sqlite, _postgresql], ids=["sqlite", "postgresql"])
def reopen(request: pytest.FixtureRequest) -> Opener:
    """Opens the same database, again and again."""
    opener: Opener = request.param(request)
    return opener


@pytest.fixture
def store(reopen: Opener) -> Iterator[Store]:
    with closing(reopen()) as opened:
        yield opened


def test_a_poll_comes_back_after_a_restart(store: Store, reopen: Opener) -> None:
    entries = [Entry("main", "operator", 0, "unknown"), Entry("main", "operator", 1, "Cosmote")]
    quarantined = QuarantinedRecord("main", "outbound", NOW, "no messageId", "{}")
    told = notification("k1")
    store.commit(
        Commit(
            journal=[("main", b"rows")],
            entries=entries[::-1],
            cursors=[cursor()],
            alerts=[alert()],
            transitions=[transition()],
            groups=[group()],
            outbox=[Pending("slack/0", told)],
            quarantined=[quarantined],
        )
    )
    store.close()
    with closing(reopen()) as again:
        assert again.load() == StoredState([cursor()], [alert()], [group()], begun=[("f1", NOW)])
        assert again.entries("main") == entries
        assert [blob for _, blob in again.journal("main")] == [b"rows"]
        assert again.transitions() == [transition()]
        assert again.quarantined() == [replace(quarantined, first_at=quarantined.at)]
        [outbox_row] = again.waiting("ops", "slack/0", 10)
        assert (outbox_row.notification, outbox_row.attempts, outbox_row.next_at, outbox_row.receipt) == (
            told,
            0,
            0,
            None,
        )


def test_where_all_can_be_read_nothing_is_left_out(store: Store) -> None:
    store.commit(Commit(cursors=[cursor()], alerts=[alert()], groups=[group()], silences=[silence()], acks=[ack()]))
    assert store.load_readable() == store.load()
    assert store.load_readable().left_out == []


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert store.load() == StoredState([], [], [])
    assert list(store.journal("main")) == []
    assert store.commit(Commit()) == []
    assert store.backlog() == {}
    assert set(store.counts().values()) == {0}


def test_what_is_written_again_replaces_and_what_is_dropped_is_gone(store: Store) -> None:
    store.commit(Commit(cursors=[cursor()], alerts=[alert(), alert("Other")], groups=[group(), group("g2")]))
    newer = alert(resolved_at=NOW)
    store.commit(Commit(cursors=[cursor(as_of=NOW + 1)], alerts=[newer], groups=[group(episode="e2")]))
    store.commit(Commit(dropped_alerts=[alert("Other").fingerprint], dropped_groups=[("g2", "ops", "")]))
    assert store.load() == StoredState([cursor(as_of=NOW + 1)], [newer], [group(episode="e2")])


def test_a_group_of_long_names_is_as_good_as_any(store: Store, reopen: Opener) -> None:
    long = "".join(random.Random(1).choices("äöüabcdefghijklmnopqrstuvwxyz€", k=20_000))
    store.commit(Commit(groups=[group("first"), group(long), group("last")]))
    store.commit(Commit(groups=[group(long, episode="e2"), group(long, episode="e2", receiver="oncall")]))
    enqueue(store, notification("k1", group=long), notification("k2", "e2", group=long))
    assert keys(store.heads("ops", "slack/0", 10)) == ["k1"]
    assert [(one.key[:5], one.receiver, one.episode) for one in store.load().groups] == [
        ("first", "ops", "e1"),
        (long[:5], "ops", "e2"),
        ("last", "ops", "e1"),
        (long[:5], "oncall", "e2"),
    ]
    store.commit(Commit(dropped_groups=[(long, "ops", ""), (long, "oncall", "")]))
    assert [one.key for one in store.load().groups] == ["first", "last"]


def test_a_group_twice_in_one_commit_is_one(store: Store) -> None:
    store.commit(Commit(groups=[group(), group(episode="e2")]))
    assert store.load().groups == [group(episode="e2")]


def test_entries_are_per_account_ascending_and_can_be_dropped(store: Store) -> None:
    store.commit(Commit(entries=[Entry("main", "from", code, f"v{code}") for code in (10, 9, 2)]))
    store.commit(Commit(entries=[Entry("main", "country", 7, "GR"), Entry("other", "from", 2, "x")]))
    store.commit(Commit(dropped_entries=[("main", "from", 9)]))
    assert [(entry.field, entry.code) for entry in store.entries("main")] == [("country", 7), ("from", 2), ("from", 10)]


def test_entries_are_read_in_pages_until_one_is_empty(store: Store) -> None:
    entries = [Entry("main", field, code, f"v{code}") for field in ("country", "from") for code in range(10_000)]
    store.commit(Commit(entries=[*entries, Entry("other", "from", 2, "x")]))
    found = list[Entry]()
    while page := store.entries_page("main", *found[-1:]):
        assert len(page) < len(entries)
        found += page
    assert found == entries == store.entries("main")


def test_texts_are_read_in_pages_as_the_entries_are(store: Store) -> None:
    values = ["", "+30691•••••78", 'a "b" \\ c', "nul\x00in it", "line\nfeed", "😀", "\x1e\x1f\x7f\u2028"]
    texts = [*values, *map(str, range(9_000))]
    entries = [
        Entry("main", name, 2 * code, text) for name in ("country", "from", "to") for code, text in enumerate(texts)
    ]
    store.commit(Commit(entries=[*entries[::-1], Entry("other", "from", 2, "x"), Entry("zero", "", 0, "y")]))
    for account in ("main", "other", "none", "zero"):
        found, end = list[tuple[str, str]](), BEFORE_ALL_TEXTS
        while page := store.texts_page(account, end):
            assert sum(len(one.values) for one in page) < len(entries)
            end = page[-1].field, page[-1].last
            found += [(one.field, value) for one in page for value in one.values]
        assert found == [(one.field, one.value) for one in store.entries(account)]


def test_entries_that_follow_each_other_are_stored_as_they_are_whatever_their_texts(store: Store) -> None:
    plain = [
        "",
        "+30691•••••78",
        'a "b" \\ c',
        "line\nfeed",
        "😀",
        "\x1e\x1f\x7f\u2028",
        "\\u0000",
        "null",
        "1",
        "[1]",
        "Ä\ufdd0",
    ]
    with_nul = [*plain, "nul\x00in it", "\x00", "after"]
    store.commit(Commit(entries=[Entry("main", "from", 3, "another text")]))
    entries = [Entry("main", "from", code, text) for code, text in enumerate(plain)]
    entries += [Entry("main", "label", code, text) for code, text in enumerate(with_nul, 5)]
    store.commit(Commit(entries=[*entries, *(Entry("other", "label", code, "x") for code in (1, 2, 4))]))
    assert store.entries("main") == entries
    assert [entry.code for entry in store.entries("other")] == [1, 2, 4]


def test_a_text_that_utf8_cannot_hold_does_not_stop_the_poll(store: Store) -> None:
    store.commit(
        Commit(
            entries=[Entry("main", "from", 1, "a\ud800b"), Entry("main", "from", 2, "nul\x00in it")],
            quarantined=[QuarantinedRecord("main", "s", NOW, "why \udfff", "\ud800")],
        )
    )
    assert [entry.value for entry in store.entries("main")] == ["a?b", "nul\x00in it"]


def test_the_journal_is_numbered_upwards_and_no_number_is_used_twice(store: Store) -> None:
    first = store.commit(Commit(journal=[("main", b"1"), ("other", b"2"), ("main", b"3")]))
    assert first == sorted(set(first))
    store.commit(Commit(cleaned=[("main", first[0]), ("main", first[2])]))
    second = store.commit(Commit(journal=[("main", b"4")]))
    assert second[0] > max(first)
    assert list(store.journal("main")) == [(second[0], b"4")]
    assert list(store.journal("other")) == [(first[1], b"2")]


def test_the_size_of_a_journal_is_that_of_its_blobs(store: Store) -> None:
    store.commit(Commit(journal=[("main", b"12"), ("other", b"1234"), ("main", bytes(100_000))]))
    assert [store.journal_size(one) for one in ("main", "other", "gone")] == [100_002, 4, 0]


def test_the_journal_can_be_compacted_while_it_is_read(store: Store) -> None:
    numbers = store.commit(Commit(journal=[("main", b"%d" % i) for i in range(200)]))
    reading = store.journal("main")
    seen = [next(reading)[1]]
    store.commit(Commit(journal=[("main", b"all")], cleaned=[("main", number) for number in numbers]))
    seen += [blob for _, blob in reading]
    assert seen[-1] == b"all"
    assert [blob for _, blob in store.journal("main")] == [b"all"]


def test_a_commit_that_fails_half_way_changes_nothing(store: Store) -> None:
    store.commit(Commit(cursors=[cursor()]))
    unwritable = alert(operator="\ud800")
    with pytest.raises(ValueError, match="surrogates not allowed"):
        store.commit(Commit(journal=[("main", b"x")], cursors=[cursor(as_of=0)], alerts=[unwritable]))
    assert list(store.journal("main")) == []
    assert store.load().cursors == [cursor()]
    assert store.commit(Commit(journal=[("main", b"y")]))


def test_a_secret_is_made_once_and_belongs_to_the_store(store: Store, reopen: Opener) -> None:
    secret = store.secret("recipients")
    assert len(secret) == 32
    assert store.secret("other") != secret
    with closing(reopen()) as again:
        assert again.secret("recipients") == secret


def test_the_same_notification_is_queued_once_a_channel(store: Store) -> None:
    enqueue(store, notification("k1"), notification("k1"))
    enqueue(store, notification("k1"), channel="webhook/0")
    enqueue(store, notification("k1", receiver="oncall"))
    [outbox_row] = store.waiting("ops", "slack/0", 10)
    store.sent(outbox_row.id, {}, NOW)
    assert enqueue(store, notification("k1")) == []
    assert store.backlog().keys() == {("ops", "webhook/0"), ("oncall", "slack/0")}


def test_parcels_wait_in_the_order_in_which_they_were_written(store: Store) -> None:
    first, *_ = enqueue(store, notification("k1"), notification("k2"), notification("k3"))
    store.postponed(first.id, "503", NOW)
    assert keys(store.waiting("ops", "slack/0", 2)) == ["k1", "k2"]
    assert keys(store.outbox_rows(limit=2)) == ["k3", "k2"]


def test_the_head_of_each_group_is_offered_due_ones_first(store: Store) -> None:
    one, *_ = enqueue(
        store,
        notification("a1", "a"),
        notification("a2", "a"),
        notification("b1", "b"),
        notification("c1", "c"),
        notification("c2", "c"),
    )
    assert keys(store.heads("ops", "slack/0", 10)) == ["a1", "b1", "c1"]
    store.postponed(one.id, "503", NOW + SECOND)
    assert keys(store.heads("ops", "slack/0", 10)) == ["b1", "c1", "a1"]
    assert keys(store.heads("ops", "slack/0", 1)) == ["b1"]
    store.sent(one.id, {}, NOW)
    assert keys(store.heads("ops", "slack/0", 10)) == ["a2", "b1", "c1"]
    assert store.heads("ops", "webhook/0", 10) == []


def test_a_groups_next_episode_waits_for_the_end_of_the_one_before(store: Store) -> None:
    end, *_ = enqueue(store, notification("a2", "a", group="g"), notification("b1", "b", group="g"), notification("c1"))
    store.postponed(end.id, "503", NOW + SECOND)
    assert keys(store.heads("ops", "slack/0", 10)) == ["c1", "a2"]
    store.sent(end.id, {}, NOW)
    assert keys(store.heads("ops", "slack/0", 10)) == ["b1", "c1"]


def test_what_is_older_and_waits_in_another_group_about_the_same_alert_is_found_and_its_group_in_order(
    store: Store,
) -> None:
    def put(key: str, group: str, alert: str, channel: str = "slack/0") -> None:
        enqueue(store, notification(key, group, group=group, fingerprint=alert), channel=channel)

    put("a1", "a", "other")
    put("a2", "a", "x")
    put("elsewhere", "d", "x", channel="webhook/0")
    put("b1", "b", "x")
    put("c1", "c", "y")
    put("a3", "a", "y")
    rows = {row.notification.key: row for row in store.waiting("ops", "slack/0", 9)}

    def earlier(key: str) -> str | None:
        found = store.earlier(rows[key])
        return found and found.notification.key

    assert [earlier(key) for key in ("a1", "a2", "b1", "c1", "a3")] == [None, None, "a1", None, "c1"]
    store.sent(rows["a1"].id, {}, NOW)
    assert earlier("b1") == "a2"
    store.rejected(rows["a2"].id, "why", NOW)
    assert earlier("b1") is None


def test_the_successor_is_the_next_of_the_same_episode_and_channel(store: Store) -> None:
    outbox_rows = enqueue(store, notification("a1", "a"), notification("b1", "b"), notification("a2", "a"))
    enqueue(store, notification("a3", "a"), channel="webhook/0")
    assert [store.successor(outbox_row.id) for outbox_row in outbox_rows] == ["a2", None, None]
    store.rejected(outbox_rows[2].id, "never", NOW)
    assert store.successor(outbox_rows[0].id) is None


def test_a_parcels_fate_is_kept(store: Store) -> None:
    taken, failing, refused = enqueue(store, notification("k1"), notification("k2"), notification("k3"))
    store.postponed(taken.id, "timeout", NOW + 1)
    store.sent(taken.id, {"ts": "1.2"}, NOW + 2)
    store.postponed(failing.id, "429", NOW + 3)
    store.postponed(failing.id, "503", NOW + 4)
    store.rejected(refused.id, "invalid_auth", NOW + 5)
    dead, waiting, sent = store.outbox_rows()
    assert (sent.state, sent.attempts, sent.error, sent.receipt, sent.done_at) == (
        "sent",
        1,
        "",
        {"ts": "1.2"},
        NOW + 2,
    )
    assert (waiting.state, waiting.attempts, waiting.error, waiting.next_at) == ("waiting", 2, "503", NOW + 4)
    assert (dead.state, dead.error, dead.done_at) == ("dead", "invalid_auth", NOW + 5)
    assert store.outbox_rows("dead") == [dead]
    assert store.waiting("ops", "slack/0", 10) == [waiting]


def test_what_is_done_with_stays_done_with(store: Store) -> None:
    (outbox_row,) = enqueue(store, notification("k1"))
    store.sent(outbox_row.id, {"ts": "1"}, NOW)
    store.sent(outbox_row.id, {"ts": "2"}, NOW + 1)
    store.postponed(outbox_row.id, "late", NOW + 2)
    store.rejected(outbox_row.id, "late", NOW + 3)
    [sent] = store.outbox_rows()
    assert (sent.state, sent.receipt, sent.done_at) == ("sent", {"ts": "1"}, NOW)


def test_the_receipt_of_an_episode_is_its_latest_real_one(store: Store) -> None:
    lost, first, second, skipped = enqueue(store, *(notification(f"k{i}") for i in range(4)))
    assert store.receipt("ops", "slack/0", "e1") is None
    store.rejected(lost.id, "never", NOW)
    store.sent(skipped.id, {SUPERSEDED: "k2"}, NOW)
    assert store.receipt("ops", "slack/0", "e1") is None
    store.sent(first.id, {"ts": "1", "channel": "C1"}, NOW)
    store.sent(second.id, {"ts": "2"}, NOW)
    assert store.receipt("ops", "slack/0", "e1") == {"ts": "2"}
    assert store.receipt("ops", "slack/0", "e2") is None
    assert store.receipt("ops", "slack/1", "e1") is None


def test_the_backlog_says_how_many_wait_and_since_when(store: Store) -> None:
    enqueue(store, notification("k1", at=NOW + 5), notification("k2", at=NOW + 3))
    enqueue(store, notification("k3", at=NOW), channel="webhook/0")
    store.sent(store.waiting("ops", "webhook/0", 1)[0].id, {}, NOW)
    assert store.backlog() == {("ops", "slack/0"): (2, NOW + 3)}


def test_the_latest_records_set_aside_are_kept_and_all_are_counted(store: Store) -> None:
    quarantined = [
        QuarantinedRecord("main", "outbound", NOW + i, "bad", "x" * 5_000 if i == 1_499 else str(i))
        for i in range(1_500)
    ]
    store.commit(Commit(quarantined=quarantined[:700]))
    store.commit(Commit(quarantined=quarantined[700:]))
    kept = store.quarantined(2_000)
    assert len(kept) == QUARANTINED_KEPT
    assert (kept[0].at, len(kept[0].record)) == (NOW + 1_499, QUARANTINED_LENGTH)
    assert kept[-1] == replace(quarantined[500], first_at=quarantined[500].at)
    assert store.counts()["quarantined"] == 1_500


def test_a_record_that_comes_again_is_one_row_and_pushes_out_no_other(store: Store) -> None:
    bad, other = (
        QuarantinedRecord("main", "outbound", NOW, "no date", "{1}"),
        QuarantinedRecord("main", "outbound", NOW + 1, "no date", "{2}"),
    )
    store.commit(Commit(quarantined=[bad, other, replace(bad, at=NOW + 2)]))
    for i in range(QUARANTINED_KEPT):
        store.commit(Commit(quarantined=[replace(bad, at=NOW + 3 + i, why="no status")]))
    elsewhere = replace(bad, at=NOW + 3, search="more")
    store.commit(Commit(quarantined=[elsewhere]))
    assert store.quarantined() == [
        replace(bad, at=NOW + 2 + QUARANTINED_KEPT, why="no status", seen=2 + QUARANTINED_KEPT, first_at=NOW),
        replace(elsewhere, first_at=NOW + 3),
        replace(other, first_at=NOW + 1),
    ]
    assert store.counts()["quarantined"] == 3


def test_counts_tell_how_much_there_is(store: Store) -> None:
    one, two, _ = enqueue(store, notification("k1"), notification("k2"), notification("k3"))
    store.sent(one.id, {}, NOW)
    store.rejected(two.id, "never", NOW)
    store.commit(Commit(journal=[("main", b"")], alerts=[alert()], groups=[group()], transitions=[transition()]))
    expected = {"journal": 1, "entries": 0, "alerts": 1, "groups": 1, "transitions": 1, "quarantined": 0}
    assert store.counts() == expected | {"waiting": 1, "sent": 1, "dead": 1}


def test_pruning_forgets_the_old_and_nothing_that_is_still_open(store: Store) -> None:
    store.commit(
        Commit(
            alerts=[alert(), alert("Old", resolved_at=NOW - 1), alert("Young", resolved_at=NOW)],
            transitions=[transition(at=NOW - 1), transition(at=NOW)],
            quarantined=[QuarantinedRecord("main", "s", NOW - 1, "", ""), QuarantinedRecord("main", "s", NOW, "", "")],
        )
    )
    sent, dead, young, _ = enqueue(store, *(notification(f"k{i}", f"e{i}") for i in range(4)))
    store.sent(sent.id, {}, NOW - 1)
    store.rejected(dead.id, "never", NOW - 1)
    store.sent(young.id, {}, NOW)
    store.prune(NOW, NOW)
    assert [one.rule for one in store.load().alerts] == ["OperatorFailureRate", "Young"]
    assert store.transitions() == [transition(at=NOW)]
    assert len(store.quarantined()) == 1
    assert keys(store.outbox_rows()) == ["k3", "k2"]


def test_pruning_leaves_the_receipt_of_an_episode_that_goes_on(store: Store) -> None:
    outbox_rows = enqueue(
        store, notification("a1", "a"), notification("a2", "a"), notification("b1", "b"), notification("c1", "c")
    )
    for outbox_row in outbox_rows:
        store.sent(outbox_row.id, {"ts": outbox_row.notification.key}, NOW)
    enqueue(store, notification("b2", "b"))
    store.commit(Commit(groups=[group(episode="a")]))
    store.prune(NOW + 1, NOW + 1)
    assert keys(store.outbox_rows()) == ["b2", "b1", "a2"]
    assert store.receipt("ops", "slack/0", "a") == {"ts": "a2"}
    assert store.receipt("ops", "slack/0", "b") == {"ts": "b1"}


def test_pruning_leaves_an_alert_whose_end_somebody_has_yet_to_be_told(store: Store) -> None:
    awaited, told = alert("Awaited", resolved_at=NOW - 1), alert("Told", resolved_at=NOW - 1)
    waiting = msgspec.structs.replace(group(), told={awaited.fingerprint: "warning"})
    store.commit(Commit(alerts=[awaited, told], groups=[waiting]))
    store.prune(NOW, NOW)
    assert store.load().alerts == [awaited]
    store.commit(Commit(dropped_groups=[(waiting.key, waiting.receiver, "")]))
    store.prune(NOW, NOW)
    assert store.load().alerts == []


def test_silences_and_acknowledgements_come_back_as_they_are_now(store: Store, reopen: Opener) -> None:
    store.commit(Commit(silences=[silence(1), silence(2), silence(3)], acks=[ack("f1"), ack("f2")]))
    store.commit(Commit(silences=[silence(2, NOW + 1)], dropped_silences=["s3", "none"]))
    store.commit(Commit(acks=[ack("f1", until=NOW + 9)], dropped_acks=["f2", "none"]))
    store.close()
    with closing(reopen()) as again:
        loaded = again.load()
    assert loaded.silences == [silence(1), silence(2, NOW + 1)]
    assert loaded.acks == [ack("f1", until=NOW + 9)]


def test_beginnings_of_alerts_in_the_last_two_hours_come_back(store: Store) -> None:
    moments = [NOW - BEGUN_KEPT, NOW - BEGUN_KEPT + 1, NOW - 5, NOW]
    made = [transition(f"f{i}", at) for i, at in enumerate(moments)]
    about = TransitionSubject("main", (("operator", "Ä"),), 2, "Ann", "on it")
    over = Transition("f9", "R", NOW, "resolved", "recovered", None, about)
    store.commit(Commit(transitions=[*made, over]))
    assert [one.about for one in store.transitions(2)] == [about, None]
    assert store.load().begun == [("f1", NOW - BEGUN_KEPT + 1), ("f2", NOW - 5), ("f3", NOW)]


def test_the_history_says_what_was_told_to_whom_and_what_became_of_it(store: Store) -> None:
    taken, refused, skipped, _ = enqueue(
        store, *(notification(f"k{i}", at=NOW + i, reason="repeat" if i == 2 else "first") for i in range(4))
    )
    enqueue(store, notification("other", receiver="oncall", at=NOW + 9), channel="webhook/1")
    store.sent(taken.id, {"ts": "1"}, NOW + 20)
    store.postponed(refused.id, "503", NOW + 21)
    store.rejected(refused.id, "invalid_auth", NOW + 22)
    store.sent(skipped.id, {SUPERSEDED: "k3"}, NOW + 23)
    told = store.history()
    assert [(one.receiver, one.channel, one.at - NOW, one.outcome) for one in told] == [
        ("oncall", "webhook/1", 9, "waiting"),
        ("ops", "slack/0", 3, "waiting"),
        ("ops", "slack/0", 2, "superseded"),
        ("ops", "slack/0", 1, "dead"),
        ("ops", "slack/0", 0, "sent"),
    ]
    assert (told[3].attempts, told[3].error, told[3].done_at, told[2].reason) == (1, "invalid_auth", NOW + 22, "repeat")
    [alert_told] = told[0].alerts
    assert (alert_told.name, alert_told.labels, alert_told.status) == (
        "OperatorFailureRate",
        {"operator": "Cosmote"},
        "firing",
    )
    assert len(store.history(limit=2)) == 2
    assert [one.at for one in store.history(since=NOW + 3)] == [NOW + 9, NOW + 3]


def test_past_notifications_are_filtered_counted_and_paged(store: Store) -> None:
    rows = enqueue(store, *(notification(f"k{i}", at=NOW + i) for i in range(5)))
    enqueue(store, notification("other", receiver="oncall", at=NOW + 9), channel="webhook/1")
    store.sent(rows[0].id, {"ts": "1"}, NOW + 20)
    store.sent(rows[1].id, {SUPERSEDED: "k2"}, NOW + 21)
    store.rejected(rows[2].id, "invalid_auth", NOW + 22)
    [one] = store.notifications(NotificationFilter(outcome="sent"))
    assert (one.id, one.alerts[0].fingerprint) == (rows[0].id, "f1")
    selected = [
        (NotificationFilter(), 6),
        (NotificationFilter(receiver="ops"), 5),
        (NotificationFilter(channel="webhook/1"), 1),
        (NotificationFilter(outcome="superseded"), 1),
        (NotificationFilter(outcome="dead", receiver="oncall"), 0),
        (NotificationFilter(since=NOW + 2, until=NOW + 4), 3),
        (NotificationFilter(fingerprint="f1"), 6),
        (NotificationFilter(fingerprint="nobody' OR 1=1"), 0),
        (NotificationFilter(incident="none"), 0),
    ]
    for wanted, count in selected:
        assert (len(store.notifications(wanted)), store.count_notifications(wanted)) == (count, count), wanted
    assert [one.at - NOW for one in store.notifications(limit=2, offset=1)] == [4, 3]
    assert store.notifications(offset=1 << 40) == []
    assert store.last_sent() == {("ops", "slack/0"): NOW + 20}
    assert store.dead_letters() == {("ops", "slack/0"): 1}


def test_an_alert_is_found_as_it_was_notified_last(store: Store) -> None:
    assert store.last_view("f1") is None
    enqueue(store, notification("k1"), notification("k2", at=NOW + 1))
    view = store.last_view("f1")
    assert view is not None
    assert view.fingerprint == "f1"
    assert store.last_view("f0") is None


def test_the_changes_of_one_alert_and_of_one_incident_are_found(store: Store) -> None:
    def moved(fingerprint: str, at: int, what: What, incident: str) -> Transition:
        return Transition(fingerprint, "R", at, what, about=TransitionSubject("main", (), 1, incident=incident))

    store.commit(
        Commit(
            transitions=[
                moved("f1", NOW, "fired", "i1"),
                moved("f2", NOW + 1, "fired", "i1"),
                moved("f1", NOW + 2, "resolved", "i1"),
                moved("f3", NOW + 3, "fired", "i2"),
                moved("f4", NOW + 4, "fired", ""),
                transition("f5", NOW + 5),
            ]
        )
    )
    assert [(one.what, one.at) for one in store.transitions_of("f1")] == [("resolved", NOW + 2), ("fired", NOW)]
    assert [one.fingerprint for one in store.begun_in("i1")] == ["f2", "f1"]
    assert store.incidents() == [PastIncident("i2", NOW + 3, NOW + 3, 1), PastIncident("i1", NOW, NOW + 1, 2)]
    assert store.incidents(limit=1, offset=1) == [PastIncident("i1", NOW, NOW + 1, 2)]
    assert store.count_incidents() == 2
    assert store.incident("i1") == PastIncident("i1", NOW, NOW + 1, 2)
    assert store.incident("i3") is None


def test_alerts_that_have_not_ended_and_are_not_there_are_lost(store: Store) -> None:
    there = alert()

    def course(fingerprint: str, *moves: What) -> list[Transition]:
        about = TransitionSubject("main", (("operator", "Nova"),), 1)
        return [Transition(fingerprint, "R", NOW + at, what, about=about) for at, what in enumerate(moves)]

    courses = [
        course(there.fingerprint, "fired"),
        course("over", "fired", "resolved", "unacknowledged"),
        course("never fired", "pending", "dropped"),
        course("again", "fired", "resolved", "fired", "escalated", "acknowledged"),
        course("waits", "pending"),
    ]
    store.commit(Commit(alerts=[there], transitions=[one for some in courses for one in some]))
    found = store.lost_alerts()
    assert [(one.fingerprint, one.what, one.at) for one in found] == [
        ("again", "escalated", NOW + 3),
        ("waits", "pending", NOW),
    ]
    assert found[0].about == TransitionSubject("main", (("operator", "Nova"),), 1)
    assert len(store.lost_alerts(limit=1)) == 1


def test_a_dead_letter_is_sent_again_unless_something_newer_of_its_episode_was(store: Store) -> None:
    rows = enqueue(store, *(notification(f"k{i}", f"e{i}", at=NOW + i) for i in range(3)))
    for row in rows:
        store.postponed(row.id, "503", NOW)
        store.rejected(row.id, "invalid_auth", NOW)
    [newer] = enqueue(store, notification("newer", "e1", at=NOW + 9))
    assert store.retry_dead(outbox_row=rows[0].id) == Retried(1, 0)
    assert store.retry_dead(outbox_row=rows[0].id) == Retried(0, 0), "it is not dead any more"
    [again] = [row for row in store.waiting("ops", "slack/0", 9) if row.id == rows[0].id]
    assert (again.attempts, again.next_at, again.done_at, again.error) == (0, 0, None, "invalid_auth")
    assert store.retry_dead(NotificationFilter(receiver="oncall")) == Retried(0, 0)
    assert store.retry_dead(NotificationFilter(receiver="ops")) == Retried(1, 1)
    assert [one.outcome for one in store.notifications()] == ["waiting", "waiting", "superseded", "waiting"]
    assert newer.id in [row.id for row in store.waiting("ops", "slack/0", 9)]
    assert store.dead_letters() == {}
    assert store.count_notifications(NotificationFilter(outcome="superseded")) == 1
    assert store.receipt("ops", "slack/0", "e1") is None, "nothing was sent to the receiver"
    [superseded] = store.outbox_rows("sent")
    assert superseded.receipt == {SUPERSEDED: "newer"}


def test_many_dead_letters_are_sent_again_in_parts(store: Store) -> None:
    for row in enqueue(store, *(notification(f"k{i}", f"e{i}") for i in range(5))):
        store.rejected(row.id, "no", NOW)
    assert store.retry_dead(most=2) == Retried(2, 0)
    assert [one.outcome for one in store.notifications()] == ["dead"] * 3 + ["waiting"] * 2, "the oldest first"


def test_what_was_told_and_what_happened_is_kept_however_short_the_rest_is(store: Store) -> None:
    store.commit(Commit(alerts=[alert("Old", resolved_at=NOW - 1)], transitions=[transition(at=NOW - 1)]))
    [sent] = enqueue(store, notification("k1", at=NOW - 9))
    store.sent(sent.id, {}, NOW - 1)
    store.prune(NOW, NOW - 1)
    assert (store.load().alerts, len(store.transitions()), len(store.history())) == ([], 1, 1)
    store.prune(NOW, NOW)
    assert (store.transitions(), store.history()) == ([], [])


def test_within_a_snapshot_nothing_moves(store: Store, reopen: Opener) -> None:
    store.commit(Commit(journal=[("main", b"1")]))
    with closing(reopen()) as reader:
        with reader.snapshot():
            before = list(reader.journal("main"))
            store.commit(Commit(journal=[("main", b"2")], entries=[Entry("main", "from", 1, "x")]))
            assert list(reader.journal("main")) == before
            assert reader.entries("main") == []
            assert reader.load().cursors == []  # a snapshot of its own, within the same moment
            assert list(reader.journal("main")) == before
            with pytest.raises(StoreError):
                reader.commit(Commit(journal=[("main", b"3")]))
        assert [blob for _, blob in reader.journal("main")] == [b"1", b"2"]


def test_a_closed_store_says_so_and_closes_again(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.load()


@dataclass(frozen=True)
class Kept:
    """What a rule keeps."""

    data: bytes

    def blob(self) -> bytes:
        return self.data


def test_as_of_when_a_rule_was_evaluated_first_is_kept_until_the_rule_goes(reopen: Opener) -> None:
    with closing(reopen()) as store:
        assert store.load().first_evaluations == {}
        store.commit(Commit(first_evaluations={("main", "A"): NOW, ("main", "B"): NOW, ("x", "A"): NOW + 1}))
        store.commit(Commit(dropped_first_evaluations=[("main", "B")], first_evaluations={("x", "A"): NOW + 2}))
    with closing(reopen()) as store:
        assert store.load().first_evaluations == {("main", "A"): NOW, ("x", "A"): NOW + 2}


def test_what_a_rule_keeps_is_replaced_and_goes_with_the_rule(reopen: Opener) -> None:
    with closing(reopen()) as store:
        store.commit(
            Commit(rule_states={("main", "A"): Kept(b"1"), ("main", "B"): Kept(b"\x00"), ("x", "A"): Kept(b"")})
        )
        store.commit(Commit(rule_states={("main", "A"): Kept(b"2")}, dropped_rule_states=[("main", "B")]))
        store.commit(Commit(rule_states={("main", "C"): Kept(b"3")}, dropped_rule_states=[("main", "C")]))
    with closing(reopen()) as store:
        assert store.load().rule_states == {("main", "A"): b"2", ("x", "A"): b"", ("main", "C"): b"3"}


def test_up_to_when_messages_were_lost_is_kept_whatever_is_polled_since(reopen: Opener) -> None:
    other = msgspec.structs.replace(cursor(), account="other")
    with closing(reopen()) as store:
        store.commit(Commit(cursors=[cursor(), other], journal=[("main", b"x")]))
        assert store.load().lost == {}
        store.commit(Commit(forgotten=["main"], lost={"main": NOW}))
        assert (store.load().cursors, list(store.journal("main"))) == ([other], [])
        store.commit(Commit(cursors=[cursor()]))
        store.commit(Commit(cursors=[cursor()]))
    with closing(reopen()) as store:
        loaded = store.load()
        assert (loaded.cursors, loaded.lost) == ([cursor(), other], {"main": NOW})
        assert (store.load(["main"]).lost, store.load(["other"]).lost) == ({"main": NOW}, {})
        store.commit(Commit(forgotten=["main"], lost={"main": NOW + 1, "": NOW}))
        assert store.load(["main"]).lost == {"main": NOW + 1, "": NOW}
        assert store.load(["other"]).lost == {"": NOW}, "of all accounts"


def test_what_belongs_to_some_accounts_is_loaded_alone(store: Store) -> None:
    theirs = msgspec.structs.replace(alert(), account="other")
    groups = [msgspec.structs.replace(group(), account=account) for account in ("main", "other", "")]
    store.commit(
        Commit(
            cursors=[cursor(), msgspec.structs.replace(cursor(), account="other")],
            alerts=[alert(), theirs],
            transitions=[transition()],
            groups=groups,
            silences=[silence()],
            acks=[ack(alert().fingerprint), ack(theirs.fingerprint), ack("gone")],
            account_states={"main": AccountState(), "other": AccountState()},
            rule_states={("main", "R"): Kept(b"1"), ("other", "R"): Kept(b"2")},
        )
    )
    whole = store.load()
    assert whole.groups == groups
    found = store.load(["other", "nobody"])
    assert found.cursors == whole.cursors[1:]
    assert (found.alerts, found.groups) == ([theirs], groups[1:2])
    assert found.acks == [ack(theirs.fingerprint)]
    assert (found.silences, found.begun) == (whole.silences, whole.begun)
    assert list(found.account_states) == ["other"]
    assert found.rule_states == {("other", "R"): b"2"}
    assert store.load(["other", "nobody"], rule_states=False) == replace(found, rule_states={})
    assert store.load(rule_states=False) == replace(whole, rule_states={})
    assert store.load([]).alerts == []
    assert store.load([]).silences == [silence()]


def test_one_alert_is_found_with_its_acknowledgement_and_who_has_anything(store: Store) -> None:
    theirs = msgspec.structs.replace(alert(), account="other")
    store.commit(
        Commit(alerts=[alert(), theirs], acks=[ack(theirs.fingerprint)], rule_states={("more", "R"): Kept(b"1")})
    )
    assert store.alert_and_ack(theirs.fingerprint) == (theirs, ack(theirs.fingerprint))
    assert store.alert_and_ack(alert().fingerprint) == (alert(), None)
    assert store.alert_and_ack("gone") == (None, None)
    assert store.owners() == ["main", "more", "other"]


def test_an_account_has_something_left_until_its_alerts_are_over_and_told_and_nothing_waits(store: Store) -> None:
    def owned(account: str, **more: Any) -> Alert:
        return msgspec.structs.replace(alert(**more), account=account)

    told, over = owned("told", resolved_at=NOW), owned("over", resolved_at=NOW)
    group_of_told = msgspec.structs.replace(
        group(), account="told", told={told.fingerprint: "critical", "x": "critical"}
    )
    of_unknown = msgspec.structs.replace(group("{other}"), account="unknown", told={"nobody": "critical"})
    store.commit(
        Commit(
            alerts=[owned("fires"), told, over],
            groups=[group_of_told, of_unknown],
            outbox=[Pending("webhook/0", notification("n"), "waits")],
            cursors=[msgspec.structs.replace(cursor(), account="read")],
            journal=[("read", b"x")],
        )
    )
    assert store.owners() == ["fires", "told", "waits"]
    [row] = store.waiting("ops", "webhook/0", 1)
    store.sent(row.id, {}, NOW)
    store.commit(
        Commit(groups=[msgspec.structs.replace(group_of_told, told={})], dropped_alerts=[owned("fires").fingerprint])
    )
    assert store.owners() == []


def test_ended_sessions_are_kept_until_they_would_have_ended_and_only_so_many(store: Store, reopen: Opener) -> None:
    first, second, third = (bytes([number]) * 32 for number in range(3))
    assert store.ended_sessions() == {}
    store.end_sessions({second: NOW + 1, first: NOW}, 0, 2)
    store.end_sessions({first: NOW}, 0, 2)
    assert list(store.ended_sessions().items()) == [(first, NOW), (second, NOW + 1)]
    store.close()
    with closing(reopen()) as later:
        later.end_sessions({third: NOW + 2}, 0, 2)
        assert later.ended_sessions() == {second: NOW + 1, third: NOW + 2}
        later.end_sessions({}, NOW + 1, 2)
        assert later.ended_sessions() == {third: NOW + 2}


def test_groups_of_one_key_and_receiver_are_told_apart_by_their_account(store: Store) -> None:
    mine, theirs = (msgspec.structs.replace(group(), account=account) for account in ("main", "other"))
    store.commit(Commit(groups=[mine, theirs]))
    newer = msgspec.structs.replace(theirs, episode="e2")
    store.commit(Commit(groups=[newer]))
    assert store.load().groups == [mine, newer]
    assert (store.groups_of(mine.key), store.groups_of("another")) == ([mine, newer], [])
    store.commit(Commit(dropped_groups=[(mine.key, mine.receiver, "main")]))
    assert store.load().groups == [newer]


def test_a_notification_says_whose_it_is(store: Store) -> None:
    store.commit(
        Commit(outbox=[Pending("slack/0", notification("k1"), "main"), Pending("slack/0", notification("k2"))])
    )
    assert [row.account for row in store.waiting("ops", "slack/0", 9)] == ["main", ""]
    assert [row.account for row in store.outbox_rows()] == ["", "main"]
    assert [row.account for row in store.outbox_rows("waiting")] == ["", "main"]
    assert store.heads("ops", "slack/0", 9)[0].account == "main"


def test_silences_and_acknowledgements_are_read_alone(store: Store) -> None:
    store.commit(Commit(silences=[silence()], acks=[ack()]))
    found = store.suppressions()
    assert (found.silences, found.unusable, found.acks) == ([silence()], [], [ack()])


def test_an_edit_is_written_only_if_nobody_has_changed_what_it_was_decided_on(store: Store) -> None:
    read = store.suppressions().revision
    store.commit(Commit(silences=[silence()], decided_on=read))
    for late in (
        Commit(dropped_silences=["s1"], decided_on=read),
        Commit(
            silences=[msgspec.structs.replace(silence(), comment="late")], journal=[("main", b"rows")], decided_on=read
        ),
        Commit(acks=[ack()], decided_on=read),
        Commit(dropped_acks=["f1"], decided_on=read),
    ):
        with pytest.raises(DecidedTooLate):
            store.commit(late)
    found = store.suppressions()
    assert (found.silences, found.acks, list(store.journal("main"))) == ([silence()], [], [])
    store.commit(Commit(journal=[("main", b"rows")], decided_on=read))
    assert [blob for _, blob in store.journal("main")] == [b"rows"], "it changes neither silence nor acknowledgement"
    store.commit(Commit(acks=[ack()], decided_on=found.revision))
    store.commit(Commit(dropped_acks=["f1"]))
    assert store.suppressions().revision == found.revision + 2


def test_a_store_that_one_process_has_knows_of_no_others(store: Store) -> None:
    assert store.leases() is None
    store.assign_accounts(["main"])
    assert store.load().groups == []
    assert store.forwarded(["main"], 9) == []
    store.drop_forwarded([1])
