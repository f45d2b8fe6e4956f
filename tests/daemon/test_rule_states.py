"""What a rule of the kind shift keeps is the same whatever happens meanwhile: kill -9, a full disk, a reload, a poll that comes twice."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
import trio
import trio.testing

from monitor.alerts.kinds import evaluate
from monitor.alerts.kinds.rule_state import RuleState
from monitor.alerts.kinds.shift.memory import ShiftMemory
from monitor.daemon.past_work import work_through_the_past
from monitor.model.finding import Finding
from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Store
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.window import WindowReader
from tests.fakes.hand_clock import HandClock
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.waiting import until
from tests.fakes.written import CONFIG, settings

NOW = 1_764_000_000 * SECOND
RULE = "{name: Shift, kind: shift, by: [country, operator], learn: 1h, to: 3x, for: 1m}"
RULES = f"rules: [{RULE}]"
POLLS = 64
EVERY = 30 * SECOND
CHANGE = 22 * MINUTE

Row = dict[str, Any]
T = TypeVar("T")


def messages(seed: int) -> list[Row]:
    """Two hours of history and an hour to come: from `CHANGE` on nearly all of one operator's messages fail."""
    random, rows = Random(seed), list[Row]()
    for operator, rate in (("Cosmote", 12), ("Nova", 6), ("Tiny", 1)):
        for _ in range(rate * 160):
            at = NOW - 2 * HOUR + random.randrange(2 * HOUR + 40 * MINUTE)
            bad = 0.8 if operator == "Nova" and at > NOW + CHANGE else 0.04
            status = "Undelivered" if random.random() < bad else "Delivered"
            row = {"date": at, "status": status, "operator": operator, "country": "GR"}
            rows.append({"messageId": f"{operator}{len(rows)}"} | row)
    return rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_() -> SqliteStore:
        opened.append(open_sqlite(tmp_path / f"{len(opened)}.db"))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


class RefusingFront(InlineStoreFront):
    """A store whose disk is full now and then."""

    refuses = False
    refused = 0

    async def run(self, call: Callable[[Store], T]) -> T:
        if self.refuses:
            self.refused += 1
            raise StoreError("the disk is full")
        return await super().run(call)


class Run:
    """Polls of an account whose reports come some time late."""

    def __init__(self, store: SqliteStore, rows: list[Row], late: int = 0) -> None:
        self.clock = HandClock(NOW)
        self.written = settings(RULES)
        self.harness = PipelineHarness(self.written, self.clock, store, fronted=RefusingFront)
        self.random = Random(late)
        self.coming = [(row["date"] + self.random.randrange(late + 1) * SECOND, row) for row in rows]

    async def poll(self, *, catch_up: bool = True) -> None:
        now = self.clock.now()
        rows = [row for at, row in self.coming if at <= now]
        self.coming = [(at, row) for at, row in self.coming if at > now]
        self.random.shuffle(rows)
        self.clock.at += EVERY
        await self.harness.poll(rows, as_of=now)
        while catch_up and await self.harness.pipeline.catch_up():
            pass

    @property
    def state(self) -> RuleState:
        return self.harness.pipeline.accounts["main"].evaluator.kept["Shift"]

    def findings(self) -> list[Finding]:
        evaluator = self.harness.pipeline.accounts["main"].evaluator
        rule = evaluator.rules["Shift"]
        span = evaluator.coverage.as_of(rule)
        assert span is not None
        moment = evaluator.input_for(rule, WindowReader(evaluator.window), *span)
        return sorted(evaluate(rule, moment).findings(), key=lambda one: one.group)

    def alerts(self) -> list[tuple[str, int]]:
        return [(one.what, one.at) for one in reversed(self.harness.store.transitions())]


async def clean(run: Run) -> Run:
    for _ in range(POLLS):
        await run.poll()
    return run


async def test_the_shift_is_found_and_dated(store: Callable[[], SqliteStore]) -> None:
    run = await clean(Run(store(), messages(1)))
    nova = next(one for one in run.findings() if ("operator", "Nova") in one.group)
    assert nova.breached == 1
    assert "failures rose from" in nova.why
    assert [what for what, _ in run.alerts()] == ["pending", "fired"]
    fired = run.alerts()[1][1]
    assert NOW + CHANGE + MINUTE <= fired <= NOW + CHANGE + 4 * MINUTE


async def test_kill_minus_nine_at_any_moment_changes_no_value(store: Callable[[], SqliteStore]) -> None:
    rows, random = messages(2), Random(2)
    whole, killed = await clean(Run(store(), rows)), Run(store(), rows)
    for _ in range(POLLS):
        await killed.poll()
        if random.random() < 0.3:
            await killed.harness.restart(killed.written)
    assert killed.findings() == whole.findings()
    assert killed.alerts() == whole.alerts()
    assert killed.state.blob() == whole.state.blob()


