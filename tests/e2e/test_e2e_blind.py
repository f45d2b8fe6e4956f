"""Routee gone for a while: cannot see is not resolved, and afterwards everything is exact again."""

import re
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_stage import EACH_ALONE, FAILING, NOW, SEARCH, fast_clock, put_operator, routee, running, until_polled, values
from e2e_turns import recount

from monitor.runtime.clock import DAY, MINUTE, SECOND, parse_iso
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

BLIND = 'routee_monitor_blind{account="main",search="all"} 1.0'


async def test_five_minutes_of_503_fire_monitor_blind_and_nothing_else_and_end_in_exact_values(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    for operator, failed in {"Ends": 5, "GoesOn": 5, "Begins": 0, "Calm": 0}.items():
        put_operator(sandbox, operator, failed=failed)
    async with routee(sandbox) as url, hook() as told:
        told.now = clock.now
        given = {
            "accounts": [account(url)],
            "searches": [SEARCH],
            "receivers": receivers(told.url),
            "route": EACH_ALONE,
            **store_in,
        }
        async with running(write(tmp_path, [FAILING], **given), clock) as daemon:
            await until(lambda: told.failing() == {"Ends", "GoesOn"}, "two operators to be told")
            outage = clock.now()
            fault = sandbox.fault("status", status=503, for_=5 * MINUTE)
            put_operator(sandbox, "Ends", failed=0)
            put_operator(sandbox, "Begins", failed=5)
            await until(lambda: told.names("firing")["MonitorBlind"], "MonitorBlind")
            blind = told.told[-1]
            assert blind.at >= outage + 60 * SECOND, (
                "three intervals since the last complete poll, which was up to one ago"
            )
            [entry] = blind.payload["alerts"]
            assert entry["labels"] == {
                "alertname": "MonitorBlind",
                "account": "main",
                "search": "all",
                "severity": "critical",
            }
            assert re.search(r"503 from Routee, \d+ tries since \d\d:\d\d UTC", entry["annotations"]["summary"])
            assert (await ask(daemon.url, "/readyz")).status == 200, "what is shown is complete up to the watermark"
            assert (await ask(daemon.url, "/healthz")).status == 200, "a restart would not help"
            assert BLIND in (await ask(daemon.url, "/metrics")).body
            await until(lambda: fault not in sandbox.faults.current(clock.now()), "the end of the outage")
            assert told.told[-1] is blind, "nothing fires and nothing resolves while nobody can see"
            await until(lambda: told.failing() == {"GoesOn", "Begins"}, "the true state to be told")
            await until(lambda: told.names("resolved")["MonitorBlind"], "the end of the blindness")
            assert told.names("firing") == {"Failing": 3, "MonitorBlind": 1}, "what goes on is not told a second time"
            end = await until_polled(daemon, clock.now())
            assert values(daemon, end) == recount(sandbox, end)
            [ended] = [each for each in told.episodes() if ("operator", "Ends") in each.labels]
            assert ended.end is not None
            assert ended.end > outage + 5 * MINUTE


async def test_a_start_after_more_than_seven_days_tells_the_gap_and_goes_on(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    async with hook() as told:
        before = fast_clock()
        async with routee(Sandbox(before)) as url:
            given = {"searches": [SEARCH], "receivers": receivers(told.url), "route": EACH_ALONE} | store_in
            async with running(write(tmp_path, [FAILING], accounts=[account(url)], **given), before) as daemon:
                last = await until_polled(daemon, NOW)
        later = fast_clock(NOW + 8 * DAY)
        sandbox = Sandbox(later)
        async with routee(sandbox) as url:
            config = write(tmp_path, [FAILING], accounts=[account(url)], **given)
            async with running(config, later) as daemon:
                await until(lambda: told.names("firing")["GapInHistory"], "GapInHistory")
                put_operator(sandbox, "Cosmote", failed=5)
                await until(lambda: told.failing() == {"Cosmote"}, "polling to go on")
                covered = daemon.pipeline.accounts["main"].evaluator.coverage.cursors["all"].covered_since
    [gap] = [entry for each in told.told for entry in each.payload["alerts"] if "Gap" in entry["labels"]["alertname"]]
    assert gap["labels"]["search"] == "all"
    assert gap["annotations"]["summary"].count("2026-11-2") == 2, "it says from when to when"
    assert last < covered
    assert covered >= parse_iso("2026-11-22T10:00:00Z")
    assert sum(told.names("resolved").values()) == 0
