"""What a PostgreSQL server spends on some work: bytes on its disk and in its log, commits, and time of its processors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.postgresql import PostgresqlServer

_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Spent:
    """``size`` and ``wal`` in bytes, ``seconds`` of processor time."""

    size: float = 0
    wal: float = 0
    seconds: float = 0

    def per(self, count: int) -> "Spent":
        """Returns the share of one of ``count``."""
        return Spent(self.size / count, self.wal / count, self.seconds / count)


@contextmanager
def spending(server: PostgresqlServer, address: PostgresqlAddress) -> Iterator[Spent]:
    """Yields what is filled in at the end of the block."""
    before, spent = _counted(server, address), Spent()
    yield spent
    after = _counted(server, address)
    spent.size, spent.wal, spent.seconds = (late - early for early, late in zip(before, after, strict=True))


def _counted(server: PostgresqlServer, address: PostgresqlAddress) -> tuple[float, float, float]:
    [(size, wal)] = server.administer(
        "CHECKPOINT",
        f"SELECT pg_database_size('{address.database}'), pg_current_wal_insert_lsn() - '0/0'::pg_lsn",
    )
    return float(size), float(wal), _seconds(server.process_id)


def _seconds(postmaster: int) -> float:
    """Returns the processor time of the server's processes, of those that have ended too."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            process, values = int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended, and its parent counts it
        if process == postmaster:
            ticks += sum(map(int, values[11:15]))  # its own, and those of children that it has waited for
        elif int(values[1]) == postmaster:
            ticks += sum(map(int, values[11:13]))
    return ticks / _TICK
