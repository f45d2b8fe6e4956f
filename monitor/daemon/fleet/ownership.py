"""Decides which accounts this worker holds, for how long it may act for them, and which ones it takes or gives away.

Pure: the answers of the lease table and the times of a monotonic clock are passed in, in seconds. The table gives a lease away at the
earliest `LEASE_TTL` after the beat that renewed it. A worker that counts from the *start* of its last successful beat, and stops after `TRUSTED`,
has therefore stopped before anybody else can begin, however long the beat or its answer was under way.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from monitor.model.fleet import Fleet
from monitor.runtime.clock import SECOND
from monitor.store.leases import BEAT_EVERY, LEASE_DEADLINE

PAUSE: Final = BEAT_EVERY / SECOND
"""Seconds between the beginnings of two beats."""
HURRIED: Final = 0.25
"""The same while some account is held by nobody."""
TRUSTED: Final = LEASE_DEADLINE / SECOND
"""Seconds for which a successful beat lets this worker act, counted from the beat's start."""


@dataclass(frozen=True, slots=True)
class OwnershipChange:
    """What follows from a successful beat.

    ``dropped`` are held accounts whose lease somebody else has. ``resumed`` says that this worker may act again for what it still holds.
    ``released`` are accounts to give away. ``take`` is how many more accounts to take. ``next_in`` are the seconds from the beginning of the beat
    to that of the next one.
    """

    dropped: tuple[str, ...] = ()
    resumed: bool = False
    released: tuple[str, ...] = ()
    take: int = 0
    next_in: float = PAUSE


class Ownership:
    """The accounts that one worker holds, with the fencing token of each."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.tokens: dict[str, int] = {}
        self.deadline = -inf
        self.is_suspended = True
        self._leaving: set[str] = set()

    def may_act(self, account: str, now: float) -> bool:
        """Returns whether this worker may commit and notify for the account."""
        return account in self.tokens and not self.is_suspended and now < self.deadline

    def beaten(
        self, began: float, now: float, fleet: Fleet, wanted: Sequence[str], orphans: Collection[str] = ()
    ) -> OwnershipChange:
        """Takes the answer to a beat that was sent at ``began``; ``wanted`` are the accounts that may be taken, in their order.

        ``orphans`` may be taken too, but are not given away: they are no longer configured, and others may not know of them.
        """
        held = {lease.account: lease.token for lease in fleet.leases if lease.worker == self.worker}
        dropped = tuple(account for account, token in self.tokens.items() if held.get(account) != token)
        self.forget(dropped)
        self.deadline = max(self.deadline, began + TRUSTED)
        if now >= self.deadline:
            return OwnershipChange(dropped)
        resumed, self.is_suspended = self.is_suspended, False
        excess = len(self.tokens) - share(fleet, self.worker, len(self.tokens), {*wanted, *orphans})
        released = () if self._leaving or excess <= 0 else self._to_release(excess, wanted)
        self._leaving.update(released)
        return OwnershipChange(dropped, resumed, released, max(-excess, 0), HURRIED if fleet.free(wanted) else PAUSE)

    def expired(self, now: float) -> bool:
        """Returns whether this worker has to stop acting now because no beat has succeeded for too long; True once each time."""
        if self.is_suspended or now < self.deadline:
            return False
        self.is_suspended = True
        return True

    def took(self, tokens: Mapping[str, int]) -> None:
        """Adds leases that were taken after the last successful beat."""
        self.tokens.update(tokens)

    def forget(self, accounts: Iterable[str]) -> None:
        """Removes accounts that were released, or whose lease somebody else has."""
        for account in accounts:
            self.tokens.pop(account, None)
            self._leaving.discard(account)

    def _to_release(self, excess: int, wanted: Sequence[str]) -> tuple[str, ...]:
        """Returns the next accounts to give away: a tenth of what is too much, so that few are between two workers at a time."""
        order = {account: place for place, account in enumerate(wanted)}
        last_first = sorted(order.keys() & self.tokens, key=order.__getitem__, reverse=True)
        return tuple(last_first[: -(-excess // 10)])


def share(fleet: Fleet, worker: int, holds: int, wanted: Collection[str]) -> int:
    """Returns how many accounts the worker, which ``holds`` so many, should hold.

    Everybody gets the same number, and those that hold most anyway get what is left over, one each. So the numbers differ by one at most,
    and nothing moves between workers whose number does not change.
    """
    living = {one.id for one in fleet.living} | {worker}
    taken = [lease for lease in fleet.leases if lease.worker in living and lease.expires_in > 0]
    holding = Counter(lease.worker for lease in taken)
    holding[worker] = holds
    each, left = divmod(len({*wanted, *(lease.account for lease in taken)}), len(living))
    ranked = sorted(living, key=lambda one: (-holding[one], one))
    return each + (ranked.index(worker) < left)
