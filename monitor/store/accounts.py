"""Whose a group of alerts is: groups are split where each daemon has only some accounts, and become one again where one has all. Pure."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Final, TypeVar

import msgspec

from monitor.model.alert import Alert
from monitor.model.notification import AlertView
from monitor.routing.route import AggregationGroup, of_account
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, paced
from monitor.store.protocol import Commit, StoredState

AT_ONCE: Final = 200
"""How many alerts or groups are looked at in one piece."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Groups to delete, and groups to write afterwards; ``keys`` has the key of each part by the receiver, the whole's key and the account."""

    dropped: list[AggregationGroup]
    written: list[AggregationGroup]
    keys: Mapping[tuple[str, str, str], str] = field(default_factory=dict)


def of_accounts(state: StoredState, accounts: Collection[str]) -> StoredState:
    """Returns what belongs to some accounts, and what belongs to none: silences, and beginnings of alerts."""
    alerts = [one for one in state.alerts if one.account in accounts]
    known = {one.fingerprint for one in alerts}
    return replace(
        state,
        cursors=[one for one in state.cursors if one.account in accounts],
        alerts=alerts,
        groups=[one for one in state.groups if one.account in accounts],
        acks=[one for one in state.acks if one.fingerprint in known],
        account_states={name: kept for name, kept in state.account_states.items() if name in accounts},
        rule_states={key: kept for key, kept in state.rule_states.items() if key[0] in accounts},
        first_evaluations={key: at for key, at in state.first_evaluations.items() if key[0] in accounts},
        lost={name: to for name, to in state.lost.items() if name in accounts or not name},
    )


def without_accounts(state: StoredState, accounts: Collection[str]) -> StoredState:
    """Returns what belongs to other accounts, or to none."""
    if not accounts:
        return state
    kept = {one.account for one in state.cursors} | {one.account for one in state.alerts}
    kept |= {one.account for one in state.groups} | state.account_states.keys() | state.lost.keys()
    kept |= {account for account, _ in (*state.rule_states, *state.first_evaluations)}
    return of_accounts(state, kept - set(accounts))


def parts_of(state: StoredState, accounts: Iterable[str]) -> Work[dict[str, StoredState]]:
    """Returns what `of_accounts` returns for each of these accounts alone, without what belongs to none, in pieces."""
    alerts = yield from _by_account(state.alerts, lambda one: one.account)
    owners: dict[str, str] = {}
    for one, pauses in paced(state.alerts if state.acks else (), AT_ONCE):
        owners[one.fingerprint] = one.account
        if pauses:
            yield
    groups = yield from _by_account(state.groups, lambda one: one.account)
    cursors = yield from _by_account(state.cursors, lambda one: one.account)
    acks = yield from _by_account(state.acks, lambda one: owners.get(one.fingerprint, ""))
    kept = yield from _by_account(state.rule_states.items(), lambda one: one[0][0])
    first = yield from _by_account(state.first_evaluations.items(), lambda one: one[0][0])
    return {
        name: StoredState(
            cursors=cursors.get(name, []),
            alerts=alerts.get(name, []),
            groups=groups.get(name, []),
            acks=acks.get(name, []),
            account_states={name: state.account_states[name]} if name in state.account_states else {},
            rule_states=dict(kept.get(name, [])),
            first_evaluations=dict(first.get(name, [])),
            lost={one: to for one, to in state.lost.items() if one in (name, "")},
        )
        for name in accounts
    }


def _by_account(items: Iterable[T], owner: Callable[[T], str]) -> Work[dict[str, list[T]]]:
    found: dict[str, list[T]] = {}
    for one, pauses in paced(items, AT_ONCE):
        found.setdefault(owner(one), []).append(one)
        if pauses:
            yield
    return found


def accounts_of(commit: Commit) -> set[str]:
    """Returns the accounts that a commit writes for, as far as its values tell. Its ``relies_on`` has those that they do not tell of."""
    found = {one.account for one in commit.entries} | {one.account for one in commit.cursors}
    found |= {one.account for one in commit.alerts} | {one.account for one in commit.groups}
    found |= {one.account for one in commit.outbox} | {one.account for one in commit.quarantined}
    found |= {account for account, _ in commit.journal} | {account for account, _ in commit.cleaned}
    found |= {account for account, _, _ in commit.dropped_entries} | {
        account for _, _, account in commit.dropped_groups
    }
    found |= {account for account, _ in commit.rule_states} | {account for account, _ in commit.dropped_rule_states}
    found |= {account for account, _ in commit.first_evaluations}
    found |= {account for account, _ in commit.dropped_first_evaluations}
    return (found | set(commit.forgotten) | set(commit.lost) | set(commit.account_states)) - {""}


