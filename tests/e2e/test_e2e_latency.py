"""From a status change being visible in the API to the notification arriving: one poll interval and a second at most."""

import random
from pathlib import Path

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_process import daemon
from e2e_stage import EACH_ALONE, FAILING, put_operator, routee

from monitor.runtime.clock import SECOND, SystemClock, parse_duration
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

TRIALS = 4


@pytest.mark.parametrize("every", ["1s", "2s"])
async def test_a_change_is_told_within_an_interval_and_a_second(tmp_path: Path, every: str) -> None:
    clock, luck = SystemClock(), random.Random(every)
    sandbox = Sandbox(clock)
    operators = [f"Operator {number}" for number in range(TRIALS)]
    for operator in operators:
        put_operator(sandbox, operator, failed=0)
    async with routee(sandbox) as url, hook() as told:
        search = {"name": "all", "every": every, "resweep": [{"back": "30m", "every": every}]}
        given = {
            "accounts": [account(url)],
            "searches": [search],
            "receivers": receivers(told.url),
            "route": EACH_ALONE,
        }
        async with daemon(write(tmp_path, [FAILING], **given)) as process:
            await process.watching()
            took = []
            for number, operator in enumerate(operators, 1):
                await trio.sleep(luck.uniform(0, parse_duration(every) / SECOND))  # anywhere between two polls
                put_operator(sandbox, operator, failed=5)
                visible = clock.now()
                await until(lambda: len(told.taken) == number, f"{operator} to be told")  # noqa: B023 - used at once
                took.append(told.taken[-1].at - visible)
            assert await process.stop() == 0
    # Measured on purpose: an interval and a second is the promise.
    assert max(took) <= parse_duration(every) + SECOND, [f"{each / SECOND:.3f} s" for each in took]
