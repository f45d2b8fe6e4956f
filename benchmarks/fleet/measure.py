"""Measures on this machine what `Costs` names, with a real PostgreSQL, TLS and gzip."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial

import numpy as np
import trio

from benchmarks.fleet.costs import HOURS, Costs, EvaluationCost
from benchmarks.fleet.database import Spent, spending
from benchmarks.fleet.polling import polled
from benchmarks.floors.ingesting import each_page
from benchmarks.ingest.page_to_store import page_ingestion
from benchmarks.messages import MILLION, bodies, count
from benchmarks.routee_process import client, served
from benchmarks.window.memory import restored_apart
from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import DAY, HOUR, SystemClock, parse_iso
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.campaigns import BLOCK
from tests.fakes.postgresql import PostgresqlServer, programs, running_server

A_MONDAY = parse_iso("2026-11-16T00:00:00Z")
SIZES = (MILLION, 3 * MILLION, 10 * MILLION)
RENEWALS = 5_000
RULED = 17
"""Bytes of a message that the evaluation of the shipped rules adds to what was restored (`memory` in docs/performance.md)."""
LEASES = 10
"""So many a worker holds while the renewals are measured."""


def measured(quick: bool) -> Costs:
    """Measures everything; ``quick`` with a tenth of the messages. Raises RuntimeError where there is no PostgreSQL."""
    if programs() is None:
        raise RuntimeError("PostgreSQL is not installed (apt install postgresql)")
    messages = count(quick)
    with running_server() as server:
        address = server.database()
        new, again, stored = _read(server, address, messages)
        memory, restoring = restored_apart(address)
        renewed = _renewed(server, address)
    plain, packed = _bytes()
    return Costs(
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        again_seconds=again,
        new_seconds=new,
        restore_seconds=restoring / messages,
        evaluations=[_evaluation(size * messages // MILLION) for size in SIZES],
        memory_bytes=memory / messages + RULED,
        plain_bytes=plain,
        gzip_bytes=packed,
        database_bytes=stored.size,
        wal_bytes=stored.wal,
        database_seconds=stored.seconds,
        renewal_wal_bytes=renewed.wal,
        renewal_seconds=renewed.seconds,
        day=_day(),
        **polled(3 * messages // 10, 6 * HOUR),
    )


def _read(server: PostgresqlServer, address: PostgresqlAddress, messages: int) -> tuple[float, float, Spent]:
    """Returns the seconds of a new message and of a known one, read into the database, and what PostgreSQL spent for each."""
    with served(messages, encrypted=True) as url:
        return trio.run(partial(_pages, server, address, url, messages))


async def _pages(
    server: PostgresqlServer, address: PostgresqlAddress, url: str, messages: int
) -> tuple[float, float, Spent]:
    async with client(url) as routee, page_ingestion(address) as here:
        with spending(server, address) as spent:
            new = await each_page(routee, here.take, messages, here.complete)
        again = await each_page(routee, here.take, messages, here.complete)
    return new / PAGE_SIZE, again / PAGE_SIZE, spent.per(messages)


def _renewed(server: PostgresqlServer, address: PostgresqlAddress) -> Spent:
    """Returns what PostgreSQL spends for a lease that is renewed: a worker's beat updates the rows of its leases in one transaction."""
    server.administer(
        "CREATE TABLE lease (account text PRIMARY KEY, token bigint, worker bigint, since timestamptz, expires_at timestamptz)",
        f"INSERT INTO lease SELECT 'account-' || n, 1, 1, now(), now() FROM generate_series(1, {LEASES}) n",
        database=address.database,
    )
    renew = "UPDATE lease SET expires_at = clock_timestamp() + interval '6 s' WHERE worker = 1 AND token = 1"
    with spending(server, address) as spent:
        server.administer(*[renew] * (RENEWALS // LEASES), database=address.database)
    return spent.per(RENEWALS)


def _evaluation(messages: int) -> EvaluationCost:
    """Measures in a process of its own, whose memory is free again afterwards."""
    command = [sys.executable, "-m", "benchmarks.fleet.evaluating", str(messages)]
    return EvaluationCost(messages, float(subprocess.check_output(command)))


def _bytes() -> tuple[float, float]:
    """Returns the bytes of a message in a page of Routee's, and in the same page compressed as a fast server does."""
    pages = list(bodies(20 * PAGE_SIZE))
    messages = 20 * PAGE_SIZE
    return sum(map(len, pages)) / messages, sum(len(gzip.compress(page, 1)) for page in pages) / messages


def _day() -> list[float]:
    """Returns the share of each hour of the day, over a week of the local Routee's traffic."""
    model = Sandbox(SystemClock()).model
    starts = np.arange(A_MONDAY, A_MONDAY + 7 * DAY, BLOCK)
    expected = np.array([model.expected(int(start), int(start) + BLOCK).sum() for start in starts])
    hours = (starts - A_MONDAY) % DAY // HOUR
    shares = np.bincount(hours, expected, HOURS)
    found: list[float] = (shares / shares.sum()).round(5).tolist()
    return found
