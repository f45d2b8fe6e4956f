"""The interface of a store, and the values that it reads and writes.

A complete poll is written by one `Store.commit`: the window's changed rows, dictionaries, cursors, alerts, groups and outbox rows
together or not at all. Every method is synchronous. It raises StoreError if the database is busy, full or gone, and has changed
nothing then.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Final, Literal, NamedTuple, Protocol, get_args

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.journal_sum import JournalSum
from monitor.model.notification import AlertView, Notification, Reason
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.store.leases import LeaseStore


class Cursor(msgspec.Struct, frozen=True):
    """How far one search has been polled.

    ``as_of`` is the end of the last complete poll, less the search's ``settle``. No message is missing since ``covered_since``. ``swept``
    maps the ``back`` of each sweep (microseconds as text) to when its last complete run began. ``counts`` are the counts that sweeps
    compare; see `monitor.ingest.poll.sweep_ledger`. ``question`` is the digest of the search's query; it is empty in cursors of older
    versions. ``journal`` and ``journal_last`` are the sum of the account's journal when the cursor was committed (`journal_sum`); None in
    cursors of older versions.
    """

    account: str
    search: str
    as_of: Instant
    covered_since: Instant
    swept: dict[str, Instant] = {}
    counts: dict[str, list[int]] = {}
    question: str = ""
    journal: tuple[int, int, int] | None = None
    journal_last: int = 0

    def without(self, dropped_to: Instant) -> "Cursor":
        """Returns the cursor once messages up to ``dropped_to`` were dropped."""
        return msgspec.structs.replace(self, covered_since=max(self.covered_since, dropped_to))

    @property
    def journal_sum(self) -> JournalSum | None:
        """Returns the sum of the account's journal when the cursor was committed; None if it is not known."""
        return None if self.journal is None else JournalSum(*self.journal, self.journal_last)


class Entry(NamedTuple):
    """One value of a field's dictionary. The columns have its ``code`` instead of the value."""

    account: str
    field: str
    code: int
    value: str


class Texts(NamedTuple):
    """Values of a field's dictionary that follow each other, ascending by their codes, of which ``last`` is the last one's."""

    field: str
    last: int
    values: list[str]


