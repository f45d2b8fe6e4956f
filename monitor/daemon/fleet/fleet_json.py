"""The daemons that share the store as JSON has it: in `/healthz`, `GET /api/v1/status` and ``routee-monitor status``."""

from collections.abc import Sequence
from typing import Any

from monitor.model.fleet import Fleet
from monitor.runtime.clock import Instant, iso
from monitor.store.leases import LEASE_TTL


def fleet_json(fleet: Fleet, worker: int, accounts: Sequence[str], now: Instant) -> dict[str, Any]:
    """Returns the workers with the accounts that they hold, and the accounts of the configuration with who holds each, since when.

    ``worker`` is the number of the daemon that is asked. ``now`` is when the fleet was so; a daemon that is not alive was last heard of at
    ``lastSeen``. One that ended in good order is not among them.
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
                "lastSeen": None if one.lives else iso(now + one.expires_in - LEASE_TTL),
                "isThis": one.id == worker,
                "accounts": list(fleet.accounts_of(one.id)),
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
