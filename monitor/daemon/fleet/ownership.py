"""Decides which accounts this worker holds, for how long it may act for them, and which ones it takes or gives away.

Pure: the answers of the lease table and the times of a clock are passed in, in seconds; the clock goes on while the machine is suspended. The
table gives a lease away at the earliest `LEASE_TTL` after the beat that renewed it. A worker that counts from the *start* of its last successful
beat, and stops after `TRUSTED`, has therefore stopped before anybody else can begin, however long the beat or its answer was under way.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Final

from monitor.daemon.fleet.distribution import own_moves
from monitor.model.fleet import Fleet
from monitor.runtime.clock import SECOND
from monitor.runtime.dataclass import dataclass
from monitor.store.leases import BEAT_EVERY, LEASE_DEADLINE

PAUSE: Final = BEAT_EVERY / SECOND
"""Seconds between the beginnings of two beats."""
HURRIED: Final = 0.25
"""The same while some account is held by nobody."""
TRUSTED: Final = LEASE_DEADLINE / SECOND
"""Seconds for which a successful beat lets this worker act, counted from the beat's start."""
OVERDUE: Final = 3.0
"""Seconds after which a free account is taken by anybody who wants it: the one whose turn it is does not come."""
CHANGEOVER: Final = 60.0
"""Seconds that the configurations of the workers may differ before anything follows: what nobody has any more is an orphan, and what only
others have is left to them."""


@dataclass(frozen=True, slots=True)
class OwnershipChange:
    """What follows from a successful beat.

    ``dropped`` are held accounts whose lease somebody else has. ``resumed`` says that this worker may act again for what it still holds.
    ``released`` are accounts to give away, ``take`` those to take. ``next_in`` are the seconds from the beginning of the beat
    to that of the next one.
    """

    dropped: tuple[str, ...] = ()
    resumed: bool = False
    released: tuple[str, ...] = ()
    take: tuple[str, ...] = ()
    next_in: float = PAUSE


class Ownership:
    """The accounts that one worker holds, with the fencing token of each."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.tokens: dict[str, int] = {}
        self.deadline = -inf
        self.is_suspended = True
        self._leaving: set[str] = set()
        self._removed: set[str] = set()
        """Held accounts that no worker had in its configuration any more, and this one still has not."""
        self._free, self._unwanted, self._foreign, self._spent = Lasting(), Lasting(), Lasting(), Lasting()

    def beaten(
        self,
        began: float,
        now: float,
        fleet: Fleet,
        wanted: Sequence[str],
        orphans: Collection[str] = (),
        left_alone: Collection[str] = (),
        unread: Collection[str] = (),
    ) -> OwnershipChange:
        """Takes the answer to a beat that was sent at ``began``; ``wanted`` are the accounts of the configuration, in their order.

        ``orphans`` are not configured here, but have alerts that somebody has to end. They are taken once no worker, not even one that died
        within the last hour, has had them in its configuration for `CHANGEOVER`: until then one that has may only be restarting. What is held,
        and no worker has any more, is released once it has been no orphan for as long.
        What is in ``left_alone`` is not taken, and counts as configured all the same. If it is held, it is given to others that would take it.
        What is in ``unread`` could not be read when last tried. While it is tried again, it counts for nothing: no other account moves for it.
        """
        held = {lease.account: lease.token for lease in fleet.leases if lease.worker == self.worker}
        dropped = tuple(account for account, token in self.tokens.items() if held.get(account) != token)
        self.forget(dropped)
        self.deadline = max(self.deadline, began + TRUSTED)
        if now >= self.deadline:
            return OwnershipChange(dropped)
        resumed, self.is_suspended = self.is_suspended, False
        willing = [one for one in wanted if one not in left_alone]
        moves = own_moves(fleet, self.worker, self.tokens, willing, unread)
        take = dict.fromkeys([*moves.take, *self._left_over(now, fleet, wanted, orphans)])
        taken = tuple(one for one in take if one not in left_alone)
        due = (
            *self._to_release(now, fleet, wanted, willing, moves.give),
            *self._done_with(now, fleet, wanted, orphans),
        )
        released = () if self._leaving else due
        self._leaving.update(released)
        return OwnershipChange(dropped, resumed, released, taken, HURRIED if fleet.free(willing) else PAUSE)

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

    def _left_over(self, now: float, fleet: Fleet, wanted: Sequence[str], orphans: Collection[str]) -> tuple[str, ...]:
        """Returns free accounts that nobody takes although somebody should have, and those that no worker has in its configuration any more."""
        known = _known(fleet, wanted)
        overdue = self._free.for_at_least(OVERDUE, fleet.free(wanted), now)
        abandoned = self._unwanted.for_at_least(CHANGEOVER, [one for one in orphans if one not in known], now)
        return (*overdue, *fleet.free(abandoned))

    def _to_release(
        self, now: float, fleet: Fleet, wanted: Sequence[str], willing: Sequence[str], give: Sequence[str]
    ) -> tuple[str, ...]:
        """Returns the next accounts to give away: a tenth of what is too much, so that few are between two workers at a time.

        What is not configured here, or left alone, goes to others that want it: to those who have it again at once, to those who still have it in
        a while. ``willing`` are those of ``wanted`` that are not left alone.
        """
        others = {account for one in fleet.living if one.id != self.worker for account in one.takes}
        unconfigured = set(self.tokens).difference(wanted)
        self._removed = {one for one in unconfigured if one in self._removed or one not in others}
        foreign = [one for one in self.tokens if one in others.difference(willing)]
        due = self._foreign.for_at_least(CHANGEOVER, foreign, now)
        again = [one for one in foreign if one in self._removed]
        rest = [one for one in due if one not in self._removed]
        return (*give[: -(-len(give) // 10)], *again, *rest[: -(-len(rest) // 10)])

    def _done_with(self, now: float, fleet: Fleet, wanted: Sequence[str], orphans: Collection[str]) -> tuple[str, ...]:
        """Returns the next held accounts that no worker has any more, and for which nothing is left to do: a tenth of them, as above."""
        known = _known(fleet, wanted).union(orphans)
        spent = self._spent.for_at_least(CHANGEOVER, [one for one in self.tokens if one not in known], now)
        return spent[: -(-len(spent) // 10)]


def _known(fleet: Fleet, wanted: Sequence[str]) -> set[str]:
    """Returns the accounts that any worker has in its configuration, also one that died within the last hour."""
    return {account for one in fleet.workers for account in one.wanted}.union(wanted)


class Lasting:
    """Since when something has been so, of each account."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def for_at_least(self, seconds: float, accounts: Iterable[str], now: float) -> tuple[str, ...]:
        """Returns those of which it has been so for long enough; ``accounts`` are those of which it is so now."""
        self._since = {account: self._since.get(account, now) for account in accounts}
        return tuple(account for account, since in self._since.items() if now - since >= seconds)