class Owners:
    """Says whose an alert is: its own account's if the store knows the alert; else the one in its labels, or the first one there is."""

    def __init__(self, alerts: Iterable[Alert], accounts: Sequence[str]) -> None:
        self._known = {alert.fingerprint: alert.account for alert in alerts}
        self._accounts = accounts

    def of_alerts(self, views: Sequence[AlertView]) -> str:
        """Returns whose a notification is, which has at least one alert: its first one's."""
        first = views[0] if views else None
        return self.of("", {}) if first is None else self.of(first.fingerprint, first.labels)

    def of(self, fingerprint: str, labels: Mapping[str, str]) -> str:
        """Returns whose an alert is."""
        named = labels.get("account", "")
        return self._known.get(fingerprint) or (named if named in self._accounts else self._accounts[0])


def split(groups: Iterable[AggregationGroup], owners: Owners) -> GroupChange:
    """Returns the changes that leave no group without an account, and none with alerts of several.

    Each account of the alerts that a group was notified of gets a copy with its alerts, under the key that groups of the account have: a
    daemon that holds several accounts has all of them at once. The first one keeps the episode, and with it the group's thread.

    Where an account has a group of that key already, since the store was in PostgreSQL before, the copy gets a key of its own: both end what they
    have told.
    """
    whole = list(groups)
    parted = [(group, part) for group in whole for part in _parts(group, owners)]
    had = {(part.key, part.receiver, part.account) for group, part in parted if group.key == part.key}
    written, keys = [], {}
    for group, part in parted:
        is_taken = group.key != part.key and (part.key, part.receiver, part.account) in had
        one = _apart(part) if is_taken else part
        keys[group.receiver, group.key, one.account] = one.key
        written.append(one)
    return GroupChange(whole, written, keys)


def _apart(part: AggregationGroup) -> AggregationGroup:
    return msgspec.structs.replace(part, key=f'{part.key}/{{episode="{part.episode}"}}')


def _parts(group: AggregationGroup, owners: Owners) -> list[AggregationGroup]:
    told: dict[str, dict[str, str]] = {}
    for fingerprint, severity in group.told.items():
        told.setdefault(owners.of(fingerprint, group.labels), {})[fingerprint] = severity
    if not told:
        return [of_account(group, owners.of("", group.labels))]
    first = next(iter(told))
    return [
        msgspec.structs.replace(
            of_account(group, account),
            told=own,
            counted=tuple(one for one in group.counted if one in own),
            acked={one: who for one, who in group.acked.items() if one in own},
            episode=group.episode if account == first else _episode(group.episode, account),
        )
        for account, own in told.items()
    ]


def key_in(change: GroupChange, receiver: str, key: str, account: str) -> str:
    """Returns the key by which a notification that waits goes on, so that it is sent before what its group tells after it was split."""
    if (receiver, key, account) in change.keys:
        return change.keys[receiver, key, account]
    whole = next((one for one in change.dropped if (one.receiver, one.key) == (receiver, key)), None)
    return key if whole is None else of_account(whole, account).key


def _episode(episode: str, account: str) -> str:
    """Returns the same for the same group and account, so that splitting a group again does no harm."""
    return hashlib.blake2b(f"{episode}\0{account}".encode(), digest_size=12).hexdigest()


def merged(groups: Iterable[AggregationGroup]) -> GroupChange:
    """Returns the changes that leave no group with an account: groups of one key and receiver become one that was notified of all of it.

    Its episode is that of the group that was notified last. Groups of several accounts have keys of their own, and stay apart: each
    tells the end in its own thread.
    """
    same: dict[tuple[str, str], list[AggregationGroup]] = {}
    for group in groups:
        same.setdefault((group.key, group.receiver), []).append(group)
    parted = [parts for parts in same.values() if any(one.account for one in parts)]
    return GroupChange([one for parts in parted for one in parts], [_one(parts) for parts in parted])


def _one(parts: list[AggregationGroup]) -> AggregationGroup:
    latest = max(parts, key=lambda one: one.told_at or 0)
    begun = [one.first_at for one in parts if one.first_at is not None]
    return msgspec.structs.replace(
        latest,
        account="",
        told={fingerprint: severity for one in parts for fingerprint, severity in one.told.items()},
        acked={fingerprint: who for one in parts for fingerprint, who in one.acked.items()},
        counted=tuple(sorted({fingerprint for one in parts for fingerprint in one.counted})),
        started_at=min(one.started_at for one in parts),
        flush_at=min(one.flush_at for one in parts),
        first_at=min(begun) if begun else None,
    )
