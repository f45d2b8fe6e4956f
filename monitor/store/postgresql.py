"""The store in a PostgreSQL database, for daemons that share it; commands read it beside them, also from other hosts.

Everything is on the server's disk before a call returns. If the connection is lost, the next call connects again.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from monitor.model.alert import Alert, Transition
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, Duration, Instant, SystemClock
from monitor.runtime.errors import DecidedTooLate, LeaseLost, StoreDamaged
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store import postgresql_statements as own
from monitor.store import row_codec as rows
from monitor.store import statements
from monitor.store.accounts import Owners, accounts_of, key_in, split
from monitor.store.leases import LEASE_TTL, LeaseStore
from monitor.store.postgresql_connection import SCHEMA, BoundedConnection, PostgresqlLimits, connect
from monitor.store.postgresql_leases import PostgresqlLeases
from monitor.store.postgresql_locks import named_process
from monitor.store.postgresql_pipeline import Answer, Statement, answer_now, pipelined
from monitor.store.postgresql_session import PostgresqlSession
from monitor.store.postgresql_statements import translated
from monitor.store.postgresql_worker import NewWorker
from monitor.store.protocol import (
    ANNOUNCED_FOR,
    BEFORE_ALL_TEXTS,
    QUARANTINED_KEPT,
    Commit,
    Entry,
    FirstPages,
    ForwardedCallback,
    OutboxRow,
    Pending,
    QuarantinedRecord,
    UnusableAlert,
    UnusableSilence,
)
from monitor.store.sql_store import ENTRIES_PAGE, SqlStore, Table, fingerprints_of, place_of_row

log = logging.getLogger("monitor.store")
P = ParamSpec("P")
T = TypeVar("T")
_BLOBS_PAGE: Final = 64
_LARGE: Final = 1 << 18
"""Bytes of a page of the journal or of forwarded callbacks, but for its last row, and of a row that gets more time to be written."""
FOR_THE_DAEMON: Final = PostgresqlLimits(tries_again=True)
FOR_COMMANDS: Final = PostgresqlLimits(statement=MINUTE, answer=MINUTE + 10 * SECOND, transfer=10 * MINUTE)
"""Commands read much at once, and nobody waits for them but the person who called them."""


def open_postgresql(
    address: PostgresqlAddress,
    *,
    read_only: bool = False,
    exclusive: bool = False,
    limits: PostgresqlLimits | None = None,
) -> "PostgresqlStore":
    """Connects to the database and brings its tables up to date.

    ``exclusive`` takes the lock of the whole store and fails if any daemon works on it. ``read_only`` changes nothing and works beside
    daemons. Raises StoreError.
    """
    return PostgresqlStore(
        PostgresqlSession(address, limits or PostgresqlLimits(), read_only=read_only, exclusive=exclusive)
    )


def open_worker(
    address: PostgresqlAddress, *, url: str = "", port: int = 0, limits: PostgresqlLimits | None = None
) -> "PostgresqlStore":
    """Opens the store for a daemon, which others may share it with. Raises StoreError.

    ``url`` is where its page is, ``port`` where it listens (0: not known).
    """
    return PostgresqlStore(PostgresqlSession(address, limits or FOR_THE_DAEMON, worker=NewWorker(url, port)))


def log_in(address: PostgresqlAddress) -> None:
    """Connects and leaves. Raises StoreError."""
    connect(address, PostgresqlLimits()).close()


def holder_of(address: PostgresqlAddress) -> int | None:
    """Returns the process id of the daemon that works on the database; None if there is none or it is unknown. Raises StoreError."""
    return named_process(address, PostgresqlLimits())


def _advised(method: Callable[Concatenate["PostgresqlStore", P], T]) -> Callable[Concatenate["PostgresqlStore", P], T]:
    """Returns the method with another advice where a row is unreadable: no file can be moved aside, and a backup is the server's."""

    @wraps(method)
    def advised(self: "PostgresqlStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except rows.UnreadableRow as error:
            raise self.damaged(error) from error

    return advised


class PostgresqlStore(SqlStore):
    """A store in a PostgreSQL database; `monitor.store.protocol.Store` describes the methods. Any thread may call it, one at a time."""

    def __init__(self, session: PostgresqlSession) -> None:
        self._session = session
        self.address = session.address
        self._connection: BoundedConnection | None = None
        self._held: Mapping[str, int] | None = None
        self._why_not = ""
        self._checked: Mapping[str, int] | None = None
        self._edited: Answer | None = None
        self._not_shown: set[str] = set()

    load = _advised(SqlStore.load)
    groups_of = _advised(SqlStore.groups_of)
    alert_and_ack = _advised(SqlStore.alert_and_ack)
    transitions = _advised(SqlStore.transitions)
    transitions_of = _advised(SqlStore.transitions_of)
    lost_alerts = _advised(SqlStore.lost_alerts)
    begun_in = _advised(SqlStore.begun_in)
    suppressions = _advised(SqlStore.suppressions)

    def _to_send(self, query: str, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        """Returns rows of the outbox, of accounts that are held. One that cannot be read becomes a dead letter, so that it holds up no other,
        of whichever account; unless its account has gone away meanwhile, with which it goes."""
        while True:
            try:
                return self._outbox_rows(query, receiver, channel, *self._held_twice(), limit)
            except rows.UnreadableRow as error:
                if error.number is None:
                    raise self.damaged(error) from error
                log.error("notification %d is given up, since it cannot be read: %s", error.number, error.why)
                self.rejected(error.number, f"{statements.UNREADABLE}{error.why}", SystemClock().now())

    def _listed(self, read: Callable[[rows.Row], T], found: Iterable[rows.Row]) -> list[T]:
        """Leaves out what is unreadable, so that it hides no other, and stops no start."""
        listed = []
        for row in found:
            try:
                listed.append(read(row))
            except rows.UnreadableRow as error:
                self._left_out(error)
        return listed

    def _left_out(self, error: rows.UnreadableRow) -> None:
        """Logs once what is not shown, or not used, because it cannot be read."""
        if error.what in self._not_shown:
            return
        self._not_shown.add(error.what)
        said = "%s cannot be read and is left out: %s; it is in the table %s, from where it can be deleted"
        log.error(said, error.what, error.why, f"{SCHEMA}.{error.table}")

    def last_view(self, fingerprint: str) -> AlertView | None:
        try:
            return super().last_view(fingerprint)
        except rows.UnreadableRow as error:
            self._left_out(error)
            return None

    def head_view(self, fingerprint: str, incident: str) -> AlertView | None:
        try:
            return super().head_view(fingerprint, incident)
        except rows.UnreadableRow as error:
            self._left_out(error)
            return None

    def _given_up(self, where: str, values: Sequence[str | int], most: int) -> list[int]:
        found = self._rows(statements.GIVEN_UP.format(where), *values, most)
        return [number for number, notification in found if not rows.is_readable(notification)]

    def _usable(
        self, silences: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None
    ) -> tuple[list[Silence], list[UnusableSilence]]:
        """All daemons read all of them, so one that is unreadable must stop none."""
        return rows.silences(silences, strict=False)

    def _alerts(
        self, found: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None
    ) -> tuple[list[Alert], list[UnusableAlert]]:
        """The same of alerts of which it is not known whose they are. One of an account hinders only that."""
        return rows.alerts(found, left_out)

    def _write_alerts(self, commit: Commit) -> None:
        super()._write_alerts(commit)
        self._many(own.DROP_ALERT_OF_UNKNOWN, [(one,) for one in commit.dropped_alerts_of_nobody])

    def _acks(self, found: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None) -> list[Ack]:
        """The same: without an acknowledgement that is unreadable, its alert is repeated. The log says so once."""
        unreadable: list[rows.UnreadableRow] = []
        acks = rows.structs(Ack, found, unreadable)
        for one in unreadable if left_out is None else ():
            self._left_out(one)
        if left_out is not None:
            left_out += unreadable
        return acks

    def leases(self) -> LeaseStore | None:
        worker = self._session.worker
        return None if worker is None else PostgresqlLeases(self.address, worker)

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:
        if self._why_not and not why_not:
            self._session.try_now()  # the database has answered, so what was in vain a moment ago says nothing any more
        self._why_not, self._held = why_not, dict(leases)

    def commit(self, commit: Commit) -> list[int]:
        held = self._held  # read once: another thread may change it
        self._checked = None if held is None else self._leases(held, accounts_of(commit) | commit.relies_on)
        return super().commit(commit)

    @_advised
    def assign_accounts(self, accounts: Sequence[str]) -> None:
        if not accounts or not (self._rows(own.GROUPS_OF_NOBODY) or self._rows(own.PARCELS_OF_NOBODY)):
            return
        with self._writing():
            self._rows(own.ONE_ASSIGNS)
            owners = Owners(rows.readable(Alert, self._rows(statements.ALERTS)), accounts)
            change = split(self._listed(rows.group, self._rows(own.GROUPS_OF_NOBODY)), owners)
            self._drop_groups([(one.key, one.receiver, one.account) for one in change.dropped])
            self._write_groups(change.written)
            found = []
            for row, receiver, key, data in self._rows(own.PARCELS_OF_NOBODY):
                account = owners.of_alerts(rows.alert_views(data) if rows.is_readable(data) else ())
                found.append((account, key_in(change, receiver, key, account), row))
            self._many(own.ASSIGN_PARCEL, found)

    @_advised
    def owners(self) -> list[str]:
        named = {str(account) for (account,) in self._rows(own.OWNERS)}
        if "" in named:
            named |= {one.account for one in rows.readable(Alert, self._rows(own.ALERTS_LEFT_OF_UNKNOWN))}
        return sorted(named - {""})

    def _of(self, accounts: Collection[str] | None, query: str) -> tuple[Any, ...]:
        if accounts is None:
            return (own.ALERTS if query == statements.ALERTS else query,)
        return (own.OF_ACCOUNTS[query], list(accounts))

    def _read(self, *queries: tuple[Any, ...]) -> list[list[rows.Row]]:
        return self._session.read_at_once([Statement(translated(query), values) for query, *values in queries])

    def announce_rules(self, rules: Mapping[str, str]) -> None:
        worker = self._session.worker
        if worker is None:
            return
        places, known = [worker.place, worker.host], worker.place if worker.port else ""
        said = (
            (own.REPLACED, (worker.id, places, LEASE_TTL // MILLISECOND, list(worker.beside), known)),
            (own.ANNOUNCED_LONG_AGO, (ANNOUNCED_FOR // SECOND,)),
            (own.ANNOUNCE, (worker.id, worker.place, list(rules), list(rules.values()))),
        )
        self._session.write_at_once([Statement(translated(one), values) for one, values in said])

    def rules_of_others(self) -> list[AnnouncedRules]:
        worker = self._session.worker
        return [
            AnnouncedRules(name, lives, at, at + ANNOUNCED_FOR, dict(zip(accounts, digests, strict=False)))
            for name, lives, at, accounts, digests in (
                () if worker is None else self._rows(own.ANNOUNCED_BY_OTHERS, worker.id)
            )
        ]

    def waiting(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._to_send(own.WAITING, receiver, channel, limit)

    def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._to_send(own.HEADS, receiver, channel, limit)

    def earlier(self, outbox_row: OutboxRow) -> OutboxRow | None:
        alerts = fingerprints_of(outbox_row)
        try:
            found = self._outbox_rows(
                own.EARLIER, alerts, outbox_row.id, *place_of_row(outbox_row), *self._held_twice()
            )
        except rows.UnreadableRow:  # it becomes a dead letter where it comes first
            return None
        return found[0] if found else None

    def successor(self, outbox_row: int) -> str | None:
        newer = self._rows(own.SUCCESSOR, outbox_row, *self._held_twice())
        return str(newer[0][0]) if newer else None

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        found = self._rows(own.BACKLOG, *self._held_twice())
        return {(receiver, channel): (count, oldest) for receiver, channel, count, oldest in found}

    def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        self._write_held(statements.POSTPONED, outbox_row, rows.writable(error), next_at)

    def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        self._write_held(statements.REJECTED, outbox_row, rows.writable(error), at)

    def _write_held(self, statement: str, outbox_row: int, *values: str | int) -> None:
        """Changes a notification of a held account; that of another is left to its holder, which sends it again."""
        held, accounts = self._held, [str(account) for (account,) in self._rows(own.ACCOUNT_OF, outbox_row)]
        if held is not None and not held.keys() >= set(accounts):
            return
        self._checked = None if held is None else self._leases(held, accounts)
        with self._writing():
            self._run(statement, (*values, outbox_row))

    def _leases(self, held: Mapping[str, int], accounts: Collection[str]) -> dict[str, int]:
        """Returns the leases of these accounts. Raises LeaseLost if they are not all held."""
        missing = tuple(sorted(set(accounts) - held.keys()))
        if missing:
            raise LeaseLost(missing, self._why_not)
        return {account: held[account] for account in accounts}

    def _held_twice(self) -> tuple[list[str] | None, list[str] | None]:
        held = None if self._held is None else list(self._held)
        return held, held

    def forward_callback(self, account: str, body: bytes, now: Instant) -> None:
        with self._writing():
            self._run(own.FORWARD, (account, now, body))

    def forwarded(
        self, accounts: Collection[str], limit: int, without: Collection[int] = ()
    ) -> list[ForwardedCallback]:
        return [
            ForwardedCallback(*row)
            for row in self._read_much(own.FORWARDED, list(accounts), list(without), limit, _LARGE)
        ]

    def drop_forwarded(self, ids: Collection[int]) -> None:
        with self._writing():
            self._run(own.DROP_FORWARDED, (list(ids),))

    @property
    def _revision(self) -> str:
        return own.SUPPRESSIONS

    def _write_edits(self, commit: Commit) -> None:
        super()._write_edits(commit)
        if not commit.edits:
            return
        if commit.decided_on is None:
            self._tell_others()
        else:
            self._edited = self._used.execute(translated(own.EDITED_AS_READ), (commit.decided_on,))
            answer_now(self._used)

    def _require_edited(self) -> None:
        """Raises DecidedTooLate if the present transaction is to write edits that were not decided on what is there."""
        edited, self._edited = self._edited, None
        if edited is not None and edited.rowcount != 1:
            raise DecidedTooLate

    def _tell_others(self) -> None:
        self._many(own.EDITED, [()])

    def _quarantine(self, quarantined: list[QuarantinedRecord]) -> None:
        self._many(own.QUARANTINE, [(*row, *row, row[0]) for row in rows.quarantine_values(quarantined)])
        if quarantined:
            self._many(statements.DROP_OLD_QUARANTINED, [(QUARANTINED_KEPT,)])

    def _write(self, statement: str, *values: str | int) -> None:
        self._session.write_at_once([Statement(translated(statement), values)])

    def _prune_more(self, before: Instant, most: int) -> int:
        return self._run(own.PRUNE_FORWARDED, (before, most))

    def close(self) -> None:
        self._session.close()

    def hurry(self, within: Duration) -> None:
        self._session.haste.ask(within)

    def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(accounts, 0) | dict(self._rows(own.JOURNAL_SIZES, list(accounts)))

    def first_pages(self, accounts: Sequence[str]) -> dict[str, FirstPages]:
        entries = [(statements.ENTRIES, one, *BEFORE_ALL_TEXTS, ENTRIES_PAGE) for one in accounts]
        journals = [(own.JOURNAL, one, 0, _BLOBS_PAGE, _LARGE) for one in accounts]
        found = self._read(*entries, *journals)
        return {
            one: FirstPages([Entry(one, *row) for row in known], blobs, len(known) == ENTRIES_PAGE, _is_full(blobs))
            for one, known, blobs in zip(accounts, found, found[len(accounts) :], strict=False)
        }

    def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
        return self._read_much(own.JOURNAL, account, after, _BLOBS_PAGE, _LARGE)

    def _read_much(self, query: str, *values: Any) -> list[Any]:
        return self._session.read_at_once([Statement(translated(query), values)])[0]

    def snapshot(self) -> AbstractContextManager[None]:
        return nullcontext() if self._session.in_transaction else self._session.snapshot()

    @contextmanager
    def _writing(self, durable: bool = True, repeatable: bool = True, at_once: bool = False) -> Iterator[None]:
        leases, self._checked = self._checked, None
        self._edited = None
        with self._session.transaction(
            marked=not repeatable, leases=leases, at_once=at_once, check=self._require_edited
        ) as self._connection:
            yield

    def _committing(self, durable: bool) -> AbstractContextManager[None]:
        return self._writing(durable=durable, repeatable=False, at_once=True)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._session.read(lambda one: one.execute(translated(query), values, binary=True).fetchall())

    def _run(self, statement: str, values: Sequence[Any]) -> int:
        return self._used.execute(translated(statement), values).rowcount

    def _many(self, statement: str, values: Sequence[rows.Row]) -> None:
        if values:
            self._make_room(max(map(_size, values)))
            with pipelined(self._used):
                self._used.cursor().executemany(translated(statement), values)
                answer_now(self._used)

    def _append(self, row: tuple[str, bytes]) -> Callable[[], int]:
        self._make_room(_size(row))
        appended = self._used.execute(translated(own.APPEND), row)
        answer_now(self._used)

        def number() -> int:
            [(found,)] = appended.fetchall()
            return int(found)

        return number

    def _make_room(self, size: int) -> None:
        if size > _LARGE:
            self._session.write_much(self._used)

    def _put_alerts(self, alerts: Sequence[Alert]) -> None:
        written = zip(rows.alert_rows(alerts), alerts, strict=True)
        self._many(own.ALERT, [(*row, one.account) for row, one in written])

    def _write_transitions(self, transitions: Sequence[Transition]) -> None:
        incidents = ["" if one.about is None else one.about.incident for one in transitions]
        written = rows.transition_rows(transitions)
        self._many(own.TRANSITION, [(*row, incident) for row, incident in zip(written, incidents, strict=True)])

    def _write_groups(self, groups: Sequence[AggregationGroup]) -> None:
        latest = {(group.key, group.receiver, group.account): group for group in groups}
        groups = list(latest.values())
        again, new = [], []
        for (*names, episode, data), group in zip(rows.group_rows(groups), groups, strict=True):
            told, same = list(group.told), (names[0], *names)
            again.append((episode, data, told, *same))
            new.append((*names, episode, data, told, *same))
        self._many(own.GROUP_AGAIN, again)
        self._many(own.NEW_GROUP, new)

    def _drop_groups(self, dropped: Sequence[tuple[str, str, str]]) -> None:
        self._many(own.DROP_GROUP, [(names[0], *names) for names in dropped])

    def _enqueue(self, outbox: Sequence[Pending]) -> None:
        written = zip(rows.outbox_values(outbox), (one.notification for one in outbox), strict=True)
        self._many(
            own.ENQUEUE, [(*row, one.incident, [view.fingerprint for view in one.alerts]) for row, one in written]
        )

    def damaged(self, error: rows.UnreadableRow) -> StoreDamaged:
        return StoreDamaged(
            f"the store {self.address} is damaged: {error.what} in the table {SCHEMA}.{error.table} cannot be read: {error.why}; "
            "restore a backup of the database, or delete that row, which the daemons then no longer know; they go on by themselves"
        )

    def count_forwarded(self) -> int:
        return int(self._rows(own.COUNT_FORWARDED)[0][0])

    def read_table(self, table: Table) -> Iterator[list[rows.Row]]:
        yield from self._session.stream(translated(table.select), table.batch)

    def last_number(self, name: str) -> int:
        [(number, used)] = self._rows(f"SELECT last_value, is_called FROM {own.SEQUENCES[name]}")  # noqa: S608 - a name of ours
        return int(number) if used else 0

    def set_last_number(self, name: str, number: int) -> None:
        if number:
            self._rows(f"SELECT setval('{own.SEQUENCES[name]}', ?)", number)

    def set_ever_quarantined(self, number: int) -> None:
        self._run(own.SET_EVER_QUARANTINED, (number,))

    def fill_table(self, table: Table, batch: Sequence[rows.Row]) -> None:
        """Adds the columns that are found in others. Raises StoreDamaged if those cannot be read."""
        added = own.ADDED.get(table.name)
        if added is None:
            super().fill_table(table, batch)
            return
        data = table.columns.index(added.of)
        wider = Table(table.name, (*table.columns, added.name), table.order, table.batch)
        super().fill_table(wider, [(*row, rows.found_in(table.name, row[data], row[:3])) for row in batch])
        if table.name == "parcel":
            told = [(row[0], rows.fingerprints(row[data])) for row in batch]
            self._many(own.NOTIFIED, told)

    @property
    def _used(self) -> BoundedConnection:
        """The connection of the present transaction."""
        assert self._connection is not None, "only within a transaction"
        return self._connection


def _size(row: Sequence[Any]) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes))


def _is_full(page: list[tuple[int, bytes]]) -> bool:
    """Returns whether more may follow a page of a journal."""
    return len(page) == _BLOBS_PAGE or sum(len(blob) for _, blob in page) >= _LARGE
