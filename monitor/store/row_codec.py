"""Converts values to table rows and back, for any SQL database."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition, TransitionSubject
from monitor.model.notification import AlertView, Notification, Reason, decode, encode
from monitor.routing.acknowledgements import Ack
from monitor.routing.matcher_syntax import Operator
from monitor.routing.matchers import check_ready, check_written
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence, SilenceQuota
from monitor.runtime.clock import LATEST, Instant
from monitor.runtime.errors import StoreDamaged
from monitor.runtime.printable import clean
from monitor.store.protocol import (
    QUARANTINED_LENGTH,
    SUPERSEDED,
    Commit,
    Cursor,
    Entry,
    Fate,
    Keepable,
    NotificationRecord,
    NotifiedAlert,
    OutboxRow,
    Pending,
    QuarantinedRecord,
    UnusableAlert,
    UnusableSilence,
)

Row = tuple[Any, ...]

_CHECKSUM: Final = 4
"""Bytes of the checksum before a rule's state."""

_LONGEST_NAME: Final = 200
"""The most characters of a row's name that are shown: the key of a group has labels' values."""

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError)
"""What msgspec raises for bytes that it cannot decode."""
_TABLES: Final[Mapping[type[msgspec.Struct], tuple[str, str]]] = {
    Cursor: ("cursor", "the cursor of account {}, search {}"),
    Alert: ("alert", "the alert {}"),
    AggregationGroup: ("alert_group", "the group {} of receiver {}, account {}"),
    TransitionSubject: ("transition", "the change {}"),
    Ack: ("acknowledgement", "the acknowledgement of alert {}"),
}
"""The tables of structs, and what a row is called by the columns that find it."""
_ACCOUNT_AT: Final[Mapping[type[msgspec.Struct], int]] = {Cursor: 0, AggregationGroup: 2}
"""Which of those columns is the account."""
Struct = TypeVar("Struct", bound=msgspec.Struct)


class UnreadableRow(StoreDamaged):
    """A value in a row of ``table`` is unreadable: ``what``, and ``why``. ``number`` is that of a notification, ``account`` says whose it is as
    far as that is known. ``str()`` is for people with a SQLite file."""

    def __init__(self, what: str, table: str, why: Exception, number: int | None = None, account: str = "") -> None:
        self.what, self.table, self.why, self.number, self.account = what, table, str(why), number, account
        super().__init__(
            f"{what} in the table {table} cannot be read: {why}; restart the daemon, which moves the file aside and goes on, or restore a backup"
        )


def is_irreplaceable(commit: Commit) -> bool:
    """Returns whether the commit contains data that cannot be fetched from Routee again."""
    alerting = (commit.alerts, commit.dropped_alerts, commit.transitions, commit.groups, commit.dropped_groups)
    edited = (commit.silences, commit.dropped_silences, commit.acks, commit.dropped_acks)
    return commit.durable or any(alerting) or any(edited) or bool(commit.outbox)


def writable(text: str) -> str:
    """Returns ``text`` with lone surrogates replaced. JSON can contain them, but UTF-8 cannot, and such a text must not stop a commit."""
    return text.encode("utf-8", "replace").decode()