async def test_what_comes_late_twice_and_in_another_order_within_the_tail_changes_no_value(
    store: Callable[[], SqliteStore],
) -> None:
    rows = messages(3)
    whole, late = await clean(Run(store(), rows)), Run(store(), rows, late=280)
    for number in range(POLLS):
        await late.poll()
        if number % 7 == 0:
            await late.harness.poll(rows[:50], as_of=late.clock.now() - EVERY)
    end = late.clock.now() - EVERY
    await late.harness.poll([row for row in rows if row["date"] <= end], as_of=end)  # the rest of what came late
    found = [(one.group, one.breached, one.messages, one.matching, one.why) for one in late.findings()]
    assert found == [(one.group, one.breached, one.messages, one.matching, one.why) for one in whole.findings()]
    assert [what for what, _ in late.alerts()] == ["pending", "fired"]


async def test_a_commit_that_fails_changes_no_value(store: Callable[[], SqliteStore]) -> None:
    rows = messages(4)
    whole, failing = await clean(Run(store(), rows)), Run(store(), rows)
    front, random = failing.harness.front, Random(4)
    assert isinstance(front, RefusingFront)
    for _ in range(POLLS):
        front.refuses = random.random() < 0.2
        with pytest.raises(StoreError) if front.refuses else nullcontext():
            await failing.poll()
    assert front.refused
    assert failing.findings() == whole.findings()


async def test_a_time_without_polls_is_gone_through_afterwards(store: Callable[[], SqliteStore]) -> None:
    rows = messages(8)
    whole, blind = await clean(Run(store(), rows)), Run(store(), rows)
    for number in range(POLLS):
        if 10 <= number < 60:
            blind.clock.at += EVERY
        else:
            await blind.poll()
    assert blind.findings() == whole.findings()
    assert blind.state.blob() == whole.state.blob()
    assert [what for what, _ in blind.alerts()] == ["pending", "fired"]


async def test_a_reload_keeps_the_state_of_a_rule_that_counts_the_same(store: Callable[[], SqliteStore]) -> None:
    rows = messages(5)
    whole, reloaded = await clean(Run(store(), rows)), Run(store(), rows)
    for number in range(POLLS):
        await reloaded.poll()
        if number == 40:
            before = reloaded.state
            await reloaded.harness.reload(settings(RULES.replace("for: 1m", "for: 1m, severity: critical")))
            assert reloaded.state is before
    assert reloaded.findings() == whole.findings()


async def test_a_rule_that_counts_something_else_learns_anew(store: Callable[[], SqliteStore]) -> None:
    run = Run(store(), messages(6))
    for _ in range(40):
        await run.poll()
    before = run.state
    await run.harness.reload(settings(RULES.replace("by: [country, operator]", "by: [operator]")))
    await run.poll()
    assert isinstance(before, ShiftMemory)
    assert isinstance(run.state, ShiftMemory)
    assert run.state.key != before.key
    assert {len(one.group) for one in run.findings()} == {1}


async def test_a_rule_that_is_gone_leaves_no_state_behind(store: Callable[[], SqliteStore]) -> None:
    run = Run(store(), messages(7))
    for _ in range(40):
        await run.poll()
    assert list(run.harness.store.load().rule_states) == [("main", "Shift")]
    await run.harness.reload(settings("rules: []"))
    assert run.harness.store.load().rule_states == {}


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_account_that_is_gone_leaves_no_state_behind(
    store: Callable[[], SqliteStore], restarted: bool
) -> None:
    second = "  - {name: second, application_id: id2, application_secret: secret2}\nsearches:\n  - {name: more, account: second}"
    both = settings(RULES, CONFIG.replace("searches:", second))
    harness = PipelineHarness(both, HandClock(NOW), store())
    for at in (NOW, NOW + 10 * MINUTE):
        await harness.poll(messages(7), "more", "second", at)
        while await harness.pipeline.catch_up():
            pass
    assert list(harness.store.load().rule_states) == [("second", "Shift")]
    await (harness.restart if restarted else harness.reload)(settings(RULES))
    await harness.pipeline.begin()
    assert harness.store.load().rule_states == {}, "although nothing else is to be committed"


async def test_the_daemon_works_through_the_past_between_its_polls(
    store: Callable[[], SqliteStore], autojump_clock: trio.testing.MockClock
) -> None:
    run = Run(store(), messages(9))
    pipeline = run.harness.pipeline
    pipeline.accounts["main"].evaluator.effort = 3.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work_through_the_past, pipeline)
        await run.poll(catch_up=False)
        assert not run.state.is_ready
        assert run.harness.store.load().rule_states == {}, "what is half done is not kept"
        await until(lambda: run.state.is_ready, "the past to be worked through")
        await run.poll(catch_up=False)
        nursery.cancel_scope.cancel()
    whole = Run(store(), messages(9))
    await whole.poll()
    await whole.poll()
    assert run.findings() == whole.findings()
    assert run.state.blob() == whole.state.blob()
