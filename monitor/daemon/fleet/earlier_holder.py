"""Says from whom a daemon took an account, and why it could, and who has what it gave away."""

from dataclasses import field

from monitor.model.fleet import Fleet
from monitor.model.format import duration
from monitor.runtime.clock import SECOND
from monitor.runtime.dataclass import dataclass
from monitor.store.leases import LEASE_TTL


def has_lapsed(fleet: Fleet, account: str, worker: int) -> bool:
    """Returns whether an account that ``worker`` took was another one's, which did not renew its lease: it died, or cannot reach the store."""
    lease = fleet.lease(account)
    return lease is not None and lease.worker not in (None, worker)


def taken_from(fleet: Fleet, account: str, worker: int, giver: str = "") -> str:
    """Returns the end of a sentence on an account that ``worker`` took, as the fleet was before: `` from host-a:4711, which did not renew …``.

    ``giver`` is who held it last as far as this worker heard.
    """
    lease = fleet.lease(account)
    if lease is None or lease.worker is None:
        return f" from {giver}, which gave it away" if giver else ", which nobody held"
    silent = duration((LEASE_TTL - lease.expires_in) // SECOND * SECOND)
    if lease.worker == worker:
        return f" again, after its lease was not renewed for {silent}"
    name = next((one.name for one in fleet.workers if one.id == lease.worker), "")
    name = name or giver or "a daemon that is no longer known"
    return f" from {name}, which did not renew its lease for {silent}"


@dataclass(slots=True)
class Holders:
    """Remembers who held each account last, by the answers to the beats, and what this worker (``own``) gave away."""

    own: int
    _last: dict[str, str] = field(default_factory=dict)
    _given: set[str] = field(default_factory=set)

    def last(self, account: str) -> str:
        """Returns the name of the worker that held the account last; empty if it is not known, or this one."""
        return self._last.get(account, "")

    def gave(self, account: str) -> None:
        """Notes that this worker gave an account away."""
        self._given.add(account)

    def follow(self, fleet: Fleet) -> dict[str, str]:
        """Takes the answer to a beat. Returns who has taken what this worker gave away."""
        holders = {one.account: fleet.holder_of(one.account) for one in fleet.leases}
        for account, holder in holders.items():
            if holder is not None:
                self._last[account] = "" if holder.id == self.own else holder.name
        found = {account: self._last[account] for account in self._given if holders.get(account) is not None}
        self._given -= found.keys()
        return {account: name for account, name in found.items() if name}
