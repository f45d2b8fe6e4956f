"""The daemons that share the store as JSON has it: in `/healthz`, `GET /api/v1/status` and ``routee-monitor status``."""

from collections.abc import Sequence
from typing import Any

from monitor.model.fleet import Fleet
from monitor.runtime.clock import iso


def fleet_json(fleet: Fleet, worker: int, accounts: Sequence[str]) -> dict[str, Any]:
    """Returns the workers and the accounts of the configuration with who holds each, since when.

    A worker has the accounts that it holds, and those that it could not read and leaves alone.
    ``worker`` is the number of the daemon that is asked.
    """
    names = {one.id: one.name for one in fleet.workers}
    leases = {lease.account: lease for lease in fleet.leases if lease.expires_in > 0 and lease.worker in names}
    return {
        "workers": [
            {
                "name": one.name,
                "version": one.version,
                "url": one.url or None,
                "since": iso(one.since),
                "isAlive": one.lives,
                "isThis": one.id == worker,
                "accounts": list(fleet.accounts_of(one.id)),
                "cannotRead": list(one.left_alone),
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
