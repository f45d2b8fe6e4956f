"""Converts values to table rows and back, for any SQL database."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition, TransitionSubject
from monitor.model.notification import Reason, decode, encode
from monitor.routing.acknowledgements import Ack
from monitor.routing.matcher_syntax import Operator
from monitor.routing.matchers import check_ready, check_written
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence, SilenceQuota
from monitor.runtime.clock import LATEST
from monitor.runtime.errors import StoreDamaged
from monitor.store.protocol import (
    ASIDE_LENGTH,
    SUPERSEDED,
    Commit,
    Cursor,
    Entry,
    Fate,
    NotificationRecord,
    NotifiedAlert,
    OutboxRow,
    Pending,
    QuarantinedRecord,
    UnusableSilence,
)

Row = tuple[Any, ...]

_UNREADABLE = (
    "{what} cannot be read: {reason}; restart the daemon, which moves the file aside and goes on, or restore a backup"
)
Struct = TypeVar("Struct", bound=msgspec.Struct)


def tells(commit: Commit) -> bool:
    """Returns whether the commit holds data that Routee cannot return again."""
    told = (commit.alerts, commit.dropped_alerts, commit.transitions, commit.groups, commit.dropped_groups)
    edited = (commit.silences, commit.dropped_silences, commit.acks, commit.dropped_acks)
    return any(told) or any(edited) or bool(commit.outbox)


def writable(text: str) -> str:
    """``text`` with lone surrogates replaced: JSON can carry them, UTF-8 cannot, and one such record must not stop a poll."""
    return text.encode("utf-8", "replace").decode()


def entry_rows(entries: Iterable[Entry]) -> list[Row]:
    """(account, field, code, value)."""
    return [(entry.account, entry.field, entry.code, writable(entry.value)) for entry in entries]


def cursor_rows(cursors: Iterable[Cursor]) -> list[Row]:
    """(account, search, data)."""
    return [(cursor.account, cursor.search, msgspec.json.encode(cursor)) for cursor in cursors]


def alert_rows(alerts: Iterable[Alert]) -> list[Row]:
    """(fingerprint, resolved_at, data)."""
    return [(alert.fingerprint, alert.resolved_at, msgspec.json.encode(alert)) for alert in alerts]


def transition_rows(transitions: Iterable[Transition]) -> list[Row]:
    """(fingerprint, rule, at, what, because, value, about)."""
    return [
        (
            *(one.fingerprint, one.rule, one.at, one.what, one.because, one.value),
            None if one.about is None else msgspec.json.encode(one.about),
        )
        for one in transitions
    ]


def transition(row: Row) -> Transition:
    """Reads rows that `transition_rows` wrote. Raises StoreDamaged."""
    fingerprint, rule, at, what, because, value, about = row
    known = None if about is None else structs(TransitionSubject, [(about,)])[0]
    return Transition(fingerprint, rule, at, what, because, value, known)


def group_rows(groups: Iterable[AggregationGroup]) -> list[Row]:
    """(key, receiver, episode, data)."""
    return [(group.key, group.receiver, group.episode, msgspec.json.encode(group)) for group in groups]


def silence_rows(silences: Iterable[Silence]) -> list[Row]:
    """(id, data)."""
    return [(silence.id, msgspec.json.encode(silence)) for silence in silences]


class _StoredMatcher(msgspec.Struct):
    name: str
    op: Operator
    value: str


class _StoredSilence(msgspec.Struct):
    """As much of a silence as has to be looked at before it is made: making its matchers ready may take long."""

    matchers: list[_StoredMatcher]


def silences(found: Iterable[Row]) -> tuple[list[Silence], list[UnusableSilence]]:
    """From (id, data): the silences, and those that cannot be kept: unreadable, or more expensive than any that can be requested now.

    An instant that is out of bounds is taken for the nearest that is not.
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
            raise StoreDamaged(_UNREADABLE.format(what="a stored silence", reason=reason)) from reason
        except ValueError as error:
            unusable.append(UnusableSilence(name, str(error), _start(data)))
    return known, unusable


