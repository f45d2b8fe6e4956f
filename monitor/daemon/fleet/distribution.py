"""How the accounts of a fleet are spread over its workers, as each worker computes it by itself from the same rows.

The configurations of the workers may differ, while they are changed one after the other: only a worker that has an account in its own can hold it.
Nor can one that leaves it alone because it could not read it, or cannot poll it.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from monitor.model.fleet import Fleet
from monitor.runtime.dataclass import dataclass

Wanters = frozenset[int]
"""The workers that would take an account."""


@dataclass(frozen=True, slots=True)
class OwnMoves:
    """What one worker has to do: which free accounts to take, and which ones to give away in the end, the last ones of its configuration first."""

    take: tuple[str, ...]
    give: tuple[str, ...]


def own_moves(
    fleet: Fleet, worker: int, held: Collection[str], wanted: Sequence[str], unread: Collection[str] = ()
) -> OwnMoves:
    """Returns the moves of the worker, which holds ``held`` and would take ``wanted``, those of its configuration that it does not leave alone.

    A free account goes to who has the fewest. A held one moves to another worker that wants it and has at least two accounts less, so nothing
    moves between workers whose numbers differ by one, and nothing is given away that nobody would take. What is in ``unread``, because this
    worker could not read it when last tried, is no part of its number, so that no other account moves while it is tried again.
    """
    wants = {one.id: one.takes for one in fleet.living} | {worker: frozenset(wanted)}
    wanters = {
        lease.account: frozenset(one for one, accounts in wants.items() if lease.account in accounts)
        for lease in fleet.leases
    }
    holder = {
        lease.account: lease.worker
        for lease in fleet.leases
        if lease.worker is not None and lease.worker in wants and lease.worker != worker and lease.expires_in > 0
    } | dict.fromkeys((one for one in held if one not in unread), worker)
    counts = Counter(one for account, one in holder.items() if wanters.get(account))
    take = set[str]()
    for account in sorted(fleet.free(list(wanters)), key=lambda one: (len(wanters[one]), one)):
        if account in holder or account in held or not wanters[account]:
            continue
        taker = min(wanters[account], key=lambda one: (counts[one], one))
        if account not in unread:
            counts[taker] += 1
        if taker == worker:
            take.add(account)
    alike = Counter((one, wanters[account]) for account, one in holder.items() if one in wanters.get(account, ()))
    given = _given(alike, counts, worker)
    give = []
    for account in reversed(wanted):
        if account in held and given[wanters.get(account, frozenset())] > 0:
            given[wanters[account]] -= 1
            give.append(account)
    return OwnMoves(tuple(one for one in wanted if one in take), tuple(give))


def _given(alike: Counter[tuple[int, Wanters]], counts: Counter[int], worker: int) -> Counter[Wanters]:
    """Returns how many accounts the worker gives away, by who wants them. ``alike`` counts accounts by holder and who wants them.

    Of workers that hold equally many the one that came last gives first, so that they do not all give.
    """
    given = Counter[Wanters]()
    while True:
        moves = [
            (counts[holder] - counts[to], holder, sorted(wanters), to)
            for (holder, wanters), number in alike.items()
            if number
            for to in [min(wanters, key=lambda one: (counts[one], one))]
        ]
        gain, holder, wanters, to = max(moves, default=(0, 0, [], 0))
        if gain < 2:
            return given
        alike[holder, frozenset(wanters)] -= 1
        counts[holder] -= 1
        counts[to] += 1
        if holder == worker:
            given[frozenset(wanters)] += 1
