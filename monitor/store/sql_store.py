"""What the stores in SQL databases have in common: every method of the protocol, over a few steps that each database takes in its own way."""

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

from monitor.model.alert import Alert, Transition
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store import row_codec as rows
from monitor.store import statements
from monitor.store.accounts import merged, of_accounts, without_accounts
from monitor.store.leases import LeaseStore
from monitor.store.protocol import (
    BEFORE_ALL_TEXTS,
    BEGUN_KEPT,
    EVERY_NOTIFICATION,
    PRUNED_AT_ONCE,
    QUARANTINED_KEPT,
    SUPERSEDED,
    Commit,
    Entry,
    FirstPages,
    ForwardedCallback,
    LeftOut,
    NotificationFilter,
    NotificationRecord,
    OutboxRow,
    OutboxState,
    PastIncident,
    Pending,
    QuarantinedRecord,
    Retried,
    StoredState,
    StoredSuppressions,
    Texts,
    UnusableAlert,
    UnusableSilence,
)

T = TypeVar("T")
_OF_ACCOUNTS: Final = (
    statements.CURSORS,
    statements.ALERTS,
    statements.GROUPS,
    statements.ACKS,
    statements.ACCOUNT_STATES,
    statements.FIRST_EVALUATIONS,
)
"""The queries for what is read of accounts at their start, but for states of rules."""
ENTRIES_PAGE: Final = 16_000
"""Entries of a page of the dictionaries."""
_JOURNAL_PAGE: Final = 16
_entry: Final = partial(tuple.__new__, Entry)
"""What a row is as an entry: there are tens of thousands."""
_SUPERSEDED_BY: Final = json.dumps({SUPERSEDED: ""})[:-3]
"""The beginning of a receipt of a superseded row; the key of the newer one as JSON and a brace follow."""
_NOT_SENT: Final = _SUPERSEDED_BY + '"%'


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is copied: its name, its columns, what its rows are ordered by, and how many rows are read at once."""

    name: str
    columns: tuple[str, ...]
    order: str
    batch: int

    @property
    def insert(self) -> str:
        """The statement that writes one row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - names of ours

    @property
    def select(self) -> str:
        """The query for all rows."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {self.order}"  # noqa: S608 - the same


class SqlStore(ABC):
    """The methods of `monitor.store.protocol.Store` that SQL answers. Any thread may call them, one at a time."""

    @abstractmethod
    def close(self) -> None:
        """See `monitor.store.protocol.Store.close`."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """See `monitor.store.protocol.Store.snapshot`. Within another snapshot it does nothing."""

    @abstractmethod
    def _writing(self, durable: bool = True, repeatable: bool = True) -> AbstractContextManager[None]:
        """Runs one transaction. With ``durable`` the data is on the disk before it ends. ``repeatable``: making it twice does no harm."""

    @abstractmethod
    def _rows(self, query: str, *values: Any) -> list[Any]:
        """Returns all rows of a query."""

    @abstractmethod
    def _run(self, statement: str, values: Sequence[Any]) -> int:
        """Runs a statement within a transaction. Returns the number of rows that it changed."""

    @abstractmethod
    def _many(self, statement: str, values: Sequence[rows.Row]) -> None:
        """Runs a statement within a transaction, once for each row of values."""

    @abstractmethod
    def _append(self, row: tuple[str, bytes]) -> Callable[[], int]:
        """Appends (account, blob) to the journal. Returns what gives its sequence number once the transaction is made."""

    # For copies of whole stores

    @abstractmethod
    def read_table(self, table: Table) -> Iterator[list[rows.Row]]:
        """Yields all rows in their order, ``table.batch`` at a time. Within a snapshot or `copying`."""

    @abstractmethod
    def set_last_number(self, name: str, number: int) -> None:
        """Makes the table's next number larger than ``number``. Within `copying`."""

    @abstractmethod
    def last_number(self, name: str) -> int:
        """Returns the last number that was used in a table, 0 if there was none."""

    @abstractmethod
    def set_ever_quarantined(self, number: int) -> None:
        """Sets how many records were ever quarantined. Within `copying`."""

    def damaged(self, error: rows.UnreadableRow) -> StoreDamaged:
        """Returns the error about a row of this store that cannot be read, with what people can do."""
        return error

    def count_forwarded(self) -> int:
        """Returns how many callbacks wait for the daemon that holds their account."""
        return 0

    def copying(self) -> AbstractContextManager[None]:
        """Returns a context in which this store is filled: one transaction."""
        return self._writing(repeatable=False)

    def count_rows(self, table: Table) -> int:
        """Returns how many rows a table has."""
        return int(self._rows(f"SELECT count(*) FROM {table.name}")[0][0])  # noqa: S608 - a name of ours

    def fill_table(self, table: Table, batch: Sequence[rows.Row]) -> None:
        """Writes rows that another store has. Within `copying`."""
        self._many(table.insert, batch)

    # The protocol

    def secret(self, name: str) -> bytes:
        found = self._rows(statements.KEY, name)
        if not found:
            with self._writing():
                self._run(statements.NEW_KEY, (name, secrets.token_bytes(32)))
            found = self._rows(statements.KEY, name)
        return bytes(found[0][0])

    def end_sessions(self, ended: Mapping[bytes, Instant], over: Instant, most: int) -> None:
        with self._writing():
            self._many(statements.END_SESSION, list(ended.items()))
            self._run(statements.FORGET_SESSIONS, (over,))
            self._run(statements.FORGET_MORE_SESSIONS, (most,))
            self._tell_others()

    def ended_sessions(self) -> dict[bytes, Instant]:
        return {bytes(digest): int(began) for digest, began in self._rows(statements.ENDED_SESSIONS)}

    def hurry(self, within: Duration) -> None:  # noqa: B027 - what most stores do
        """Calls take no time worth mentioning."""

    def leases(self) -> LeaseStore | None:
        return None

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:  # noqa: B027 - what most stores do
        """One process has all accounts."""

    def assign_accounts(self, accounts: Sequence[str]) -> None:
        changed = merged(rows.structs(AggregationGroup, self._rows(statements.GROUPS)))
        if not changed.written:
            return
        with self._writing():
            self._drop_groups([(one.key, one.receiver, one.account) for one in changed.dropped])
            self._write_groups(changed.written)

    def announce_rules(self, rules: Mapping[str, str]) -> None:  # noqa: B027 - what most stores do
        """Nobody else works on the store."""

    def rules_of_others(self) -> list[AnnouncedRules]:
        return []

    def suppressions(self) -> StoredSuppressions:
        silences, acks, revision = self._read((statements.SILENCES,), (statements.ACKS,), (self._revision,))
        usable, unusable = self._usable(silences)
        return StoredSuppressions(int(revision[0][0]), usable, unusable, self._acks(acks))

    @property
    @abstractmethod
    def _revision(self) -> str:
        """The query for the number that changes with each change of silences and acknowledgements."""

    def _read(self, *queries: tuple[Any, ...]) -> list[list[rows.Row]]:
        """Returns the rows of queries with their values, as of one moment."""
        with self.snapshot():
            return [self._rows(*query) for query in queries]

    def _usable(
        self, silences: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None
    ) -> tuple[list[Silence], list[UnusableSilence]]:
        """Returns the silences, and those that cannot be used. Without ``left_out`` raises StoreDamaged if that tells of a damaged file."""
        return rows.silences(silences, strict=left_out is None)

    def _alerts(
        self, found: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None
    ) -> tuple[list[Alert], list[UnusableAlert]]:
        """Reads rows of alerts. Returns the alerts, and those that belong to no account and cannot be read. Others that cannot be are added to
        ``left_out``; without that, raises StoreDamaged."""
        return rows.structs(Alert, found, left_out), []

    def _acks(self, found: Iterable[rows.Row], left_out: list[rows.UnreadableRow] | None = None) -> list[Ack]:
        """Reads rows of acknowledgements. Without ``left_out`` raises StoreDamaged if one that is unreadable tells of a damaged file."""
        return rows.structs(Ack, found, left_out)

    def forward_callback(self, account: str, body: bytes, now: Instant) -> None:
        raise StoreError("callbacks cannot be forwarded: no other daemon shares this store")

    def forwarded(
        self, accounts: Collection[str], limit: int, without: Collection[int] = ()
    ) -> list[ForwardedCallback]:
        return []

    def drop_forwarded(self, ids: Collection[int]) -> None:  # noqa: B027 - what most stores do
        """There are none."""

    def load(self, accounts: Collection[str] | None = None, *, rule_states: bool = True) -> StoredState:
        return self._load(accounts, rule_states=rule_states)

    def load_readable(self) -> StoredState:
        unreadable: list[rows.UnreadableRow] = []
        state = self._load(unreadable=unreadable)
        left_out = [
            LeftOut(one.account, str(self.damaged(one)), bool(one.account) or one.table == "alert")
            for one in unreadable
        ]
        alerts = (
            rows.UnreadableRow(f"the alert {one.fingerprint}", "alert", ValueError(one.why))
            for one in state.unusable_alerts
        )
        left_out += [LeftOut("", str(self.damaged(one))) for one in alerts]
        return without_accounts(replace(state, left_out=left_out), {one.account for one in left_out} - {""})

    def _load(
        self,
        accounts: Collection[str] | None = None,
        *,
        rule_states: bool = True,
        unreadable: list[rows.UnreadableRow] | None = None,
    ) -> StoredState:
        """See `load`. Rows that cannot be read are added to ``unreadable``; without that, raises StoreDamaged."""
        silences, begun, cursors, alerts, groups, acks, states, first, *of_rules = self._read(
            (statements.SILENCES,),
            (statements.BEGUN, BEGUN_KEPT),
            *(self._of(accounts, query) for query in _OF_ACCOUNTS),
            *(self._rule_states(accounts) if rule_states else ()),
        )
        usable, unusable = self._usable(silences, unreadable)
        known_alerts, unusable_alerts = self._alerts(alerts, unreadable)
        of_searches, lost = rows.cursors_and_losses(cursors, unreadable)
        state = StoredState(
            cursors=of_searches,
            alerts=known_alerts,
            groups=rows.structs(AggregationGroup, groups, unreadable),
            silences=usable,
            unusable=unusable,
            unusable_alerts=unusable_alerts,
            acks=self._acks(acks, unreadable),
            begun=begun,
            account_states=rows.account_states(states),
            rule_states=rows.rule_states([row for found in of_rules for row in found]),
            first_evaluations={(account, rule): at for account, rule, at in first},
            lost=lost,
        )
        return state if accounts is None else of_accounts(state, accounts)

    def _of(self, accounts: Collection[str] | None, query: str) -> tuple[Any, ...]:
        """Returns a query for at least the rows of the accounts (None: all), with its values, in place of one for all rows."""
        return (query,)

    def alert_and_ack(self, fingerprint: str) -> tuple[Alert | None, Ack | None]:
        alert_rows, ack_rows = self._read((statements.ALERT_OF, fingerprint), (statements.ACK_OF, fingerprint))
        alerts, acks = rows.structs(Alert, alert_rows), self._acks(ack_rows)
        return (alerts[0] if alerts else None), (acks[0] if acks else None)

    def groups_of(self, key: str) -> list[AggregationGroup]:
        return rows.structs(AggregationGroup, self._rows(statements.GROUPS_OF, key))

    def owners(self) -> list[str]:
        groups = rows.structs(AggregationGroup, self._rows(statements.GROUPS))
        told = {fingerprint for group in groups for fingerprint in group.told}
        alerts = rows.structs(Alert, self._rows(statements.ALERTS))
        left = {one.account for one in alerts if one.resolved_at is None or one.fingerprint in told}
        return sorted(left | {str(account) for (account,) in self._rows(statements.OTHER_OWNERS)} - {""})

    def _rule_states(self, accounts: Collection[str] | None) -> list[tuple[Any, ...]]:
        """Returns queries for them. They may have megabytes, so that those of other accounts are not read."""
        if accounts is None:
            return [(statements.RULE_STATES,)]
        return [(statements.RULE_STATES_OF, account) for account in accounts]

    def entries(self, account: str) -> list[Entry]:
        found: list[Entry] = []
        while page := self.entries_page(account, *found[-1:]):
            found += page
        return found

    def entries_page(self, account: str, after: Entry | None = None) -> list[Entry]:
        begin = BEFORE_ALL_TEXTS if after is None else (after.field, after.code)
        found = self._rows(statements.ENTRIES, account, *begin, ENTRIES_PAGE)
        return [_entry((account, *row)) for row in found]

    def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        found = groupby(self._rows(statements.ENTRIES, account, *after, ENTRIES_PAGE), itemgetter(0))
        return [
            Texts(field, entries[-1][1], [value for _, _, value in entries])
            for field, entries in ((field, list(some)) for field, some in found)
        ]

    def journal(self, account: str) -> Iterator[tuple[int, bytes]]:
        # A few blobs at a time, so that no open statement blocks a commit or a checkpoint.
        after = 0
        while blobs := self.journal_page(account, after):
            yield from blobs
            after = blobs[-1][0]

    def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
        return self._rows(statements.JOURNAL, account, after, _JOURNAL_PAGE)

    def journal_size(self, account: str) -> int:
        return int(self._rows(statements.JOURNAL_SIZE, account)[0][0])

    def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        return {account: self.journal_size(account) for account in accounts}

    def first_pages(self, accounts: Sequence[str]) -> dict[str, FirstPages]:
        return {one: FirstPages(self.entries_page(one), self.journal_page(one, 0)) for one in accounts}

    def commit(self, commit: Commit) -> list[int]:
        with self._committing(durable=rows.is_irreplaceable(commit)):
            sequences = self._write_window(commit)
            self._write_alerts(commit)
            self._write_edits(commit)
            self._enqueue(commit.outbox)
            self._quarantine(commit.quarantined)
        return [sequence() for sequence in sequences]

    def _committing(self, durable: bool) -> AbstractContextManager[None]:
        """Runs one transaction, in which nothing is read."""
        return self._writing(durable=durable, repeatable=False)

    def _write_window(self, commit: Commit) -> list[Callable[[], int]]:
        for statement in statements.FORGET_WINDOW:
            self._many(statement, [(account,) for account in commit.forgotten])
        sequences = [self._append(row) for row in commit.journal]
        self._many(statements.CLEAN, commit.cleaned)
        self._many(statements.DROP_ENTRY, commit.dropped_entries)
        self._put_entries(commit.entries)
        self._many(statements.CURSOR, rows.cursor_rows(commit.cursors, commit.lost))
        self._many(statements.ACCOUNT_STATE, rows.account_state_values(commit.account_states))
        self._many(statements.DROP_RULE_STATE, commit.dropped_rule_states)
        self._many(statements.RULE_STATE, rows.rule_state_values(commit.rule_states))
        self._many(statements.DROP_FIRST_EVALUATION, commit.dropped_first_evaluations)
        self._many(statements.FIRST_EVALUATION, [(*key, at) for key, at in commit.first_evaluations.items()])
        return sequences

    def _put_entries(self, entries: Sequence[Entry]) -> None:
        self._many(statements.ENTRY, rows.entry_rows(entries))

    def _write_alerts(self, commit: Commit) -> None:
        self._many(statements.DROP_ALERT, [(fingerprint,) for fingerprint in commit.dropped_alerts])
        self._put_alerts(commit.alerts)
        self._write_transitions(commit.transitions)
        self._drop_groups(commit.dropped_groups)
        self._write_groups(commit.groups)

    def _put_alerts(self, alerts: Sequence[Alert]) -> None:
        self._many(statements.ALERT, rows.alert_rows(alerts))

    def _write_transitions(self, transitions: Sequence[Transition]) -> None:
        self._many(statements.TRANSITION, rows.transition_rows(transitions))

    def _write_groups(self, groups: Sequence[AggregationGroup]) -> None:
        self._many(statements.GROUP, rows.group_rows(groups))

    def _drop_groups(self, dropped: Sequence[tuple[str, str, str]]) -> None:
        self._many(statements.DROP_GROUP, dropped)

    def _enqueue(self, outbox: Sequence[Pending]) -> None:
        self._many(statements.ENQUEUE, rows.outbox_values(outbox))

    def _write_edits(self, commit: Commit) -> None:
        self._many(statements.DROP_SILENCE, [(one,) for one in commit.dropped_silences])
        self._many(statements.SILENCE, rows.silence_rows(commit.silences))
        self._many(statements.DROP_ACK, [(one,) for one in commit.dropped_acks])
        self._many(statements.ACK, rows.ack_rows(commit.acks))

    def _tell_others(self) -> None:  # noqa: B027 - what most stores do
        """Tells other daemons that people changed something that they act by. There are none."""

    def _quarantine(self, quarantined: list[QuarantinedRecord]) -> None:
        for row in rows.quarantine_values(quarantined):
            if not self._run(statements.QUARANTINE_AGAIN, row):
                self._run(statements.QUARANTINE, (*row, row[0]))
        if quarantined:
            self._run(statements.DROP_OLD_QUARANTINED, (QUARANTINED_KEPT,))

    def waiting(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._outbox_rows(statements.WAITING, receiver, channel, limit)

    def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._outbox_rows(statements.HEADS, receiver, channel, limit)

    def earlier(self, outbox_row: OutboxRow) -> OutboxRow | None:
        alerts = json.dumps(fingerprints_of(outbox_row))
        found = self._outbox_rows(statements.EARLIER, alerts, outbox_row.id, *place_of_row(outbox_row))
        return found[0] if found else None

    def successor(self, outbox_row: int) -> str | None:
        newer = self._rows(statements.SUCCESSOR, outbox_row)
        return str(newer[0][0]) if newer else None

    def sent(self, outbox_row: int, receipt: dict[str, str], at: Instant) -> None:
        self._write(statements.SENT, json.dumps(receipt), at, outbox_row)

    def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        self._write(statements.POSTPONED, rows.writable(error), next_at, outbox_row)

    def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        self._write(statements.REJECTED, rows.writable(error), at, outbox_row)

    def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
        first = self._rows(statements.RECEIPT, receiver, channel, episode, _NOT_SENT)
        return dict(json.loads(first[0][0])) if first else None

    def outbox_rows(self, state: OutboxState | None = None, limit: int = 100) -> list[OutboxRow]:
        if state is None:
            return self._listed(rows.outbox_row, self._rows(statements.OUTBOX_ROWS, limit))
        return self._listed(rows.outbox_row, self._rows(statements.OUTBOX_ROWS_IN, state, limit))

    def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        return self.notifications(NotificationFilter(since=since), limit)

    def notifications(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, limit: int = 100, offset: int = 0
    ) -> list[NotificationRecord]:
        where, values = _conditions(wanted)
        found = self._rows(statements.HISTORY.format(where), *values, limit, offset)
        return self._listed(rows.notification_record, found)

    def _listed(self, read: Callable[[rows.Row], T], found: Iterable[rows.Row]) -> list[T]:
        """Reads rows for a list of notifications. Raises StoreDamaged if one that is unreadable tells of a damaged file."""
        return [read(row) for row in found]

    def count_notifications(self, wanted: NotificationFilter = EVERY_NOTIFICATION) -> int:
        where, values = _conditions(wanted)
        return int(self._rows(statements.HISTORY_COUNT.format(where), *values)[0][0])

    def last_view(self, fingerprint: str) -> AlertView | None:
        found = self._rows(statements.VIEW_OF, fingerprint)
        return rows.alert_view(found[0][0], fingerprint) if found else None

    def head_view(self, fingerprint: str, incident: str) -> AlertView | None:
        found = self._rows(statements.HEAD_VIEW, fingerprint, incident)
        return rows.head_view(found[0][0]) if found else None

    def last_sent(self) -> dict[tuple[str, str], Instant]:
        found = {}
        for here in self._rows(statements.CHANNELS):
            for (at,) in self._rows(statements.LAST_SENT, *here, _NOT_SENT):
                found[here] = at
        return found

    def dead_letters(self) -> dict[tuple[str, str], int]:
        return {(receiver, channel): count for receiver, channel, count in self._rows(statements.DEAD)}

    def retry_dead(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, outbox_row: int | None = None, most: int = 1000
    ) -> Retried:
        where, values = _conditions(replace(wanted, outcome="dead"))
        if outbox_row is not None:
            where, values = f"{where} AND id = ?", [*values, outbox_row]
        with self._writing():
            superseded = self._run(statements.SUPERSEDE_DEAD.format(where), (_SUPERSEDED_BY, *values, most))
            unreadable = self._given_up(where, values, most)
            if unreadable:
                where, values = f"{where} AND id NOT IN ({', '.join('?' * len(unreadable))})", [*values, *unreadable]
            waiting = self._run(statements.RETRY_DEAD.format(where), (*values, most - superseded))
            if waiting or superseded:
                self._tell_others()
        return Retried(waiting, superseded, len(unreadable))

    def _given_up(self, where: str, values: Sequence[str | int], most: int) -> list[int]:
        """Returns the numbers of those of some notifications that were given up because they cannot be read: in most stores there are none."""
        return []

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        found = self._rows(statements.BACKLOG)
        return {(receiver, channel): (count, oldest) for receiver, channel, count, oldest in found}

    def transitions(self, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.TRANSITIONS, limit)]

    def transitions_of(self, fingerprint: str, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.TRANSITIONS_OF, fingerprint, limit)]

    def lost_alerts(self, limit: int = 10_000) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.LOST_ALERTS, limit)]

    def begun_in(self, incident: str, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.BEGUN_IN, incident, limit)]

    def incidents(self, limit: int = 100, offset: int = 0) -> list[PastIncident]:
        return [PastIncident(*row) for row in self._rows(statements.INCIDENTS, limit, offset)]

    def incident(self, incident: str) -> PastIncident | None:
        return next((PastIncident(*row) for row in self._rows(statements.INCIDENT, incident)), None)

    def count_incidents(self) -> int:
        return int(self._rows(statements.INCIDENT_COUNT)[0][0])

    def quarantined(self, limit: int = 100) -> list[QuarantinedRecord]:
        return [QuarantinedRecord(*row) for row in self._rows(statements.QUARANTINED, limit)]

    def counts(self) -> dict[str, int]:
        return {"waiting": 0, "sent": 0, "dead": 0} | dict(self._rows(statements.COUNTS))

    def prune(self, before: Instant, history_before: Instant, most: int = PRUNED_AT_ONCE) -> int:
        with self._writing(durable=False):
            gone = self._run(statements.PRUNE_OUTBOX, (history_before, _NOT_SENT, _NOT_SENT, most))
            gone += self._run(statements.PRUNE_TRANSITIONS, (history_before, most))
            gone += self._prune_more(before, most)
            return gone + sum(self._run(statement, (before, most)) for statement in statements.PRUNE_OLD)

    def _prune_more(self, before: Instant, most: int) -> int:
        return 0

    def _write(self, statement: str, *values: str | int) -> None:
        with self._writing():
            self._run(statement, values)

    def _outbox_rows(self, query: str, *values: Any) -> list[OutboxRow]:
        return [rows.outbox_row(row) for row in self._rows(query, *values)]


def _conditions(wanted: NotificationFilter) -> tuple[str, list[str | int]]:
    """Returns the SQL of a filter and the values of its parameters."""
    given = {name: value for name, value in asdict(wanted).items() if value is not None}
    outcome = given.pop("outcome", None)
    found = [statements.CONDITIONS[name] for name in given]
    values = [value for name, value in given.items() for _ in range(statements.CONDITIONS[name].count("?"))]
    if outcome is not None:
        found.append(statements.OUTCOMES[outcome])
        values += [_NOT_SENT] if outcome in ("sent", "superseded") else []
    return " AND ".join(found) or "TRUE", values


def fingerprints_of(outbox_row: OutboxRow) -> list[str]:
    """Returns the fingerprints of the alerts that a notification names."""
    return [view.fingerprint for view in outbox_row.notification.alerts]


def place_of_row(outbox_row: OutboxRow) -> tuple[str, str, str, str]:
    """Returns the receiver, the channel, the account and the key of the group of a notification."""
    one = outbox_row.notification
    return one.receiver, outbox_row.channel, outbox_row.account, one.group_key
