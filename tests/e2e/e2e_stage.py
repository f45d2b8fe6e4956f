"""The daemon, a local Routee and whoever is told, all in the test's own loop, on a clock that may run faster than the world."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from e2e_folder import message
from e2e_store import counted

from monitor.daemon import main as daemon
from monitor.daemon.reload import Reloads
from monitor.daemon.validate import load
from monitor.model.message import DELIVERED, FAILED
from monitor.runtime.clock import MINUTE, SECOND, Clock, Instant, TrioClock, parse_iso
from monitor.simulation.sandbox import Sandbox, serve
from tests.fakes.waiting import until

NOW = parse_iso("2026-11-21T10:00:00Z")
SPEED = 60.0
"""A minute passes in a second."""

FAILING = {"name": "Failing", "kind": "rate", "by": ["operator"], "window": "1h", "above": "20%"}
EACH_ALONE = {"group_by": ["alertname", "operator"], "group_interval": "30s"}
SEARCH = {"name": "all", "every": "30s", "resweep": [{"back": "30m", "every": "30s"}]}


def fast_clock(start: Instant = NOW) -> Clock:
    """A minute a second from ``start`` on."""
    return TrioClock(start, SPEED)


@asynccontextmanager
async def routee(sandbox: Sandbox) -> AsyncIterator[str]:
    """A sandbox that is served inside the block; gives its URL."""
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(serve, sandbox)
        yield url
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(
    config: Path, clock: Clock | None = None, reloads: Reloads | None = None
) -> AsyncIterator[daemon.Running]:
    """A daemon that is stopped in good order after the block."""
    loaded, stop = load(config, {}), trio.Event()
    async with trio.open_nursery() as nursery:
        given = {"stop": stop, "clock": clock, "stream": io.StringIO(), "reloads": reloads}
        run = partial(daemon.run, loaded.settings, loaded.templates, **given)
        yield await nursery.start(run)
        stop.set()


def put_operator(sandbox: Sandbox, operator: str, *, failed: int, of: int = 10, country: str = "GR") -> None:
    """Ten messages of an operator, some of them failed; once more: the same ones, as they are now."""
    now = sandbox.now()
    for number in range(of):
        status, name = FAILED if number < failed else DELIVERED, f"{operator}-{number}"
        sandbox.put(message(name, status, now - SECOND, operator=operator, country=country), sent=now - MINUTE)


async def until_polled(daemon: daemon.Running, moment: Instant, account: str = "main", search: str = "all") -> Instant:
    """Until a complete poll has seen that moment; gives as of when."""
    await until(lambda: account in daemon.pipeline.accounts, "the account, whose lease may have to lapse")
    evaluator = daemon.pipeline.accounts[account].evaluator

    def polled() -> bool:
        return search in evaluator.coverage.cursors and evaluator.coverage.cursors[search].as_of >= moment

    await until(polled, "a complete poll")
    return evaluator.coverage.cursors[search].as_of


def values(daemon: daemon.Running, end: Instant, account: str = "main") -> object:
    """By operator and status, the messages in the running daemon's window."""
    return counted(daemon.pipeline.accounts[account].evaluator.window, end)
