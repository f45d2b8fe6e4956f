"""What some accounts need of machines and of PostgreSQL: the formula and the tables of docs/scale.md, "What you need".

``python -m benchmarks.fleet.needs`` prints both from docs/images/fleet.json.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.fleet.costs import Costs
from benchmarks.fleet.day import STARTED, STORED
from benchmarks.fleet.fleet import KEPT, Outcome, work_busiest
from benchmarks.fleet.simulation import TTL, Fleet
from benchmarks.fleet.tables import duration, rounded
from monitor.model.routee_query import LOOK_BACK, PAGE_SIZE
from monitor.runtime.clock import DAY, SECOND

MILLION: Final = 1_000_000
CUSTOMERS: Final = ((1, MILLION), (5, 3 * MILLION), (20, MILLION))
"""Accounts, and the messages a day of each."""
MACHINES: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Customer:
    """Accounts that are alike, on machines with one daemon each that together have to go on without one of them."""

    costs: Costs
    accounts: int
    messages_a_day: int
    machines: int
    kept: int

    @property
    def held(self) -> int:
        """The accounts that a machine has to be able to hold: its share once another machine is gone, or all of them if it is alone."""
        return self._share(max(self.machines - 1, 1))

    @property
    def memory(self) -> float:
        """Returns the bytes of memory of each machine's daemon while it holds so many."""
        return STARTED + self.held * self._window * self.costs.memory_bytes

    @property
    def cores(self) -> float:
        """Returns the cores that so many accounts keep busy in the busiest hour."""
        return work_busiest(self.costs, self._fleet(self.held))

    @property
    def requests(self) -> float:
        """Returns the requests a second of one account in the busiest hour."""
        return self.messages_a_day * self.costs.peak * self.costs.requests * SECOND / DAY

    @property
    def first_read(self) -> float:
        """Returns the seconds that the first start takes to read the past, at the limit of requests, with full pages and no machine missing."""
        past = self.messages_a_day * LOOK_BACK / DAY
        asking = past / PAGE_SIZE / Fleet(1).rate
        return max(asking, self._share(self.machines) * past * self.costs.new_seconds)

    @property
    def taken_over(self) -> float:
        """Returns the seconds from a machine's death until all its accounts have been read by the others; of one alone, after its restart."""
        lost = self._share(self.machines)
        if self.machines == 1:
            return self._reading(lost)
        return TTL / SECOND + self._reading(-(-lost // (self.machines - 1)))

    @property
    def database(self) -> float:
        """Returns the bytes on PostgreSQL's disk, twice what is held: old entries of the journal wait to be written anew."""
        return 2 * self.accounts * self._window * self.costs.database_bytes

    @property
    def log(self) -> float:
        """Returns the bytes of write-ahead log of a day, with a renewal each second of each account and each machine's row."""
        rows = self.accounts * self.messages_a_day * self.costs.written * self.costs.wal_bytes
        return rows + (self.accounts + self.machines) * self.costs.renewal_wal_bytes * DAY / SECOND

    @property
    def _window(self) -> int:
        return self._fleet(1).held_messages

    def _fleet(self, accounts: int) -> Fleet:
        return Fleet(1, accounts=accounts, messages_a_day=self.messages_a_day, kept=self.kept)

    def _share(self, machines: int) -> int:
        return -(-self.accounts // machines)

    def _reading(self, accounts: int) -> float:
        return accounts * self._window * self.costs.restore_seconds


def formula_lines(costs: Costs) -> Iterator[str]:
    """Yields what each thing comes to, for anybody's numbers."""
    reading = costs.reading(MILLION * costs.peak) * SECOND / DAY
    large, larger = (costs.evaluation(count * MILLION) * SECOND / Fleet(1).every for count in (3, 10))
    steep = (larger - large) / 7
    asks = Customer(costs, 1, MILLION, 1, KEPT[0]).requests
    yield f"| memory of a machine | {rounded(STARTED / 1e6)} MB + {costs.memory_bytes:.0f} bytes × W |"
    yield (
        f"| of a core, busiest hour | {rounded(100 * reading)}% for each million of M, and for each account {rounded(100 * (large - 3 * steep))}% "
        f"and {rounded(100 * steep)}% for each million of its W |"
    )
    yield f"| disk with SQLite | {STORED} bytes × W of all accounts, and as much again |"
    yield f"| disk of PostgreSQL | {rounded(costs.database_bytes)} bytes × W of all accounts, and as much again |"
    yield (
        f"| its write-ahead log, a day | {costs.written * costs.wal_bytes:.0f} bytes × M of all accounts, "
        f"and {rounded(costs.renewal_wal_bytes * DAY / SECOND / 1e6)} MB for each account and machine |"
    )
    yield f"| requests a second of an account, busiest hour | {rounded(asks)} for each million of its M |"
    yield f"| the first read of 7 days | {duration(7 * MILLION / PAGE_SIZE / Fleet(1).rate)} for each million of an account's M |"
    again = rounded(costs.restore_seconds * 1e6)
    yield f"| take-over | {TTL // SECOND} s, and {again} s for each million of W that is read; a restart is as long without the {TTL // SECOND} s |"


def machine_lines(costs: Costs) -> Iterator[str]:
    """Yields what each machine needs: a row for each customer on each number of machines."""
    for accounts, messages in CUSTOMERS:
        for machines in MACHINES:
            both = [Customer(costs, accounts, messages, machines, kept) for kept in KEPT]
            cells = [
                f"{accounts} × {messages // MILLION} million",
                str(machines),
                str(both[0].held),
                *(_size(each.memory) for each in both),
                *(f"{rounded(100 * each.cores)}%" for each in both),
                *(duration(each.taken_over) for each in both),
            ]
            yield f"| {' | '.join(cells)} |"


def shared_lines(costs: Costs) -> Iterator[str]:
    """Yields what does not depend on the number of machines, or is said of one: a row for each customer."""
    for accounts, messages in CUSTOMERS:
        few, many = (Customer(costs, accounts, messages, 1, kept) for kept in KEPT)
        cells = [
            f"{accounts} × {messages // MILLION} million",
            *(_size(each.database) for each in (few, many)),
            _size(few.log),
            rounded(few.requests),
            duration(few.first_read),
        ]
        yield f"| {' | '.join(cells)} |"


def lines(costs: Costs) -> Iterator[str]:
    """Yields all of them."""
    yield from formula_lines(costs)
    yield from machine_lines(costs)
    yield from shared_lines(costs)


def _size(count: float) -> str:
    return f"{rounded(count / 1e9)} GB" if count >= 1e9 else f"{rounded(count / 1e6)} MB"


if __name__ == "__main__":
    found = msgspec.json.decode(Path("docs/images/fleet.json").read_bytes(), type=Outcome)
    print(*lines(found.costs), sep="\n")
