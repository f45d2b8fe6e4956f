"""Notifications in a PostgreSQL database that cannot be read: each is given up, and holds up nothing and nobody else."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import PostgresqlStore, open_worker
from monitor.store.protocol import Commit, Pending, Retried
from tests.fakes.postgresql import PostgresqlServer
from tests.store.store_samples import NOW, group, keys, notification

Tell = Callable[[str], object]
MADE_UNREADABLE = "UPDATE routee_monitor.parcel SET notification = '{}' WHERE key = 'a'"


@pytest.fixture
def store(postgresql_tables: PostgresqlAddress) -> Iterator[PostgresqlStore]:
    with closing(open_worker(postgresql_tables)) as opened:
        yield opened


@pytest.fixture
def tell(postgresql_tables: PostgresqlAddress, postgresql_server: PostgresqlServer) -> Tell:
    """Has the administrator of the database run a statement."""
    return lambda statement: postgresql_server.administer(statement, database=postgresql_tables.database)


@pytest.fixture
def complaints(store: PostgresqlStore) -> Iterator[list[str]]:
    """What the store logs. At the first complaint its accounts go away; one does not complain of what is not one's own any more."""
    taken_away = _TakenAway(store)
    log = logging.getLogger("monitor.store")
    log.addHandler(taken_away)
    yield taken_away.complaints
    log.removeHandler(taken_away)


class _TakenAway(logging.Handler):
    def __init__(self, store: PostgresqlStore) -> None:
        super().__init__()
        self._store, self.complaints = store, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.complaints.append(record.getMessage())
        assert len(self.complaints) == 1
        self._store.hold({})


def enqueue(store: PostgresqlStore, *keys: str) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", notification(key, key), "main") for key in keys]))


def test_one_whose_account_goes_away_meanwhile_is_left_to_the_next_holder(
    store: PostgresqlStore, tell: Tell, complaints: list[str]
) -> None:
    leases = store.leases()
    assert leases is not None
    with closing(leases):
        leases.beat(["main"], {})
        held = leases.take(["main"])
    store.hold(held)
    enqueue(store, "a")
    tell(MADE_UNREADABLE)
    assert store.heads("ops", "slack/0", 9) == []
    assert (len(complaints), store.dead_letters()) == (1, {})
    complaints.clear()
    store.hold(held)
    assert store.waiting("ops", "slack/0", 9) == []
    assert (len(complaints), store.dead_letters()) == (1, {})


def test_one_is_left_out_of_all_lists_and_said_once(
    store: PostgresqlStore, tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue(store, "a", "b")
    tell(MADE_UNREADABLE)
    for _ in range(2):
        assert keys(store.outbox_rows()) == keys(store.outbox_rows("waiting")) == ["b"]
        assert [one.id for one in store.notifications()] == [one.id for one in store.history()] == [2]
        assert store.count_notifications() == 2
    [said] = caplog.messages
    assert "notification 1 in the store cannot be read and is left out" in said
    assert "routee_monitor.parcel" in said


def test_an_alert_whose_last_notification_is_one_is_shown_without_it(store: PostgresqlStore, tell: Tell) -> None:
    enqueue(store, "a")
    tell(MADE_UNREADABLE)
    assert store.last_view("f1") is None
    assert store.head_view("f1", "") is None


@pytest.mark.parametrize("receipt", ["{", "5", "[1]"])
def test_one_with_an_unreadable_receipt_is_left_out_too(store: PostgresqlStore, tell: Tell, receipt: str) -> None:
    enqueue(store, "a", "b")
    store.sent(1, {"ts": "1"}, NOW)
    tell(f"UPDATE routee_monitor.parcel SET receipt = '{receipt}' WHERE key = 'a'")
    assert keys(store.outbox_rows()) == ["b"]
    assert [one.id for one in store.notifications()] == [2]


def test_one_that_was_given_up_is_not_sent_again_until_it_can_be_read(store: PostgresqlStore, tell: Tell) -> None:
    enqueue(store, "a", "b", "c")
    tell("CREATE TABLE public.kept AS SELECT id, notification FROM routee_monitor.parcel")
    tell(MADE_UNREADABLE)
    assert keys(store.heads("ops", "slack/0", 9)) == ["b", "c"]
    store.rejected(2, "channel_not_found", NOW)
    assert store.retry_dead() == Retried(1, 0, unreadable=1)
    assert store.retry_dead() == store.retry_dead(outbox_row=1) == Retried(0, 0, unreadable=1)
    assert store.dead_letters() == {("ops", "slack/0"): 1}
    assert store.retry_dead(outbox_row=2) == Retried(0, 0)
    tell("UPDATE routee_monitor.parcel SET notification = kept.notification FROM public.kept WHERE kept.id = parcel.id")
    assert store.retry_dead() == Retried(1, 0)
    assert keys(store.heads("ops", "slack/0", 9)) == ["a", "b", "c"]


def test_one_after_which_something_newer_was_sent_is_superseded(store: PostgresqlStore, tell: Tell) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", notification(key, "e"), "main") for key in "ab"]))
    tell(MADE_UNREADABLE)
    assert keys(store.waiting("ops", "slack/0", 9)) == ["b"]
    assert store.retry_dead() == Retried(0, 1)
    assert store.dead_letters() == {}


def test_one_that_is_no_accounts_goes_to_the_first_and_is_given_up_there(store: PostgresqlStore, tell: Tell) -> None:
    enqueue(store, "a", "b")
    store.commit(Commit(groups=[group("g")]))
    tell("UPDATE routee_monitor.parcel SET account = ''")
    tell(MADE_UNREADABLE)
    tell(
        "INSERT INTO routee_monitor.alert_group (key, receiver, episode, data, told) VALUES ('x', 'ops', 'e', '{', '{}')"
    )
    store.assign_accounts(["first", "second"])
    assert [one.account for one in store.outbox_rows()] == ["first"]
    assert [(one.key, one.account) for one in store.load(["first"]).groups] == [("g", "first")]
    assert keys(store.heads("ops", "slack/0", 9)) == ["b"]
    assert store.dead_letters() == {("ops", "slack/0"): 1}
