"""The daemons that share the store as JSON has it: in `/healthz`, `GET /api/v1/status` and ``routee-monitor status``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.model.fleet import Fleet, WorkerView
from monitor.runtime.clock import SECOND, Duration, Instant, iso
from monitor.store.leases import BEAT_EVERY, LEASE_DEADLINE, LEASE_TTL

SILENT: Final[Duration] = 3 * BEAT_EVERY
"""How long nothing was heard of a daemon that may be dead, although nobody can take its accounts yet."""


def fleet_json(
    fleet: Fleet, worker: int, accounts: Sequence[str], *, as_of: Instant | None, now: Instant
) -> dict[str, Any]:
    """Returns the workers and the accounts of the configuration with who holds each, since when.

    A worker has the accounts that it holds, which of them no living one has in its configuration any more (``removed``), and those that it could
    not read, or cannot poll, and leaves alone. One that is not alive, or another one that has been silent for `SILENT`, was last heard of at
    ``lastSeen``; one that ended in good order is not among them.
    ``worker`` is the number of the daemon that is asked. The store said all that at ``as_of``; None: it has said nothing yet.
    """
    names = {one.id: one.name for one in fleet.workers}
    configured = {name for one in fleet.living for name in one.wanted}.union(accounts)
    leases = {lease.account: lease for lease in fleet.leases if lease.expires_in > 0 and lease.worker in names}
    return {
        "asOf": None if as_of is None else iso(as_of),
        "age": None if as_of is None else max(now - as_of, 0) / SECOND,
        "workers": [
            {
                "name": one.name,
                "version": one.version,
                "url": one.url or None,
                "since": iso(one.since),
                "isAlive": one.lives,
                "lastSeen": _last_seen(one, worker, as_of),
                "isThis": one.id == worker,
                "accounts": list(fleet.accounts_of(one.id)),
                "removed": [name for name in fleet.accounts_of(one.id) if name not in configured],
                "leavesAlone": list(one.left_alone),
                "leavesAloneWhy": dict(zip(one.left_alone, one.left_why, strict=False)),
            }
            for one in fleet.workers
        ],
        "accounts": [
            {
                "account": name,
                "worker": None if name not in leases else names[leases[name].worker or 0],
                "since": None if name not in leases else iso(leases[name].since or 0),
            }
            for name in dict.fromkeys([*accounts, *leases])
        ],
    }


def _last_seen(one: WorkerView, worker: int, as_of: Instant | None) -> str | None:
    is_heard = one.id == worker or LEASE_TTL - one.expires_in < SILENT
    return None if as_of is None or (one.lives and is_heard) else iso(as_of + one.expires_in - LEASE_TTL)


def is_old(fleet: Mapping[str, Any]) -> bool:
    """Returns whether the JSON is so old that others may have taken accounts meanwhile."""
    age = fleet.get("age", 0.0)  # an earlier version does not say it
    return age is None or age * SECOND >= LEASE_DEADLINE


def held_by(worker: Mapping[str, Any]) -> list[str]:
    """Returns the accounts of a worker in the JSON for people, marked if no daemon has them in its configuration any more."""
    removed = worker.get("removed", ())  # an earlier version does not say it
    return [f"{name} (removed)" if name in removed else name for name in worker["accounts"]]


def left_of(worker: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Returns what a worker in the JSON leaves to others: each reason, empty if it is not known, with its accounts."""
    found: dict[str, list[str]] = {}
    for account in worker.get("leavesAlone", ()):  # an earlier version does not say it, nor why
        found.setdefault(worker.get("leavesAloneWhy", {}).get(account, ""), []).append(account)
    return list(found.items())
