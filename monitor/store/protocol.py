"""The interface of a store. Every method is synchronous and is called in a worker thread.

A *poll* is committed by one `Store.commit`: the window's changed rows, dictionaries, cursors, alerts, groups and outbox rows
together or not at all. Every method raises StoreError where the database is busy, full or gone, and has then changed nothing.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition
from monitor.model.notification import Notification, Reason
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, Duration, Instant


class Cursor(msgspec.Struct, frozen=True):
    """How far one search has been polled. ``as_of``: end of the last complete poll. ``covered_since``: from here on nothing is
    missing. ``swept`` maps each resweep's ``back`` (µs, as text) to when it last ran. ``counts`` remembers what sweeps compared.
    ``question``: the digest of what was asked; empty: not known, from before it was remembered."""

    account: str
    search: str
    as_of: Instant
    covered_since: Instant
    swept: dict[str, Instant] = {}
    counts: dict[str, list[int]] = {}
    question: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a field's dictionary: ``code`` is what the columns hold in its place."""

    account: str
    field: str
    code: int
    value: str


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record of Routee's that could not be read: kept to be looked at, recipients and bodies taken out.

    Each poll may bring it again; it is kept once for each search. ``at`` is when it was last seen, ``first_at`` when first (None: then,
    too), ``seen`` how often.
    """

    account: str
    search: str
    at: Instant
    why: str
    record: str
    seen: int = 1
    first_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A notification to be written into the outbox for one channel (``slack/0``: the receiver's first Slack entry)."""

    channel: str
    notification: Notification