BEFORE_ALL_TEXTS: Final = ("", -1)
"""A field and a code before every entry."""


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """Something that could not be read or used, kept for people: a record or a value of Routee's, or a stored silence.

    ``record`` is its text with recipients masked and bodies removed. The same text is kept once for each search, although each poll
    may return it again. ``at`` is when it was last seen, ``first_at`` when first (None: at ``at``), ``seen`` how often.
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
    """A notification to be written to the outbox for one channel (``slack/0`` is the receiver's first Slack entry).

    ``account`` says whose it is where several daemons share the accounts: only the holder sends it. Else it is empty.
    """

    channel: str
    notification: Notification
    account: str = ""


class Keepable(Protocol):
    """What is made into bytes only when it is written, in the store's thread; it does not change meanwhile."""

    def blob(self) -> bytes: ...


@dataclass(slots=True)
class Commit:
    """The changes of one transaction.

    ``journal`` has (account, blob) of changed rows, and ``cleaned`` (account, sequence number) of blobs to delete. Dropped are:
    ``dropped_entries`` by (account, field, code), ``dropped_alerts`` and ``dropped_acks`` by fingerprint, ``dropped_groups`` by
    (key, receiver, account), ``dropped_silences`` by id. ``dropped_alerts_of_nobody`` are dropped by fingerprint only while the store does not
    know their account (`StoredState.unusable_alerts`). ``forgotten`` are accounts whose journal, dictionaries and cursors are deleted before
    anything is written, so that their messages are fetched from Routee again, and ``lost`` says up to when they were known, as
    `StoredState.lost` has it. ``account_states`` are replaced by account.
    ``rule_states`` is what rules keep, by (account, rule); ``dropped_rule_states`` are those of rules that are gone. ``first_evaluations`` and
    ``dropped_first_evaluations`` are likewise, of as of when each rule was evaluated first. ``durable``: it is on
    the disk before the call returns, whatever it contains; otherwise only what cannot be fetched from Routee again is. ``relies_on`` are accounts
    that this daemon must hold for the commit to be made (`Store.hold`), besides those that are written for: it was decided from what is in
    memory of them. ``decided_on`` is the revision (`StoredSuppressions`) of the silences and acknowledgements from which it was decided how to
    change some: if there is another one by now, `Store.commit` raises DecidedTooLate. None: it does not depend on them.

    Writing the same entry, cursor, alert, group, silence or acknowledgement again replaces it. A notification whose key its channel
    already has is ignored.
    """

    forgotten: list[str] = field(default_factory=list)
    lost: dict[str, Instant] = field(default_factory=dict)
    journal: list[tuple[str, bytes]] = field(default_factory=list)
    cleaned: list[tuple[str, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    dropped_entries: list[tuple[str, str, int]] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    dropped_alerts: list[str] = field(default_factory=list)
    dropped_alerts_of_nobody: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    groups: list[AggregationGroup] = field(default_factory=list)
    dropped_groups: list[tuple[str, str, str]] = field(default_factory=list)
    outbox: list[Pending] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    dropped_silences: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    dropped_acks: list[str] = field(default_factory=list)
    quarantined: list[QuarantinedRecord] = field(default_factory=list)
    account_states: dict[str, AccountState] = field(default_factory=dict)
    rule_states: dict[tuple[str, str], Keepable] = field(default_factory=dict)
    dropped_rule_states: list[tuple[str, str]] = field(default_factory=list)
    first_evaluations: dict[tuple[str, str], Instant] = field(default_factory=dict)
    dropped_first_evaluations: list[tuple[str, str]] = field(default_factory=list)
    durable: bool = False
    relies_on: set[str] = field(default_factory=set)
    decided_on: int | None = None

    @property
    def edits(self) -> bool:
        """Whether it changes silences or acknowledgements."""
        return bool(self.silences or self.dropped_silences or self.acks or self.dropped_acks)


@dataclass(frozen=True, slots=True)
class UnusableSilence:
    """A stored silence that cannot be used: its id, the reason, and the beginning of its stored text."""

    id: str
    why: str
    record: str


@dataclass(frozen=True, slots=True)
class UnusableAlert:
    """A stored alert that cannot be read, and of which it is not known whose it is: its fingerprint, the reason, and the beginning of its text."""

    fingerprint: str
    why: str
    record: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that cannot be read: whose it is (empty: nobody knows, or all accounts'), and what is wrong, with what people can do. ``hides_alerts``:
    without it some alerts are not known."""

    account: str
    said: str
    hides_alerts: bool = True


@dataclass(frozen=True, slots=True)
class StoredState:
    """Everything that is restored after a restart, except the windows' journals.

    ``account_states`` has Routee's latest balances and campaigns by account. ``begun`` has (fingerprint, instant) of the alerts that began
    to fire within BEGUN_KEPT before the latest change of any alert. ``unusable`` are the silences that are not in ``silences``, and
    ``unusable_alerts`` the alerts of no account that are not in ``alerts``.
    ``rule_states`` is what rules keep, by (account, rule), and ``first_evaluations`` as of when they were evaluated first.
    ``lost`` has the accounts whose messages were lost from the store, each with the moment up to which they had been known; the empty name
    stands for all accounts, where a whole file was damaged. What of it was read again since, the cursors say (``covered_since``).
    ``left_out`` are the rows without which `Store.load_readable` returned it.
    """

    cursors: list[Cursor]
    alerts: list[Alert]
    groups: list[AggregationGroup]
    silences: list[Silence] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    begun: list[tuple[str, Instant]] = field(default_factory=list)
    account_states: dict[str, AccountState] = field(default_factory=dict)
    unusable: list[UnusableSilence] = field(default_factory=list)
    unusable_alerts: list[UnusableAlert] = field(default_factory=list)
    rule_states: dict[tuple[str, str], bytes] = field(default_factory=dict)
    first_evaluations: dict[tuple[str, str], Instant] = field(default_factory=dict)
    lost: dict[str, Instant] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def accounts_left_out(self) -> set[str]:
        """The accounts of which a row cannot be read, so that nothing of theirs is here."""
        return {one.account for one in self.left_out} - {""}

    @property
    def are_alerts_left_out(self) -> bool:
        """Whether there may be alerts that are not here, since their rows or accounts cannot be read."""
        return any(one.hides_alerts for one in self.left_out)

    def lost_to(self, account: str) -> Instant:
        """Returns up to when messages of the account were lost; 0: none were."""
        return max(self.lost.get(account, 0), self.lost.get("", 0))


OutboxState = Literal["waiting", "sent", "dead"]

BEGUN_KEPT: Final[Duration] = DAY // 12
"""How far back `StoredState.begun` reaches (two hours), to detect flapping after a restart."""

ANNOUNCED_FOR: Final[Duration] = DAY // 24
"""How long the rules of a daemon that ended count as in use: until then it may come back with them (an hour)."""

HISTORY_KEPT: Final[Duration] = 30 * DAY
"""How long sent notifications and changes of alerts are kept."""

PRUNED_AT_ONCE: Final = 500
"""The most rows of a kind that one transaction deletes, so that other calls do not wait long for the store."""

SILENCES_KEPT: Final[Duration] = 5 * DAY
"""How long an expired silence is kept, so that people can see it or start it again."""

SUPERSEDED: Final = "superseded"
"""The only key in the receipt of an outbox row that was not sent because a newer one of its episode replaced it. No channel uses it."""

QUARANTINED_KEPT: Final = 1_000
"""The most quarantined records that are kept: those seen last. `Store.counts` says how many there ever were."""

QUARANTINED_LENGTH: Final = 4_000
"""The most characters that are kept of a quarantined record."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row of the outbox: a notification for one channel.

    ``receipt`` is what the channel returned when it accepted the notification (for Slack, channel and ts). ``attempts`` counts the sends
    that failed and were postponed. ``next_at`` is when it is due; it is 0, which means at once, until the first failure.
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
    account: str = ""


Fate = Literal["waiting", "sent", "dead", "superseded"]
"""The outcome of a notification."""
FATES: Final[tuple[Fate, ...]] = get_args(Fate)


class NotifiedAlert(msgspec.Struct, frozen=True):
    """One alert of a past notification."""

    name: str
    labels: dict[str, str]
    status: Literal["firing", "resolved"]
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """One past notification to one channel. It was made at ``at``, and sent or given up at ``done_at``.

    ``outcome`` is ``superseded`` if it was not sent because a newer one replaced it. ``error`` is the reason of the latest failure.
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
    id: int = 0
    """The number of its outbox row."""


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """Selects notifications that meet all conditions; None is no condition.

    ``since`` and ``until`` are about when they were made, ``fingerprint`` and ``rule`` about an alert in them. Of an ``incident`` those are
    selected whose alerts are known to have begun to fire in it.
    """

    since: Instant | None = None
    until: Instant | None = None
    receiver: str | None = None
    channel: str | None = None
    outcome: Fate | None = None
    fingerprint: str | None = None
    incident: str | None = None
    rule: str | None = None


EVERY_NOTIFICATION: Final = NotificationFilter()


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident as its alerts tell of it: when the first and the last of them began to fire, and how many there are."""

    id: str
    began_at: Instant
    last_at: Instant
    alerts: int


@dataclass(frozen=True, slots=True)
class StoredSuppressions:
    """What suppresses notifications: all silences and acknowledgements. ``revision`` grows at least with each commit that changes one."""

    revision: int
    silences: list[Silence]
    unusable: list[UnusableSilence]
    acks: list[Ack]


@dataclass(frozen=True, slots=True)
class ForwardedCallback:
    """A callback of Routee's that came to a daemon that does not hold its account, and waits for the one that does."""

    id: int
    account: str
    received_at: Instant
    body: bytes


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of dead letters that people asked to send again: how many wait again, and how many are left out.

    Those are left out after which their channel was sent something newer of the same episode, because they would show what is no longer true;
    and those that were given up because they could not be read, and still cannot. The latter stay dead letters.
    """

    waiting: int
    superseded: int
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class FirstPages:
    """The first page of an account's dictionaries and that of its journal, and whether anything follows each."""

    entries: list[Entry]
    journal: list[tuple[int, bytes]]
    has_more_entries: bool = True
    has_more_journal: bool = True


class Store(Protocol):
    """One open database. Its tables are up to date."""

    def close(self) -> None:
        """Closes the store; safe to call twice."""

    def hurry(self, within: Duration) -> None:
        """Gives up whatever takes longer than ``within`` from now on, also a call that is under way: for a daemon that is to stop.

        A call that is given up raises StoreError and has written nothing, like any other. Any thread may call it, also during another call.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """Returns a context in which all reads see the same moment, for readers beside a running daemon. It allows no writing."""

    def secret(self, name: str) -> bytes:
        """Returns 32 random bytes that belong to this store and ``name``, made at first use: ``recipients`` is the key of the recipients'
        hashes, ``browsers`` that of what browsers are given.
        """

    def end_sessions(self, ended: Mapping[bytes, Instant], over: Instant, most: int) -> None:
        """Keeps which sessions of browsers were ended: the digest of each, and when it began. It is on the disk before the call returns.

        Forgets those that began at ``over`` or before, and the oldest of more than ``most``. Other daemons hear that there is something to read.
        """

    def ended_sessions(self) -> dict[bytes, Instant]:
        """Returns the sessions that were ended, the oldest first."""

    def leases(self) -> LeaseStore | None:
        """Returns the leases of a daemon's store that other daemons share; None if no others can: one process has all accounts.

        The caller closes them.
        """

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:
        """Says which accounts this daemon holds now, with their tokens. Any thread may call it, also during another call.

        ``why_not`` is why it may not act for more of them now, for LeaseLost to say.

        From the next call on, `waiting`, `heads`, `successor` and `backlog` tell only of notifications of held accounts, and `commit` raises
        LeaseLost if an account that it writes for or relies on is not held, or its token is no longer the present one. `postponed` and
        `rejected` leave others' notifications alone; `sent` notes what was sent in any case. Before the first call everything counts as
        held. Where `leases` returns None, it does nothing.
        """

    def assign_accounts(self, accounts: Sequence[str]) -> None:
        """Says of groups and unsent notifications whose they are, where the store does not know: those of a store that one process had.

        ``accounts`` are the configured ones. For a daemon that starts, before it loads anything. Where others share the store,
        a group is split by the accounts of the alerts that it was notified of; else groups that were split become one again.
        """

    def announce_rules(self, rules: Mapping[str, str]) -> None:
        """Says by which rules this daemon judges the accounts of its configuration: a digest each."""

    def rules_of_others(self) -> list[AnnouncedRules]:
        """Returns what the others have announced, those that came first first.

        A daemon that ended counts for `ANNOUNCED_FOR`, unless another one was started on its host and port. Nothing, where nobody shares the store.
        """

    def suppressions(self) -> StoredSuppressions:
        """Returns all silences and acknowledgements."""

    def forward_callback(self, account: str, body: bytes, now: Instant) -> None:
        """Keeps a callback for the daemon that holds the account. It is on the disk before the call returns."""

    def forwarded(
        self, accounts: Collection[str], limit: int, without: Collection[int] = ()
    ) -> list[ForwardedCallback]:
        """Returns the oldest callbacks that others have forwarded for some accounts, but for those with the ids ``without``.

        It returns fewer than ``limit`` if those are already long together.
        """

    def drop_forwarded(self, ids: Collection[int]) -> None:
        """Deletes forwarded callbacks, after what they report was committed."""

    def load(self, accounts: Collection[str] | None = None, *, rule_states: bool = True) -> StoredState:
        """Returns everything but the windows as the last commit left it.

        With ``accounts``, only cursors, alerts, groups, account states, rule states and acknowledgements of theirs; silences and ``begun``
        are whole. Without ``rule_states`` these are left out: they may have megabytes.
        """

    def load_readable(self) -> StoredState:
        """Returns what `load` returns, but for the accounts of which a row cannot be read, which would end that, and for rows that cannot be
        read and of which nobody knows whose they are: ``left_out`` says which. For readers beside a daemon. Raises StoreDamaged only where
        no rows can be read at all.
        """

    def alert_and_ack(self, fingerprint: str) -> tuple[Alert | None, Ack | None]:
        """Returns an alert and its acknowledgement as the last commit left them; None for what is not there."""

    def groups_of(self, key: str) -> list[AggregationGroup]:
        """Returns the groups with this key, of all receivers and accounts, whoever holds them."""

    def owners(self) -> list[str]:
        """Returns the accounts of which something is left to be ended or told: alerts that are not over, or whose end a group has yet to
        notify, states of rules, and notifications that wait."""

    def entries(self, account: str) -> list[Entry]:
        """Returns the dictionaries of an account's window, codes ascending within each field."""

    def entries_page(self, account: str, after: Entry | None = None) -> list[Entry]:
        """Returns what follows in the dictionaries after an entry (None: from the beginning), only so much that it takes little memory.

        It is empty at the end.
        """

    def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        """Returns the same as `entries_page` without codes, after that field and code: a third sooner, of ten thousands of entries."""

    def journal(self, account: str) -> Iterator[tuple[int, bytes]]:
        """Yields the journal of an account's window as (sequence number, blob), oldest first. Commits may happen while it is read."""

    def journal_size(self, account: str) -> int:
        """Returns how many bytes the journal of an account has, without reading them."""

    def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        """Returns `journal_size` of each account."""

    def first_pages(self, accounts: Sequence[str]) -> "dict[str, FirstPages]":
        """Returns how the windows of accounts begin."""

    def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
        """Returns what follows in the journal after the sequence number ``after`` (0: from the beginning), only so much that others can wait for it.

        It is empty at the end.
        """

    def commit(self, commit: Commit) -> list[int]:
        """Writes all of it in one transaction. Returns the sequence numbers of the journal blobs, in their order. Raises DecidedTooLate."""

    def waiting(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        """Returns the oldest waiting outbox rows of a channel, whether due or not, in the order in which they were written."""

    def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        """Returns the oldest waiting outbox row of each group of a channel, due or not: by ``next_at``, then in the order of writing."""

    def earlier(self, outbox_row: OutboxRow) -> OutboxRow | None:
        """Returns the oldest waiting row of another group of the same channel, which has to be sent before this one: the group has a waiting
        row that is older and names one of the same alerts. None if there is none."""

    def successor(self, outbox_row: int) -> str | None:
        """Returns the key of the next waiting notification of the same episode and channel; None if there is none."""

    def sent(self, outbox_row: int, receipt: dict[str, str], at: Instant) -> None:
        """Marks the row as sent. Like `postponed` and `rejected`, it changes only a waiting row, so that the call can be repeated."""

    def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        """Postpones the row to ``next_at`` and counts an attempt."""

    def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        """Marks the row as a dead letter, which is never sent."""

    def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
        """Returns the latest receipt of an episode in a channel: the message to edit and the thread to write to. Receipts with SUPERSEDED
        do not count."""

    def outbox_rows(self, state: OutboxState | None = None, limit: int = 100) -> list[OutboxRow]:
        """Returns the outbox rows, of one state or all, newest first. For people."""

    def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        """Returns the notifications that were made at ``since`` or later, newest first."""

    def notifications(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, limit: int = 100, offset: int = 0
    ) -> list[NotificationRecord]:
        """Returns the notifications that the filter selects, newest first, without the first ``offset``."""

    def count_notifications(self, wanted: NotificationFilter = EVERY_NOTIFICATION) -> int:
        """Returns how many notifications the filter selects."""

    def last_view(self, fingerprint: str) -> AlertView | None:
        """Returns an alert as it was notified last; None if it never was, or so long ago that it is no longer known."""

    def head_view(self, fingerprint: str, incident: str) -> AlertView | None:
        """Returns the alert that names an incident, by its latest notification that has the alert ``fingerprint``; None if there is none."""

    def last_sent(self) -> dict[tuple[str, str], Instant]:
        """Returns, by receiver and channel, when it last accepted a notification."""

    def dead_letters(self) -> dict[tuple[str, str], int]:
        """Returns, by receiver and channel, how many dead letters there are."""

    def retry_dead(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, outbox_row: int | None = None, most: int = 1000
    ) -> Retried:
        """Lets dead letters wait again as if they were new: those that the filter selects, at most ``most``, the oldest first.

        ``outbox_row`` names a single one. A dead letter after which something newer of its episode was sent, or waits, is marked as
        superseded instead.
        """

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        """Returns, by receiver and channel, how many outbox rows wait and when the oldest was made."""

    def transitions(self, limit: int = 100) -> list[Transition]:
        """Returns the latest changes of alerts, newest first."""

    def transitions_of(self, fingerprint: str, limit: int = 100) -> list[Transition]:
        """Returns the latest changes of one alert, newest first."""

    def lost_alerts(self, limit: int = 10_000) -> list[Transition]:
        """Returns the latest change of each alert that has not ended, and that the store has lost; people's actions do not count."""

    def begun_in(self, incident: str, limit: int = 100) -> list[Transition]:
        """Returns the beginnings of the alerts of an incident, newest first."""

    def incidents(self, limit: int = 100, offset: int = 0) -> list[PastIncident]:
        """Returns the incidents whose alerts are known, those that began last first, without the first ``offset``."""

    def incident(self, incident: str) -> PastIncident | None:
        """Returns the incident with that id; None if no beginning of an alert in it is known."""

    def count_incidents(self) -> int:
        """Returns how many incidents `incidents` can return."""

    def quarantined(self, limit: int = 100) -> list[QuarantinedRecord]:
        """Returns the quarantined records, most recently seen first."""

    def counts(self) -> dict[str, int]:
        """Returns the number of rows by name, for metrics: ``journal``, ``entries``, ``alerts``, ``groups``, ``transitions``, ``waiting``,
        ``sent``, ``dead``, and ``quarantined``. The last one counts all that there ever were, not only those that are kept."""

    def prune(self, before: Instant, history_before: Instant, most: int = PRUNED_AT_ONCE) -> int:
        """Deletes old rows: at most ``most`` of each kind. Returns how many were deleted, 0 when none is left.

        Before ``before``: quarantined records, and resolved alerts whose end no group still has to notify. Before ``history_before``:
        transitions, and outbox rows that were sent or given up. The latest receipt of an episode is kept while the episode has a group or a
        waiting outbox row.
        """