def is_writable(text: str) -> bool:
    """Returns whether `writable` would return the same text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def entry_rows(entries: Sequence[Entry]) -> Sequence[Row]:
    """Returns rows of (account, field, code, value)."""
    if is_writable("".join([entry.value for entry in entries])):
        return entries  # as nearly always, and there are ten thousand in the first commits
    return [(entry.account, entry.field, entry.code, writable(entry.value)) for entry in entries]


def cursor_rows(cursors: Iterable[Cursor], lost: Mapping[str, Instant]) -> list[Row]:
    """Returns rows of (account, search, data), also of what was lost; see `cursors_and_losses`."""
    losses = (Cursor(account, "", to, to) for account, to in lost.items())
    return [(cursor.account, cursor.search, msgspec.json.encode(cursor)) for cursor in (*cursors, *losses)]


def cursors_and_losses(
    found: Iterable[Row], left_out: list[UnreadableRow] | None = None
) -> tuple[list[Cursor], dict[str, Instant]]:
    """Returns the cursors of searches, and up to when messages were lost, by account (`StoredState.lost`).

    Up to when is what a cursor of no search says. So older versions, which know nothing of it, leave it alone: see
    docs/decisions/0052-lost-messages.md. An unreadable row as `structs` has it.
    """
    cursors = structs(Cursor, found, left_out)
    return [one for one in cursors if one.search], {one.account: one.covered_since for one in cursors if not one.search}


def alert_rows(alerts: Iterable[Alert]) -> list[Row]:
    """Returns rows of (fingerprint, resolved_at, data)."""
    return [(alert.fingerprint, alert.resolved_at, msgspec.json.encode(alert)) for alert in alerts]


def transition_rows(transitions: Iterable[Transition]) -> list[Row]:
    """Returns rows of (fingerprint, rule, at, what, because, value, about)."""
    return [
        (
            *(one.fingerprint, one.rule, one.at, one.what, one.because, one.value),
            None if one.about is None else msgspec.json.encode(one.about),
        )
        for one in transitions
    ]


def transition(row: Row) -> Transition:
    """Reads a row that `transition_rows` wrote. What it is about is not known if it cannot be read, as in rows of older versions."""
    fingerprint, rule, at, what, because, value, about = row
    known = None if about is None else next(iter(readable(TransitionSubject, [(about,)])), None)
    return Transition(fingerprint, rule, at, what, because, value, known)


def group_rows(groups: Iterable[AggregationGroup]) -> list[Row]:
    """Returns rows of (key, receiver, account, episode, data)."""
    return [(group.key, group.receiver, group.account, group.episode, msgspec.json.encode(group)) for group in groups]


def group(row: Row) -> AggregationGroup:
    """Reads a row of JSON and what finds it. Raises StoreDamaged."""
    return structs(AggregationGroup, [row])[0]


def silence_rows(silences: Iterable[Silence]) -> list[Row]:
    """Returns rows of (id, data)."""
    return [(silence.id, msgspec.json.encode(silence)) for silence in silences]


class _StoredMatcher(msgspec.Struct):
    name: str
    op: Operator
    value: str


class _StoredSilence(msgspec.Struct):
    """The part of a silence that is checked first, because compiling the regular expressions of its matchers may take long."""

    matchers: list[_StoredMatcher]


def silences(found: Iterable[Row], *, strict: bool = True) -> tuple[list[Silence], list[UnusableSilence]]:
    """Reads (id, data) rows. Returns the silences, and those that cannot be used: unreadable ones, and ones beyond today's limits.

    An instant out of range becomes the nearest one in range. Where ``strict``, raises StoreDamaged for data that is not JSON.
    """
    known, unusable, room = [], [], SilenceQuota()
    for name, data in found:
        try:
            silence = _silence(data)
            if not room.takes(silence):
                raise ValueError("there is no room for it: there are too many, or too large ones")
            known.append(silence)
        except msgspec.ValidationError as error:
            unusable.append(UnusableSilence(name, str(error), _start(data)))
        except msgspec.DecodeError as reason:
            if strict:
                raise UnreadableRow(f"the silence {name}", "silence", reason) from reason
            unusable.append(UnusableSilence(name, str(reason), _start(data)))
        except ValueError as error:
            unusable.append(UnusableSilence(name, str(error), _start(data)))
    return known, unusable


def alerts(
    found: Iterable[Row], left_out: list[UnreadableRow] | None = None
) -> tuple[list[Alert], list[UnusableAlert]]:
    """Reads (data, account, fingerprint) rows. Returns the alerts, and those of no account that are unreadable. One of an account that is is
    added to ``left_out``; without that, raises StoreDamaged."""
    decoder, known, unusable = msgspec.json.Decoder(Alert), [], []
    for data, account, fingerprint in found:
        try:
            known.append(decoder.decode(data))
        except _UNREADABLE as reason:
            if account:
                what = f"the alert {fingerprint} of account {account}"
                _leave_out(UnreadableRow(what, "alert", reason, account=account), left_out)
                continue
            unusable.append(UnusableAlert(fingerprint, str(reason), _start(data)))
    return known, unusable


def _start(data: bytes) -> str:
    return bytes(data[: 4 * QUARANTINED_LENGTH]).decode("utf-8", "replace")[:QUARANTINED_LENGTH]


def _silence(data: bytes) -> Silence:
    """Decodes and checks one silence. Raises ValueError, or msgspec.DecodeError for data that is not JSON."""
    written = msgspec.json.decode(data, type=_StoredSilence).matchers
    check_written([(one.name, one.op, one.value) for one in written])
    silence = msgspec.json.decode(data, type=Silence)
    check_ready(silence.matchers)
    times = (silence.starts_at, silence.ends_at, silence.updated_at)
    starts_at, ends_at, updated_at = (min(max(one, 0), LATEST) for one in times)
    return msgspec.structs.replace(silence, starts_at=starts_at, ends_at=ends_at, updated_at=updated_at)


def ack_rows(acks: Iterable[Ack]) -> list[Row]:
    """Returns rows of (fingerprint, data)."""
    return [(ack.fingerprint, msgspec.json.encode(ack)) for ack in acks]


def account_state_values(account_states: Mapping[str, AccountState]) -> list[Row]:
    """Returns rows of (account, data)."""
    return [(account, msgspec.json.encode(known)) for account, known in account_states.items()]


def account_states(found: Iterable[Row]) -> dict[str, AccountState]:
    """Reads (account, data) rows. Skips unreadable ones, since Routee is soon queried again."""
    known = {}
    for account, data in found:
        with suppress(*_UNREADABLE):
            known[account] = msgspec.json.decode(data, type=AccountState)
    return known


def rule_state_values(states: Mapping[tuple[str, str], Keepable]) -> list[Row]:
    """Returns rows of (account, rule, data). The data begins with its checksum, since SQLite does not notice bytes that change within a page."""
    blobs = {key: state.blob() for key, state in states.items()}
    return [(*key, zlib.crc32(blob).to_bytes(_CHECKSUM, "little") + blob) for key, blob in blobs.items()]


def rule_states(found: Iterable[Row]) -> dict[tuple[str, str], bytes]:
    """Reads (account, rule, data) rows. Skips those whose checksum does not fit: their rules learn from the messages again."""
    known = {}
    for account, rule, data in found:
        checksum, blob = data[:_CHECKSUM], data[_CHECKSUM:]
        if checksum == zlib.crc32(blob).to_bytes(_CHECKSUM, "little"):
            known[account, rule] = blob
    return known


def outbox_values(outbox: Iterable[Pending]) -> list[Row]:
    """Returns rows of (receiver, channel, key, group_key, episode, created_at, notification, account)."""
    found = [(pending.channel, pending.notification, pending.account) for pending in outbox]
    return [
        (one.receiver, channel, one.key, one.group_key, one.episode, one.created_at, encode(one), account)
        for channel, one, account in found
    ]


def quarantine_values(quarantined: Iterable[QuarantinedRecord]) -> list[Row]:
    """Returns rows of (at, why, seen, account, search, record). A long record is cut."""
    return [
        (one.at, writable(one.why), one.seen, one.account, one.search, writable(one.record[:QUARANTINED_LENGTH]))
        for one in quarantined
    ]


def outbox_row(row: Row) -> OutboxRow:
    """Reads a row of the columns that its first line names, in that order. Raises StoreDamaged if the notification is unreadable."""
    number, channel, notification, state, attempts, next_at, error, receipt, done_at, account = row
    try:
        decoded, back = decode(notification), _receipt(receipt)
    except _UNREADABLE as reason:
        raise UnreadableRow(f"notification {number} in the store", "parcel", reason, number) from reason
    return OutboxRow(number, channel, decoded, state, attempts, next_at, error, back, done_at, account)


def _receipt(receipt: str | None) -> dict[str, str] | None:
    """Reads a receipt. Raises msgspec.MsgspecError."""
    return None if receipt is None else msgspec.json.decode(receipt, type=dict[str, Any])


def is_readable(notification: bytes) -> bool:
    """Returns whether a stored notification can be read, so that it can be sent."""
    try:
        decode(notification)
    except _UNREADABLE:
        return False
    return True


class _NotifiedAlerts(msgspec.Struct, frozen=True):
    """The part of a stored notification that the history shows."""

    reason: Reason
    alerts: tuple[NotifiedAlert, ...]
    truncated: int = 0


def notification_record(row: Row) -> NotificationRecord:
    """Reads a row of `statements.HISTORY`. Raises StoreDamaged if the notification is unreadable."""
    number, at, receiver, channel, state, attempts, error, receipt, done_at, notification = row
    try:
        notified, back = msgspec.json.decode(notification, type=_NotifiedAlerts), _receipt(receipt)
    except _UNREADABLE as reason:
        raise UnreadableRow(f"notification {number} in the store", "parcel", reason, number) from reason
    outcome: Fate = "superseded" if back is not None and SUPERSEDED in back else state
    return NotificationRecord(
        at,
        receiver,
        channel,
        notified.reason,
        notified.alerts,
        notified.truncated,
        outcome,
        attempts,
        error,
        done_at,
        number,
    )


def alert_view(notification: bytes, fingerprint: str) -> AlertView | None:
    """Returns how a stored notification shows one alert; None if it does not. Raises StoreDamaged if the notification is unreadable."""
    return next((view for view in _decoded(notification).alerts if view.fingerprint == fingerprint), None)


def head_view(notification: bytes) -> AlertView | None:
    """Returns the alert that names a stored notification's incident; None if it names none. Raises StoreDamaged."""
    decoded = _decoded(notification)
    return next((view for view in decoded.alerts if view.fingerprint == decoded.head), None)