@dataclass(slots=True)
class Commit:
    """What one transaction writes. ``journal`` are blobs of changed rows by account; ``cleaned`` are the (account, sequence
    number) of those to delete, ``dropped_entries`` (account, field, code), ``dropped_alerts`` and ``dropped_acks`` fingerprints,
    ``dropped_groups`` (key, receiver), ``dropped_silences`` ids. ``forgotten`` are accounts whose journal, dictionaries and cursors
    go before anything is written, so that their messages are asked of Routee again; ``facts`` what is known by account.

    Writing the same thing twice is harmless: entries, cursors, alerts, groups, silences and acknowledgements replace what they name, and
    a notification whose key its channel already has is left out.
    """

    forgotten: list[str] = field(default_factory=list)
    journal: list[tuple[str, bytes]] = field(default_factory=list)
    cleaned: list[tuple[str, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    dropped_entries: list[tuple[str, str, int]] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    dropped_alerts: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    groups: list[AggregationGroup] = field(default_factory=list)
    dropped_groups: list[tuple[str, str]] = field(default_factory=list)
    outbox: list[Pending] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    dropped_silences: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    dropped_acks: list[str] = field(default_factory=list)
    asides: list[QuarantinedRecord] = field(default_factory=list)
    facts: dict[str, AccountState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnusableSilence:
    """A stored silence that cannot be kept: the reason and its record."""

    id: str
    why: str
    record: str


@dataclass(frozen=True, slots=True)
class StoredState:
    """Everything that a restart brings back, besides the windows' journals.

    ``facts`` is what Routee answered besides messages, by account. ``begun`` is which alerts (by fingerprint) began to fire, and
    when, in the last BEGUN_KEPT before the latest change of any alert. ``unusable`` are silences that are not among the others.
    """

    cursors: list[Cursor]
    alerts: list[Alert]
    groups: list[AggregationGroup]
    silences: list[Silence] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    begun: list[tuple[str, Instant]] = field(default_factory=list)
    facts: dict[str, AccountState] = field(default_factory=dict)
    unusable: list[UnusableSilence] = field(default_factory=list)


OutboxState = Literal["waiting", "sent", "dead"]

BEGUN_KEPT: Final[Duration] = DAY // 12
"""How long starts of alerts are kept (two hours), to detect flapping."""

HISTORY_KEPT: Final[Duration] = 30 * DAY
"""How long sent notifications and changes of alerts are kept."""

PRUNED_AT_ONCE: Final = 500
"""The most rows of a kind that one transaction deletes, so that others do not wait long for the store."""

SILENCES_KEPT: Final[Duration] = 5 * DAY
"""How long an expired silence is kept, so that people can see it or start it again."""

SUPERSEDED: Final = "superseded"
"""The one key in the receipt of an outbox row that was not sent because a newer one of its episode says more; no channel uses it."""

ASIDES_KEPT: Final = 1_000
"""The most different records set aside that are kept, those seen last; `Store.counts` has how many there ever were."""

ASIDE_LENGTH: Final = 4_000
"""The most characters that are kept of a record set aside."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row of the outbox. ``receipt`` is what the channel gave back when it took it (Slack: channel and ts).

    ``attempts`` counts the sends that failed and were postponed. ``next_at`` is 0 until the first of them: due at once, whatever
    the clock says.
    """

    id: int
    channel: str
    notification: Notification
    state: OutboxState
    attempts: int
    next_at: Instant
    error: str = ""
    receipt: dict[str, str] | None = None
    done_at: Instant | None = None


Fate = Literal["waiting", "sent", "dead", "superseded"]
"""The outcome of a notification."""


class NotifiedAlert(msgspec.Struct, frozen=True):
    """One alert of a past notification."""

    name: str
    labels: dict[str, str]
    status: Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """One notification of the past to one channel: at ``at`` it was decided, at ``done_at`` it was sent or given up.

    ``outcome`` is ``superseded`` where it was not sent because a newer one said more; ``error`` is the latest reason of a failure.
    """

    at: Instant
    receiver: str
    channel: str
    reason: Reason
    alerts: tuple[NotifiedAlert, ...]
    truncated: int
    outcome: Fate
    attempts: int = 0
    error: str = ""
    done_at: Instant | None = None


class Store(Protocol):
    """One database. Opening it brings its tables up to date."""

    def close(self) -> None:
        """Closes the store; safe to call twice."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Within it every read sees the same moment: for readers beside a running daemon. Nothing can be written within it."""

    def secret(self, name: str) -> bytes:
        """32 random bytes that belong to this store, made at first use: the key of the recipients' hashes."""

    def load(self) -> StoredState:
        """Cursors, alerts, groups, silences and acknowledgements as the last commit left them."""

    def entries(self, account: str) -> list[Entry]:
        """The dictionaries of an account's window, codes ascending within each field."""

    def journal(self, account: str) -> Iterator[tuple[int, bytes]]:
        """The journal of an account's window: (sequence number, blob), oldest first. Commits may go on while it is read."""

    def commit(self, commit: Commit) -> list[int]:
        """Writes all of it in one transaction; returns the sequence numbers of the journal blobs, in order."""

    def waiting(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        """The oldest outbox rows of a channel that are still to be sent, whether due or not, in the order they were written."""

    def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        """The oldest waiting outbox row of each group of a channel, whether due or not: by ``next_at``, then as they were written."""

    def successor(self, outbox_row: int) -> str | None:
        """The key of the next notification of the same episode that waits for the same channel, if there is one."""

    def sent(self, outbox_row: int, receipt: dict[str, str], at: Instant) -> None:
        """Marks the row as sent by the channel. Only a waiting outbox row changes, here and in the two below, so that each can be tried again."""

    def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        """Postpones the row to ``next_at`` and counts an attempt."""

    def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        """Marks the row as a dead letter, which is never sent."""

    def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
        """The latest receipt of that episode in that channel: the message to edit and the thread to write into. One that says
        SUPERSEDED does not count."""

    def outbox_rows(self, state: OutboxState | None = None, limit: int = 100) -> list[OutboxRow]:
        """Returns outbox rows for people, newest first."""

    def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        """Returns the notifications since that instant, newest first."""

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        """By receiver and channel: how many are waiting, and when the oldest was written."""

    def transitions(self, limit: int = 100) -> list[Transition]:
        """Returns the latest changes of alerts, newest first."""

    def asides(self, limit: int = 100) -> list[QuarantinedRecord]:
        """Returns the records set aside, most recently seen first."""

    def counts(self) -> dict[str, int]:
        """How much there is, for metrics: ``journal``, ``entries``, ``alerts``, ``groups``, ``transitions``, ``waiting``, ``sent``,
        ``dead``, and ``asides`` (as many as ever were, not only those kept)."""

    def prune(self, before: Instant, told_before: Instant, most: int = PRUNED_AT_ONCE) -> int:
        """Forget what was set aside before then, and alerts that were over and that no group still tells of; and what was sent, given up or
        changed before ``told_before``. The latest receipt of an episode stays while a group of it lives or an outbox row of it waits.
        Of each kind at most ``most`` rows go; gives how many went, 0 when none is left."""
