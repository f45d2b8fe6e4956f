"""Says from whom a daemon took an account, and why it could."""

from monitor.model.fleet import Fleet
from monitor.model.format import duration
from monitor.runtime.clock import SECOND
from monitor.store.leases import LEASE_TTL


def taken_from(fleet: Fleet, account: str, worker: int) -> str:
    """Returns the end of a sentence on an account that ``worker`` took, as the fleet was before: `` from host-a:4711, which did not renew …``."""
    lease = fleet.lease(account)
    if lease is None or lease.worker is None:
        return ", which nobody held"
    silent = duration((LEASE_TTL - lease.expires_in) // SECOND * SECOND)
    if lease.worker == worker:
        return f" again, after its lease was not renewed for {silent}"
    name = next((one.name for one in fleet.workers if one.id == lease.worker), "a daemon that is no longer known")
    return f" from {name}, which did not renew its lease for {silent}"
