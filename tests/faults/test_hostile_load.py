"""Clients that mean harm come in crowds: meanwhile the daemon polls at its interval, answers, tells, and stays small.

The bounds in seconds are what is tested here. HOSTILE_SECONDS says for how long; `.ci/run` asks for two minutes.
"""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon, daemon
from e2e_stage import FAILING, put_operator, routee

from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "12"))
ANSWERED_WITHIN = 0.5
TOLD_WITHIN = 5.0
POLLED_WITHIN = 5.0
"""Polled every second; a poll that lasts, or a pause of the machine, does not count as missed at once."""
LARGEST = 400 * 1024
"""KiB."""

SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "5m", "every": "1m"}]}
ROUTE = {"group_by": ["alertname", "operator"], "group_wait": "1s", "group_interval": "5s"}


@asynccontextmanager
async def attacked(url: str) -> AsyncIterator[None]:
    """Under attack inside the block."""
    command = [sys.executable, str(Path(__file__).parent / "hostile_clients.py"), url.rpartition(":")[2]]
    process = await trio.lowlevel.open_process(command)
    try:
        yield
        assert process.poll() is None, "the attack went on all the time"
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()


async def telling(sandbox: Sandbox, told: Hook) -> None:
    """One operator after the other begins to fail: each is told in time."""
    number = 0
    while True:
        number += 1
        operator = f"Operator{number}"
        put_operator(sandbox, operator, failed=5)
        await until(lambda: operator in told.failing(), f"{operator} to be told", TOLD_WITHIN)  # noqa: B023
        await trio.sleep(0.5)


async def answering(url: str, slowest: list[float]) -> None:
    """Health is asked for again and again, and answered in time."""
    while True:
        began = trio.current_time()
        assert (await ask(url)).status == 200
        slowest.append(trio.current_time() - began)
        await trio.sleep(0.2)


async def polling(url: str, ages: list[float]) -> None:
    """How long ago the last complete poll was."""
    while True:
        found = re.search(
            r"^routee_monitor_watermark_age_seconds\{.*\} (\S+)$", (await ask(url, "/metrics")).body, re.MULTILINE
        )
        assert found is not None
        ages.append(float(found[1]))
        await trio.sleep(0.5)


def largest(running: Daemon) -> int:
    """The most memory that the process ever had, in KiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.alone
@pytest.mark.timeout(SECONDS + 120)
async def test_a_crowd_of_hostile_clients_stops_neither_polling_nor_telling_nor_answers(tmp_path: Path) -> None:
    sandbox = Sandbox(SystemClock())
    put_operator(sandbox, "Before", failed=5)
    slowest, ages = list[float](), list[float]()
    async with routee(sandbox) as url, hook() as told:
        config = write(
            *(tmp_path, [FAILING]),
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route=ROUTE,
        )
        async with daemon(config) as running:
            await running.watching()
            await until(lambda: "Before" in told.failing(), "the first operator to be told")
            async with attacked(running.url), trio.open_nursery() as nursery:
                nursery.start_soon(telling, sandbox, told)
                nursery.start_soon(answering, running.url, slowest)
                nursery.start_soon(polling, running.url, ages)
                await trio.sleep(SECONDS)
                nursery.cancel_scope.cancel()
            size = largest(running)
            assert await running.stop() == 0
    sys.stdout.write(
        f"slowest {max(slowest):.3f} s, oldest {max(ages):.1f} s, {size} KiB, {len(told.failing())} told\n"
    )
    assert max(slowest) < ANSWERED_WITHIN
    assert max(ages) < POLLED_WITHIN
    assert size < LARGEST
    assert len([entry for entry in running.logged if entry.get("level") == "error"]) < 20, "the log is not flooded"