def _start(data: bytes) -> str:
    return bytes(data[: 4 * ASIDE_LENGTH]).decode("utf-8", "replace")[:ASIDE_LENGTH]


def _silence(data: bytes) -> Silence:
    """Raises ValueError."""
    written = msgspec.json.decode(data, type=_StoredSilence).matchers
    check_written([(one.name, one.op, one.value) for one in written])
    silence = msgspec.json.decode(data, type=Silence)
    check_ready(silence.matchers)
    times = (silence.starts_at, silence.ends_at, silence.updated_at)
    starts_at, ends_at, updated_at = (min(max(one, 0), LATEST) for one in times)
    return msgspec.structs.replace(silence, starts_at=starts_at, ends_at=ends_at, updated_at=updated_at)


def ack_rows(acks: Iterable[Ack]) -> list[Row]:
    """(fingerprint, data)."""
    return [(ack.fingerprint, msgspec.json.encode(ack)) for ack in acks]


def account_state_values(facts: Mapping[str, AccountState]) -> list[Row]:
    """(account, data)."""
    return [(account, msgspec.json.encode(known)) for account, known in facts.items()]


def facts(found: Iterable[Row]) -> dict[str, AccountState]:
    """Reads (account, data) rows. Skips unreadable ones, as Routee is soon queried again."""
    known = {}
    for account, data in found:
        with suppress(msgspec.MsgspecError):
            known[account] = msgspec.json.decode(data, type=AccountState)
    return known


def outbox_values(outbox: Iterable[Pending]) -> list[Row]:
    """(receiver, channel, key, group_key, episode, created_at, notification)."""
    told = [(pending.channel, pending.notification) for pending in outbox]
    return [
        (one.receiver, channel, one.key, one.group_key, one.episode, one.created_at, encode(one))
        for channel, one in told
    ]


def quarantine_values(asides: Iterable[QuarantinedRecord]) -> list[Row]:
    """(at, why, seen, account, search, record); a long record is cut."""
    return [
        (one.at, writable(one.why), one.seen, one.account, one.search, writable(one.record[:ASIDE_LENGTH]))
        for one in asides
    ]


def outbox_row(row: Row) -> OutboxRow:
    """From the columns named below, in that order. Raises StoreDamaged where the notification cannot be read."""
    number, channel, notification, state, attempts, next_at, error, receipt, done_at = row
    try:
        told = decode(notification)
    except msgspec.MsgspecError as reason:
        raise StoreDamaged(_UNREADABLE.format(what=f"notification {number} in the store", reason=reason)) from reason
    back = None if receipt is None else dict(json.loads(receipt))
    return OutboxRow(number, channel, told, state, attempts, next_at, error, back, done_at)


class _Told(msgspec.Struct, frozen=True):
    """Returns what the history shows of a notification."""

    reason: Reason
    alerts: tuple[NotifiedAlert, ...]
    truncated: int = 0


def notification_record(row: Row) -> NotificationRecord:
    """From the columns of `statements.HISTORY`. Raises StoreDamaged where the notification cannot be read."""
    at, receiver, channel, state, attempts, error, receipt, done_at, notification = row
    try:
        told = msgspec.json.decode(notification, type=_Told)
    except msgspec.MsgspecError as reason:
        raise StoreDamaged(_UNREADABLE.format(what="a notification in the store", reason=reason)) from reason
    outcome: Fate = "superseded" if receipt is not None and SUPERSEDED in json.loads(receipt) else state
    return NotificationRecord(
        at, receiver, channel, told.reason, told.alerts, told.truncated, outcome, attempts, error, done_at
    )


def structs(kind: type[Struct], rows: Iterable[Row]) -> list[Struct]:
    """From one column of JSON. Raises StoreDamaged where a struct cannot be read."""
    decoder = msgspec.json.Decoder(kind)
    try:
        return [decoder.decode(data) for (data,) in rows]
    except msgspec.MsgspecError as reason:
        name = kind.__name__.lower()
        raise StoreDamaged(_UNREADABLE.format(what=f"a stored {name}", reason=reason)) from reason
