"""Leases under random beats, silences, takes, releases and commits of three daemons, held against a model of who may write for what."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.runtime.clock import SECOND
from monitor.runtime.errors import LeaseLost
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.leases import LeaseStore
from monitor.store.postgresql import PostgresqlStore, open_worker
from monitor.store.postgresql_connection import PostgresqlLimits
from monitor.store.protocol import Commit
from tests.fakes.postgresql import PostgresqlServer

LIMITS = PostgresqlLimits(lock=SECOND, pause=0)
NAMES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["beat", "lapse", "take", "commit", "commit", "release"]),
        st.sampled_from(range(3)),
        st.sampled_from(NAMES),
    ),
    min_size=5,
    max_size=30,
)


@dataclass
class Lease:
    """What the model knows of an account."""

    token: int = 0
    holder: int | None = None
    lapsed: bool = False


@dataclass
class Daemon:
    """A worker, and what it believes to hold."""

    store: PostgresqlStore
    leases: LeaseStore
    held: dict[str, int] = field(default_factory=dict)


@dataclass
class Schedule:
    """Three workers and a model of their leases."""

    daemons: list[Daemon]
    administrator: psycopg.Connection[tuple[object, ...]]
    leases: dict[str, Lease]
    numbers: Iterator[int] = field(default_factory=count)
    written: dict[str, list[bytes]] = field(default_factory=dict)

    def last_long(self) -> None:
        """On a slow machine nothing lapses by itself."""
        lasting = [account for account, lease in self.leases.items() if lease.holder is not None and not lease.lapsed]
        statement = (
            "UPDATE routee_monitor.lease SET expires_at = clock_timestamp() + INTERVAL '1 hour' WHERE account = ANY(%s)"
        )
        self.administrator.execute(statement, (lasting,))

    def has(self, number: int, account: str, token: int) -> bool:
        lease = self.leases[account]
        return (lease.holder, lease.token) == (number, token)

    def beat(self, number: int, _: str) -> None:
        daemon = self.daemons[number]
        view = daemon.leases.beat(list(self.leases), daemon.held)
        for account, token in daemon.held.items():
            if self.has(number, account, token):
                self.leases[account].lapsed = False
        for account, lease in self.leases.items():
            holder = view.fleet.holder_of(account)
            expected = None if lease.holder is None or lease.lapsed else self.daemons[lease.holder].leases.worker
            assert (None if holder is None else holder.id) == expected
        daemon.held = {one: token for one, token in daemon.held.items() if self.has(number, one, token)}

    def lapse(self, _: int, account: str) -> None:
        statement = "UPDATE routee_monitor.lease SET expires_at = clock_timestamp() - INTERVAL '1 ms' WHERE account = %s AND worker IS NOT NULL"
        self.administrator.execute(statement, (account,))
        self.leases[account].lapsed = True

    def take(self, number: int, _: str) -> None:
        daemon = self.daemons[number]
        wanted = [account for account in self.leases if account not in daemon.held]
        free = [one for one in wanted if self.leases[one].holder is None or self.leases[one].lapsed]
        taken = daemon.leases.take(wanted)
        assert list(taken) == free
        for account, token in taken.items():
            assert token == self.leases[account].token + 1
            self.leases[account] = Lease(token, number)
        daemon.held |= taken

    def commit(self, number: int, account: str) -> None:
        daemon = self.daemons[number]
        daemon.store.hold(daemon.held)
        blob = b"%d" % next(self.numbers)
        if account in daemon.held and self.has(number, account, daemon.held[account]):  # whatever became of its others
            daemon.store.commit(Commit(journal=[(account, blob)]))
            self.written.setdefault(account, []).append(blob)
            return
        with pytest.raises(LeaseLost) as caught:
            daemon.store.commit(Commit(journal=[(account, blob)]))
        assert caught.value.accounts == (account,)

    def release(self, number: int, account: str) -> None:
        daemon = self.daemons[number]
        token = daemon.held.pop(account, 0)
        daemon.leases.release(account, token)
        if self.has(number, account, token):
            self.leases[account] = Lease(token)


@pytest.fixture
def workers(postgresql: PostgresqlAddress) -> Iterator[list[Daemon]]:
    with ExitStack() as opened:
        daemons = []
        for _ in range(3):
            store = opened.enter_context(closing(open_worker(postgresql, limits=LIMITS)))
            leases = store.leases()
            assert leases is not None
            daemons.append(Daemon(store, opened.enter_context(closing(leases))))
        yield daemons


@pytest.fixture
def administrator(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    dsn = postgresql_server._dsn("admin", postgresql.database or "")
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


EXAMPLES = count()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_nobody_writes_for_an_account_that_another_one_took(
    workers: list[Daemon], administrator: psycopg.Connection[tuple[object, ...]], steps: list[tuple[str, int, str]]
) -> None:
    example = next(EXAMPLES)  # accounts of its own
    daemons = [Daemon(one.store, one.leases) for one in workers]
    schedule = Schedule(daemons, administrator, {f"{name}{example}": Lease() for name in NAMES})
    schedule.beat(0, "")
    for what, number, name in steps:
        schedule.last_long()
        getattr(schedule, what)(number, f"{name}{example}")
    for account in schedule.leases:
        found = [blob for _, blob in daemons[0].store.journal(account)]
        assert found == schedule.written.get(account, [])