def _decoded(notification: bytes) -> Notification:
    try:
        return decode(notification)
    except _UNREADABLE as reason:
        raise UnreadableRow("a notification in the store", "parcel", reason) from reason


def found_in(table: str, data: bytes | None, names: Sequence[Any]) -> str | list[str]:
    """Returns what the column of a table that holds JSON says of the incident; of a group, whom it has told; of an alert, its account.

    ``names`` are the columns that find the row. Raises StoreDamaged.
    """
    if data is None:
        return ""
    if table == "alert_group":
        return list(structs(AggregationGroup, [(data, *names)])[0].told)
    if table == "alert":
        return structs(Alert, [(data, *names)])[0].account
    return (
        structs(TransitionSubject, [(data, *names)])[0].incident if table == "transition" else _decoded(data).incident
    )


def alert_views(notification: bytes) -> tuple[AlertView, ...]:
    """Returns the alerts of a stored notification. Raises StoreDamaged."""
    return _decoded(notification).alerts


def fingerprints(notification: bytes) -> list[str]:
    """Returns the fingerprints of the alerts of a stored notification. Raises StoreDamaged."""
    return [view.fingerprint for view in alert_views(notification)]


def readable(kind: type[Struct], rows: Iterable[Row]) -> list[Struct]:
    """Reads those rows that can be read: the first column is JSON."""
    decoder, found = msgspec.json.Decoder(kind), []
    for data, *_ in rows:
        with suppress(*_UNREADABLE):
            found.append(decoder.decode(data))
    return found


