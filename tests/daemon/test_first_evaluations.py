"""As of when each rule was evaluated first: over polls, restarts, reloads, and of a store that did not know it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from monitor.daemon.first_evaluations import FirstEvaluations
from monitor.runtime.clock import MINUTE
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit, Cursor
from monitor.store.sqlite import open_sqlite
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings

TWO = "rules:\n  - {name: A, kind: count, window: 5m, above: 9}\n  - {name: B, kind: count, window: 5m, above: 9}\n"
ONE = TWO.partition("  - {name: B")[0]


class Run:
    """A daemon's pipeline, a poll a minute."""

    def __init__(self, rules: str, store: MemoryStore | None = None) -> None:
        self.clock = HandClock()
        self.began = self.clock.at
        self.harness = PipelineHarness(settings(rules), self.clock, store)

    async def poll(self) -> None:
        self.clock.at += MINUTE
        await self.harness.poll()

    def minutes(self) -> dict[str, int]:
        """By rule, the minute of its first evaluation, as the store has it."""
        found = self.harness.store.load().first_evaluations
        return {rule: (at - self.began) // MINUTE for (_, rule), at in found.items()}


async def test_it_is_that_of_the_first_poll_and_stays_over_a_restart() -> None:
    run = Run(TWO)
    await run.poll()
    await run.poll()
    await run.harness.restart(settings(TWO))
    await run.poll()
    assert run.minutes() == {"A": 1, "B": 1}


async def test_a_rule_that_is_added_begins_then_and_one_that_comes_back_begins_anew() -> None:
    run = Run(ONE)
    await run.poll()
    await run.harness.reload(settings(TWO))
    await run.poll()
    assert run.minutes() == {"A": 1, "B": 2}
    await run.harness.reload(settings(ONE))
    await run.poll()
    assert run.minutes() == {"A": 1}
    await run.harness.restart(settings(TWO))
    await run.poll()
    assert run.minutes() == {"A": 1, "B": 4}


async def test_a_commit_that_the_store_refuses_stores_none_and_the_next_one_does() -> None:
    store = MemoryStore()
    run = Run(ONE, store)
    store.failures = 1
    with pytest.raises(StoreError):
        await run.poll()
    assert run.minutes() == {}
    await run.poll()
    assert run.minutes() == {"A": 2}


async def test_it_is_written_once() -> None:
    store = MemoryStore()
    run = Run(TWO, store)
    for _ in range(3):
        await run.poll()
    assert [len(one.first_evaluations) for one in store.commits if one.cursors] == [2, 0, 0]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store that was in use when this was not stored yet."""
    path = tmp_path / "monitor.db"
    with closing(open_sqlite(path)) as store:
        store.commit(Commit(cursors=[Cursor("main", "all", 1, 1)]))
    with closing(sqlite3.connect(path)) as before:
        before.execute("DROP TABLE first_evaluation")
        before.execute("DROP TABLE ended_session")
        before.execute("PRAGMA user_version = 8")
    return path


async def test_the_rules_of_a_store_that_did_not_know_it_are_old_and_those_added_later_are_not(older: Path) -> None:
    with closing(open_sqlite(older)) as store:
        clock = HandClock()
        harness = PipelineHarness(settings(ONE), clock, store)
        clock.at += MINUTE
        await harness.poll()
        assert store.load().first_evaluations == {("main", "A"): 0}
        await harness.reload(settings(TWO))
        clock.at += MINUTE
        await harness.poll()
        assert store.load().first_evaluations == {("main", "A"): 0, ("main", "B"): clock.at}


def test_what_is_of_another_account_is_not_its_own() -> None:
    assert FirstEvaluations.of("a", {("a", "A"): 1, ("b", "A"): 2}).stored == {"A": 1}
