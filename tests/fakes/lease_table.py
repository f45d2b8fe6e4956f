"""A model of the table of leases: what `monitor.store.leases` promises, in a few lines and without a database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.model.fleet import Fleet, FleetView, LeaseView, WorkerView
from monitor.runtime.clock import SECOND
from monitor.store.leases import LEASE_TTL, NONE_LEFT

TTL = LEASE_TTL / SECOND


@dataclass
class Lease:
    token: int = 0
    worker: int | None = None
    expires: float = 0.0


@dataclass
class LeaseTable:
    """The server's side. Times are the server's seconds. Each method is one transaction."""

    leases: dict[str, Lease] = field(default_factory=dict)
    workers: dict[int, float] = field(default_factory=dict)
    wanted: dict[int, tuple[str, ...]] = field(default_factory=dict)
    left_alone: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def beat(
        self,
        worker: int,
        wanted: Sequence[str],
        held: Mapping[str, int],
        now: float,
        orphans: Sequence[str] = (),
        left_alone: Collection[str] = (),
    ) -> Fleet:
        self.workers[worker], self.wanted[worker] = now + TTL, tuple(wanted)
        self.left_alone[worker] = tuple(left_alone)
        for account in (*wanted, *orphans):
            self.leases.setdefault(account, Lease())
        for account, token in held.items():
            lease = self.leases.get(account)
            if lease is not None and (lease.worker, lease.token) == (worker, token):
                lease.expires = now + TTL
        return self.fleet(now)

    def fleet(self, now: float) -> Fleet:
        workers = [
            WorkerView(one, f"w:{one}", "1", "", 0, int((until - now) * SECOND), self.wanted[one], self.left_alone[one])
            for one, until in self.workers.items()
        ]
        leases = [
            LeaseView(name, one.token, one.worker, 0, int((one.expires - now) * SECOND))
            for name, one in self.leases.items()
        ]
        return Fleet(tuple(workers), tuple(leases))

    def take(self, worker: int, wanted: Sequence[str], now: float) -> dict[str, int]:
        free = [one for one in wanted if self._holder(self.leases[one], now) is None]
        for account in free:
            lease = self.leases[account]
            lease.token, lease.worker, lease.expires = lease.token + 1, worker, now + TTL
        return {account: self.leases[account].token for account in free}

    def release(self, worker: int, account: str, token: int) -> None:
        lease = self.leases[account]
        if (lease.worker, lease.token) == (worker, token):
            lease.worker = None

    def leave(self, worker: int) -> None:
        self.workers.pop(worker, None)
        for lease in self.leases.values():
            if lease.worker == worker:
                lease.worker = None

    @staticmethod
    def _holder(lease: Lease, now: float) -> int | None:
        return lease.worker if lease.expires > now else None


class TableLeases:
    """One worker's `monitor.store.leases.LeaseStore` over a table. ``clock`` says the server's seconds."""

    def __init__(self, table: LeaseTable, worker: int, clock: Callable[[], float]) -> None:
        self.worker, self.name, self._table, self._clock = worker, f"w:{worker}", table, clock

    def beat(
        self,
        wanted: Sequence[str],
        held: Mapping[str, int],
        orphans: Sequence[str] = (),
        left_alone: Mapping[str, str] = NONE_LEFT,
    ) -> FleetView:
        now = self._clock()
        fleet = self._table.beat(self.worker, wanted, held, now, orphans, left_alone)
        return FleetView(fleet, int(now * SECOND), 0, callbacks_wait=False)

    def take(self, wanted: Sequence[str]) -> dict[str, int]:
        return self._table.take(self.worker, wanted, self._clock())

    def release(self, account: str, token: int) -> None:
        self._table.release(self.worker, account, token)

    def leave(self) -> None:
        self._table.leave(self.worker)

    def close(self) -> None:
        pass
