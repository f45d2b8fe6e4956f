"""The daemons that share one store, and which of them holds which account."""

from collections.abc import Collection

from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One daemon as the store knows it. ``name`` is ``HOST:PROCESS``; ``url`` is where its page is, or empty. It has worked since ``since``.

    ``expires_in`` is how long it still counts as living if nothing is heard of it; zero or less: it is dead. ``wanted`` are the accounts of its
    configuration at its last beat; it has none before its first one. ``left_alone`` are those that others should take
    rather than this one at present, because it could not read them from the store, or cannot poll them; ``left_why`` says of each of them why,
    unless it is of an earlier version.
    """

    id: int
    name: str
    version: str
    url: str
    since: Instant
    expires_in: Duration
    wanted: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    left_why: tuple[str, ...] = ()

    @property
    def takes(self) -> frozenset[str]:
        """Returns the accounts that it would take now."""
        return frozenset(self.wanted).difference(self.left_alone)

    def why(self, account: str) -> str:
        """Returns why it leaves an account to others; empty if it does not, or does not say why."""
        return dict(zip(self.left_alone, self.left_why, strict=False)).get(account, "")

    @property
    def lives(self) -> bool:
        """Returns whether it was heard of lately."""
        return self.expires_in > 0


@dataclass(frozen=True, slots=True)
class LeaseView:
    """Who holds an account, and since when; None: nobody. ``token`` grows by one each time that the account is taken, and begins
    again after the largest number of PostgreSQL.

    ``expires_in`` is how long nobody else can take it; zero or less: anybody can.
    """

    account: str
    token: int
    worker: int | None
    since: Instant | None
    expires_in: Duration = 0


@dataclass(frozen=True, slots=True)
class Fleet:
    """All workers, dead ones of the last hour too, by their ids, and the leases of all accounts by name."""

    workers: tuple[WorkerView, ...] = ()
    leases: tuple[LeaseView, ...] = ()

    @property
    def living(self) -> tuple[WorkerView, ...]:
        """Returns the workers that were heard of lately."""
        return tuple(worker for worker in self.workers if worker.lives)

    @property
    def leading(self) -> str:
        """Returns the account to which what concerns none belongs: the first one of the living worker that came first; empty: no worker has any.

        All workers that read the same rows find the same one, also while their configurations differ.
        """
        configured = {worker.id: worker.wanted for worker in self.living if worker.wanted}
        return configured[min(configured)][0] if configured else ""

    def lease(self, account: str) -> LeaseView | None:
        """Returns an account's lease; None if the store does not know the account yet."""
        return next((lease for lease in self.leases if lease.account == account), None)

    def holder_of(self, account: str) -> WorkerView | None:
        """Returns the worker whose lease of an account has not lapsed; None if there is none."""
        lease = self.lease(account)
        if lease is None or lease.worker is None or lease.expires_in <= 0:
            return None
        return next((worker for worker in self.workers if worker.id == lease.worker), None)

    def accounts_of(self, worker: int) -> tuple[str, ...]:
        """Returns the accounts that a worker holds, by name."""
        return tuple(one.account for one in self.leases if one.worker == worker and one.expires_in > 0)

    def free(self, accounts: Collection[str]) -> tuple[str, ...]:
        """Returns those of some accounts that anybody can take, in the order in which they are given."""
        known = {lease.account: lease for lease in self.leases}
        return tuple(
            one for one in accounts if one in known and (known[one].worker is None or known[one].expires_in <= 0)
        )


@dataclass(frozen=True, slots=True)
class FleetView:
    """What a worker's beat tells: the fleet, and the store's clock (``now``).

    ``edits`` grows with each commit by which people change what all workers act by: silences, acknowledgements, dead letters to send again.
    ``callbacks_wait``: other workers have forwarded callbacks of accounts that this one holds.
    """

    fleet: Fleet
    now: Instant
    edits: int
    callbacks_wait: bool
