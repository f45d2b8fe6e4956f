"""Whose a group of alerts is: groups are split where each daemon has only some accounts, and become one again where one has all. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import msgspec

from monitor.routing.route import AggregationGroup
from monitor.store.protocol import StoredState


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Groups to delete, and groups to write afterwards."""

    dropped: list[AggregationGroup]
    written: list[AggregationGroup]


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
    )


def merged(groups: Iterable[AggregationGroup]) -> GroupChange:
    """Returns the changes that leave no group with an account: groups of one key and receiver become one that was notified of all of it.

    Its episode is that of the group that was notified last.
    """
    same: dict[tuple[str, str], list[AggregationGroup]] = {}
    for group in groups:
        same.setdefault((group.key, group.receiver), []).append(group)
    parted = [parts for parts in same.values() if any(one.account for one in parts)]
    return GroupChange([one for parts in parted for one in parts], [_one(parts) for parts in parted])


def _one(parts: list[AggregationGroup]) -> AggregationGroup:
    latest = max(parts, key=lambda one: (one.told_at or 0, one.episode))
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