class _Owned(msgspec.Struct):
    account: str = ""


def structs(kind: type[Struct], rows: Iterable[Row], left_out: list[UnreadableRow] | None = None) -> list[Struct]:
    """Reads rows as structs of ``kind``: the first column is JSON, the others find the row. One that is unreadable is added to ``left_out``;
    without that, raises StoreDamaged, naming it."""
    decoder, found = msgspec.json.Decoder(kind), []
    for data, *names in rows:
        try:
            found.append(decoder.decode(data))
        except _UNREADABLE as reason:
            table, what = _TABLES[kind]
            named = what.format(*(clean(str(one), _LONGEST_NAME) or "(none)" for one in names))
            _leave_out(UnreadableRow(named, table, reason, account=_account_of(kind, data, names)), left_out)
    return found


def _leave_out(error: UnreadableRow, left_out: list[UnreadableRow] | None) -> None:
    if left_out is None:
        raise error
    left_out.append(error)


def _account_of(kind: type[msgspec.Struct], data: bytes, names: Sequence[Any]) -> str:
    """Returns whose a row is that cannot be read, as its columns or what can be read of it say; empty: nobody knows."""
    at = _ACCOUNT_AT.get(kind)
    if at is not None and names[at]:
        return str(names[at])
    with suppress(*_UNREADABLE):
        return msgspec.json.decode(data, type=_Owned).account
    return ""
