"""The first start: while history is still being fetched, what rests on history says nothing."""

import functools
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e_folder import Written, account, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_process import daemon as daemon_process
from e2e_stage import NOW, routee, running

from monitor.alerts.evaluator import RuleEvaluator
from monitor.runtime.clock import DAY, HOUR, TrioClock
from monitor.simulation.sandbox import Sandbox, run_sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

MESSAGES = 30_000
IN_TWO_HOURS = {"kind": "count", "window": "2h"}
RULES: list[Written] = [
    IN_TWO_HOURS | {"name": "TooFew", "below": 3_000},
    IN_TWO_HOURS | {"name": "TooFewOfAny", "by": ["operator"], "below": 10},
    {"name": "Spike", "kind": "spike", "window": "10m", "baseline": {"window": "1h", "ago": "30m"}, "above": "2x"},
    {"name": "Drop", "kind": "spike", "window": "10m", "baseline": {"window": "1h", "ago": "30m"}, "below": "0.2x"},
    IN_TWO_HOURS | {"name": "TrulyTooFew", "below": 100_000},
]


async def test_nothing_that_rests_on_history_fires_before_the_history_is_there(tmp_path: Path) -> None:
    clock = TrioClock(NOW)
    sandbox = Sandbox(clock, seed=1, history=6 * HOUR, messages=MESSAGES)
    async with routee(sandbox) as url, hook() as told:
        sandbox.fault("delay", seconds=0.1, endpoint="search")
        config = write(
            tmp_path,
            RULES,
            accounts=[account(url) | {"concurrency": 1}],
            searches=[{"name": "all", "every": "1s"}],
            receivers=receivers(told.url),
        )
        async with running(config, clock) as daemon:
            evaluator = daemon.pipeline.accounts["main"].evaluator
            await until(lambda: evaluator.coverage.cursors, "the first complete poll")
            first = evaluator.coverage.cursors["all"]
            assert first.covered_since > first.as_of - 2 * HOUR, "the first look goes less far back than the rules"
            await until(lambda: covered(evaluator), "the history")
            assert evaluator.coverage.cursors["all"].as_of > first.as_of, "there were polls, and judgements, meanwhile"
            await until(lambda: told.names("firing")["TrulyTooFew"], "the one rule that is really broken to say so")
        assert set(told.names("firing")) == {"TrulyTooFew"}


async def test_an_account_of_two_days_has_nothing_usual_at_the_first_start(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = TrioClock(NOW)
    sandbox = Sandbox(clock, seed=1, history=2 * DAY, messages=MESSAGES)
    surge: Written = {"kind": "spike", "by": ["country"], "window": "30m", "baseline": {"same_hour": "7d"}}
    rules = [surge | {"name": "Surge", "above": "5x", "min_messages": 20}, IN_TWO_HOURS | {"name": "Any", "above": 0}]
    async with routee(sandbox) as url, hook() as told:
        searches = [{"name": "all", "every": "1s"}]
        given = {"accounts": [account(url)], "searches": searches, "receivers": receivers(told.url)}
        config = write(tmp_path, rules, **(given | store_in))
        for start in ("the first", "another, from the store"):
            async with running(config, clock) as daemon:
                evaluator = daemon.pipeline.accounts["main"].evaluator
                await until(lambda evaluator=evaluator: all_is_read(evaluator), "the history")
                polled = evaluator.coverage.cursors["all"].as_of
                await until(
                    lambda evaluator=evaluator, polled=polled: evaluator.coverage.cursors["all"].as_of > polled,
                    f"a poll: {start}",
                )
                await until(lambda: told.names("firing")["Any"], "the rule that is not of other days")
                assert not evaluator.alerts.get("Surge")
        assert set(told.names("firing")) == {"Any"}


def all_is_read(evaluator: RuleEvaluator) -> bool:
    """Whether as much was fetched as Routee gives."""
    return "all" in evaluator.coverage.cursors and evaluator.coverage.cursors["all"].covered_since <= NOW - 6 * DAY


def covered(evaluator: RuleEvaluator) -> bool:
    """Whether everything that the rules look at has been fetched."""
    return evaluator.coverage.cursors["all"].covered_since <= evaluator.coverage.cursors["all"].as_of - 2 * HOUR


async def test_beside_a_local_routee_whose_clock_runs_faster_the_daemon_says_that_the_clocks_differ(
    tmp_path: Path,
) -> None:
    async with trio.open_nursery() as nursery, hook() as told:
        run = functools.partial(run_sandbox, speed=600, rate=60, history=HOUR)
        url, _ = await nursery.start(run)
        path = write(tmp_path, RULES, accounts=[account(url)], receivers=receivers(told.url))
        async with daemon_process(path) as process:
            await until(lambda: process.said("behind Routee's: set it right"), "a word about the clocks")
            assert await process.stop() == 0
        nursery.cancel_scope.cancel()
