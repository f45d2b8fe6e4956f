"""Notifications in a PostgreSQL database that cannot be read: each is given up, and holds up nothing and nobody else."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import PostgresqlStore, open_worker
from monitor.store.protocol import Commit, Pending
from tests.fakes.postgresql import PostgresqlServer
from tests.store.store_samples import notification

Tell = Callable[[str], object]
MADE_UNREADABLE = "UPDATE routee_monitor.parcel SET notification = '{}' WHERE key = 'a'"


@pytest.fixture
def store(postgresql: PostgresqlAddress) -> Iterator[PostgresqlStore]:
    with closing(open_worker(postgresql)) as opened:
        yield opened


@pytest.fixture
def tell(postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer) -> Tell:
    """Has the administrator of the database run a statement."""
    return lambda statement: postgresql_server.administer(statement, database=postgresql.database)


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
