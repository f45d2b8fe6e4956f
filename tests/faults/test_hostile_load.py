"""Clients that mean harm come in crowds: meanwhile the daemon polls at its interval, answers, tells, and stays small.

The bounds in seconds are what is tested here. HOSTILE_SECONDS says for how long; `.ci/run` asks for two minutes. The crowds that only
ask more often than can be answered do so for half a minute at most.
"""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon, daemon
from e2e_stage import FAILING, put_operator, routee

from monitor.runtime.clock import SystemClock
from monitor.runtime.errors import MonitorError
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask
from tests.fakes.waiting import until
from tests.faults.hostile_clients import CALLBACK_SECRET, CROWDS, DEAR, DEAREST_TAKEN, filtering

pytestmark = pytest.mark.e2e

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "8"))
ANSWERED_WITHIN = 0.5
TOLD_WITHIN = 5.0
POLLED_WITHIN = 5.0
"""Polled every second; a poll that lasts, or a pause of the machine, does not count as missed at once."""
LARGEST = 400 * 1024
"""KiB."""

SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "5m", "every": "1m"}]}
ROUTE = {"group_by": ["alertname", "operator"], "group_wait": "1s", "group_interval": "5s"}


@asynccontextmanager
async def attacked(url: str, crowd: str) -> AsyncIterator[None]:
    """Under attack inside the block."""
    command = [sys.executable, str(Path(__file__).parent / "hostile_clients.py"), url.rpartition(":")[2], crowd]
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
        await until(lambda: operator in told.failing(), f"{operator} to be told", TOLD_WITHIN)  # noqa: B023 - awaited at once
        await trio.sleep(0.5)


async def answering(url: str, slowest: list[float]) -> None:
    """Health is asked for again and again, and answered in time."""
    while True:
        began = trio.current_time()
        assert (await ask(url)).status == 200
        slowest.append(trio.current_time() - began)
        await trio.sleep(0.2)


async def silences(url: str) -> str:
    """All of them, once the last of the crowd are answered."""
    with trio.fail_after(TOLD_WITHIN):
        while (answer := await ask(url, "/api/v2/silences")).status == 503:
            await trio.sleep(0.2)
    return answer.body


async def answered(url: str, expressions: list[str]) -> int:
    """With which status a request with those expressions is."""
    path = filtering(expressions).split()[1].decode()
    return (await ask(url, path)).status


async def polling(url: str, ages: list[float]) -> None:
    """How long ago the last complete poll was."""
    while True:
        with suppress(MonitorError):  # in a flood it may be turned away
            answer = await ask(url, "/metrics")
            found = re.search(r"^routee_monitor_watermark_age_seconds\{.*\} (\S+)$", answer.body, re.MULTILINE)
            assert found is not None or answer.status == 503
            ages += [] if found is None else [float(found[1])]
        await trio.sleep(0.5)


def largest(running: Daemon) -> int:
    """The most memory that the process ever had, in KiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.alone
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("crowd", CROWDS)
async def test_a_crowd_of_hostile_clients_stops_neither_polling_nor_telling_nor_answers(
    tmp_path: Path, crowd: str
) -> None:
    sandbox = Sandbox(SystemClock())
    put_operator(sandbox, "Before", failed=5)
    slowest, ages = list[float](), list[float]()
    lasting = SECONDS if crowd == "many kinds" else min(SECONDS, 30)
    async with routee(sandbox) as url, hook() as told:
        config = write(
            *(tmp_path, [FAILING]),
            accounts=[account(url) | {"callback_secret": CALLBACK_SECRET}],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route=ROUTE,
        )
        async with daemon(config) as running:
            await running.watching()
            assert [await answered(running.url, one) for one in (DEAR * 50, DEAREST_TAKEN)] == [400, 200]
            await until(lambda: "Before" in told.failing(), "the first operator to be told")
            before = sandbox.requests["search"]
            async with attacked(running.url, crowd), trio.open_nursery() as nursery:
                nursery.start_soon(telling, sandbox, told)
                nursery.start_soon(answering, running.url, slowest)
                nursery.start_soon(polling, running.url, ages)
                await trio.sleep(lasting)
                nursery.cancel_scope.cancel()
            polled = sandbox.requests["search"] - before
            size = largest(running)
            assert await silences(running.url) == "[]", "the dear ones were all refused"
            assert await running.stop() == 0
    sys.stdout.write(
        f"slowest {max(slowest):.3f} s, oldest {max(ages):.1f} s of {len(ages)}, {polled} polls, {size} KiB, {len(told.failing())} told\n"
    )
    assert max(slowest) < ANSWERED_WITHIN
    assert max(ages) < POLLED_WITHIN
    assert polled >= lasting / 2, (
        "whatever /metrics says, and however seldom: so often Routee was asked, which is to be once a second"
    )
    assert size < LARGEST
    assert len([entry for entry in running.logged if entry.get("level") == "error"]) < 20, "the log is not flooded"
