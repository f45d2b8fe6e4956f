"""A store in memory that fails on request, and keeps alerts and groups as bytes, so that reading decodes them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Transition
from monitor.model.announced_rules import AnnouncedRules
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import Instant
from monitor.runtime.errors import DecidedTooLate, StoreError
from monitor.store.accounts import of_accounts
from monitor.store.protocol import (
    ANNOUNCED_FOR,
    BEFORE_ALL_TEXTS,
    Commit,
    Cursor,
    Entry,
    FirstPages,
    Pending,
    StoredState,
    StoredSuppressions,
    Texts,
)


class MemoryStore:
    """Implements the part of `monitor.store.protocol.Store` that the pipeline and a restart use.

    Refuses the next ``failures`` commits, and all with the error ``refused`` if there is one.
    ``rule_states_read`` counts how often what rules keep was read.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.refused: StoreError | None = None
        self.rule_states_read = 0
        self.commits: list[Commit] = []
        self.outbox: list[Pending] = []
        self.transitions: list[Transition] = []
        self._cursors: dict[tuple[str, str], bytes] = {}
        self._lost: dict[str, Instant] = {}
        self._alerts: dict[str, bytes] = {}
        self._groups: dict[tuple[str, str, str], bytes] = {}
        self._silences: dict[str, bytes] = {}
        self._acks: dict[str, bytes] = {}
        self._journal: dict[int, tuple[str, bytes]] = {}
        self._entries: dict[tuple[str, str, int], str] = {}
        self._account_states: dict[str, bytes] = {}
        self._rule_states: dict[tuple[str, str], bytes] = {}
        self._first_evaluations: dict[tuple[str, str], int] = {}
        self._sequence = 0
        self._revision = 0
        self.announced: dict[int, dict[str, str]] = {}
        """By worker, the rules that it announced. Somebody who ended stays, unless a test takes him out."""
        self.ended: dict[int, Instant] = {}
        """When workers were heard of last that have ended."""

    def commit(self, commit: Commit) -> list[int]:
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        if self.refused is not None:
            raise self.refused
        if commit.edits and commit.decided_on not in (None, self._revision):
            raise DecidedTooLate
        self.commits.append(commit)
        self._write_window(commit)
        for fingerprint in commit.dropped_alerts:
            self._alerts.pop(fingerprint, None)
        self._alerts |= {alert.fingerprint: msgspec.json.encode(alert) for alert in commit.alerts}
        for key in commit.dropped_groups:
            self._groups.pop(key, None)
        self._groups |= {
            (group.key, group.receiver, group.account): msgspec.json.encode(group) for group in commit.groups
        }
        self._write_edits(commit)
        known = {(one.channel, one.notification.key) for one in self.outbox}
        self.outbox += [one for one in commit.outbox if (one.channel, one.notification.key) not in known]
        self.transitions += commit.transitions
        first = self._sequence - len(commit.journal) + 1
        return list(range(first, self._sequence + 1))

    def _write_edits(self, commit: Commit) -> None:
        self._revision += commit.edits
        for one in commit.dropped_silences:
            self._silences.pop(one, None)
        self._silences |= {silence.id: msgspec.json.encode(silence) for silence in commit.silences}
        for one in commit.dropped_acks:
            self._acks.pop(one, None)
        self._acks |= {ack.fingerprint: msgspec.json.encode(ack) for ack in commit.acks}

    def _write_window(self, commit: Commit) -> None:
        for account in commit.forgotten:
            self._journal = {one: row for one, row in self._journal.items() if row[0] != account}
            self._entries = {key: value for key, value in self._entries.items() if key[0] != account}
            self._cursors = {key: data for key, data in self._cursors.items() if key[0] != account}
        self._account_states |= {
            account: msgspec.json.encode(state) for account, state in commit.account_states.items()
        }
        for key in commit.dropped_rule_states:
            self._rule_states.pop(key, None)
        self._rule_states |= {key: state.blob() for key, state in commit.rule_states.items()}
        for key in commit.dropped_first_evaluations:
            self._first_evaluations.pop(key, None)
        self._first_evaluations |= commit.first_evaluations
        for account, blob in commit.journal:
            self._sequence += 1
            self._journal[self._sequence] = (account, blob)
        for _, sequence in commit.cleaned:
            del self._journal[sequence]
        self._entries |= {(entry.account, entry.field, entry.code): entry.value for entry in commit.entries}
        self._lost |= commit.lost
        self._cursors |= {(one.account, one.search): msgspec.json.encode(one) for one in commit.cursors}

    def load(self, accounts: Collection[str] | None = None, *, rule_states: bool = True) -> StoredState:
        loaded = self._everything()
        if rule_states:
            self.rule_states_read += 1
        else:
            loaded = replace(loaded, rule_states={})
        return loaded if accounts is None else of_accounts(loaded, accounts)

    def load_readable(self) -> StoredState:
        return self.load()

    def alert_and_ack(self, fingerprint: str) -> tuple[Alert | None, Ack | None]:
        alert, ack = self._alerts.get(fingerprint), self._acks.get(fingerprint)
        return (
            None if alert is None else msgspec.json.decode(alert, type=Alert),
            None if ack is None else msgspec.json.decode(ack, type=Ack),
        )

    def groups_of(self, key: str) -> list[AggregationGroup]:
        return [one for one in self._everything().groups if one.key == key]

    def suppressions(self) -> StoredSuppressions:
        loaded = self._everything()
        return StoredSuppressions(self._revision, loaded.silences, [], loaded.acks)

    def _everything(self) -> StoredState:
        return StoredState(
            [msgspec.json.decode(data, type=Cursor) for data in self._cursors.values()],
            [msgspec.json.decode(data, type=Alert) for data in self._alerts.values()],
            [msgspec.json.decode(data, type=AggregationGroup) for data in self._groups.values()],
            [msgspec.json.decode(data, type=Silence) for data in self._silences.values()],
            [msgspec.json.decode(data, type=Ack) for data in self._acks.values()],
            [(one.fingerprint, one.at) for one in self.transitions if one.what == "fired"],
            {account: msgspec.json.decode(data, type=AccountState) for account, data in self._account_states.items()},
            rule_states=dict(self._rule_states),
            first_evaluations=dict(self._first_evaluations),
            lost=dict(self._lost),
        )

    def entries(self, account: str) -> list[Entry]:
        return [Entry(*key, value) for key, value in sorted(self._entries.items()) if key[0] == account]

    def entries_page(self, account: str, after: Entry | None = None) -> list[Entry]:
        begin = () if after is None else after[1:3]
        return [entry for entry in self.entries(account) if entry[1:3] > begin][:2]

    def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        return [Texts(one.field, one.code, [one.value]) for one in self.entries(account) if one[1:3] > after][:2]

    def journal(self, account: str) -> list[tuple[int, bytes]]:
        return [(sequence, blob) for sequence, (of, blob) in self._journal.items() if of == account]

    def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
        return [one for one in self.journal(account) if one[0] > after][:2]

    def announce_rules(self, rules: Mapping[str, str], worker: int = 0) -> None:
        """``worker`` is who announces."""
        self.announced[worker] = dict(rules)

    def rules_of_others(self, worker: int = 0) -> list[AnnouncedRules]:
        """``worker`` is who asks. Those in `ended` have ended at that time."""
        return [
            AnnouncedRules(
                f"host-{one}",
                one not in self.ended,
                self.ended.get(one, 0),
                self.ended.get(one, 0) + ANNOUNCED_FOR,
                said,
            )
            for one, said in self.announced.items()
            if one != worker
        ]

    def owners(self) -> list[str]:
        return sorted({alert.account for alert in self._everything().alerts} | {one for one, _ in self._rule_states})

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:
        """Nobody else writes here."""

    def journal_size(self, account: str) -> int:
        return sum(len(blob) for _, blob in self.journal(account))

    def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        return {account: self.journal_size(account) for account in accounts}

    def first_pages(self, accounts: Sequence[str]) -> dict[str, FirstPages]:
        return {one: FirstPages(self.entries_page(one), self.journal_page(one, 0)) for one in accounts}

    def assign_accounts(self, accounts: Sequence[str]) -> None:
        """Everything here has its account from the start."""

    def secret(self, name: str) -> bytes:
        return name.encode().ljust(32, b".")
