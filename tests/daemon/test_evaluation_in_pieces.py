"""Something else arrives while rules are evaluated in pieces, at each moment in turn. The poll sees it whole or not at all."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.alert_actions import MOST_EXPLANATIONS_WAITING, AlertActions
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.model.routee_query import AccountBalance
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration
from monitor.runtime.errors import StoreBusy
from tests.fakes.hand_clock import HandClock
from tests.fakes.interruption import interrupted
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import CONFIG, settings

BOTH = CONFIG.replace("group_wait: 10s", "group_wait: 0s").replace(
    "rules:", "  - {name: more, account: main, every: 30s}\nrules:"
)
COUNTS = [
    f"{{name: Count{i}, kind: count, window: {50 + i}m, above: 0, where: {{operator: {{is_not: nobody-{i}}}}}}}"
    for i in range(2)
]
"""Rules that count the same messages, but each in a span of its own, so that none takes the number from another."""
BALANCES = [f"{{name: Low{i}, kind: balance, below: {100 + i}}}" for i in range(2)]
RULES = "rules:\n" + "\n".join(f"  - {rule}" for rule in [BALANCES[0], *COUNTS, BALANCES[1]])
FIRST, MORE = 10, 3
MOST = 150
"""No poll here has so many moments."""
STEP = 2
"""Every other pause is met."""


class Interrupted:
    """A pipeline whose first poll of ``all`` has brought its messages and is about to be evaluated."""

    def __init__(self) -> None:
        self.harness = PipelineHarness(settings(RULES, BOTH), HandClock())

    async def begin(self) -> None:
        self.has(1_000.0)
        for search in ("all", "more"):
            await self.harness.poll((), search)
        self.later(10 * MINUTE)
        self.date = self.harness.clock.now() - SECOND
        await self.harness.poll((), "more")
        await self.harness.page(self.rows("A", FIRST), "all", "main", self.date)

    def rows(self, operator: str, count: int) -> list[dict[str, Any]]:
        """Returns messages of the last second; those of B are later, but for one that was late."""
        dates = [self.date + (SECOND // 2 if operator == "B" else 0)] * count
        if operator == "B":
            dates[0] = self.date - 20 * MINUTE
        return [{"operator": operator, "date": date} for date in dates]

    def later(self, duration: Duration) -> None:
        self.harness.clock.at += duration  # type: ignore[attr-defined]  # the clock is set by hand

    def has(self, money: float) -> None:
        evaluator = self.harness.pipeline.accounts["main"].evaluator
        balance = AccountBalance(money, "EUR")
        evaluator.account_state = evaluator.account_state.with_balance(self.harness.clock.now(), balance)

    # What arrives

    async def page(self) -> None:
        await self.harness.page(self.rows("B", MORE), "more", "main", self.date)

    async def poll(self) -> None:
        await self.harness.poll(self.rows("B", MORE), "more")

    async def push(self) -> None:
        now = self.harness.clock.now()
        rows = [{"messageId": f"pushed-{i}", "status": "Delivered"} | row for i, row in enumerate(self.rows("B", MORE))]

        def add(account: AccountPipeline) -> None:
            account.push(batch_of(rows), (), now)

        await self.harness.pipeline.push("main", add)
        await self.harness.pipeline.evaluate_pushed("main", now)

    async def balance(self) -> None:
        self.has(1.0)

    async def silence(self) -> None:
        now = self.harness.clock.now()
        silence = Silence("s", parse_matchers("alertname=~Count.*"), now, now + HOUR, "Ann", "why", now)
        await AlertActions(self.harness.pipeline).put_silence(silence)

    async def removal(self) -> None:
        await self.harness.reload(settings(RULES, CONFIG.replace("group_wait: 10s", "group_wait: 0s")))

    # What holds

    def values(self, alerts: list[Alert], rules: str) -> set[float | None]:
        return {alert.value for alert in alerts if alert.rule.startswith(rules)}


ARRIVALS: dict[str, Callable[[Interrupted], Awaitable[None]]] = {
    "a page of another search": Interrupted.page,
    "a poll of another search": Interrupted.poll,
    "a callback": Interrupted.push,
    "a balance": Interrupted.balance,
    "a silence": Interrupted.silence,
    "a reload without the other search": Interrupted.removal,
}


@pytest.mark.parametrize("what", ARRIVALS)
async def test_each_evaluation_is_of_one_state(what: str) -> None:
    for at in range(0, MOST, STEP):
        one = Interrupted()
        await one.begin()
        due = trio.Event()

        async def arrive(one: Interrupted = one, due: trio.Event = due) -> None:
            await due.wait()
            await ARRIVALS[what](one)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            came = await interrupted(at, partial(one.harness.poll, (), "all"), due.set)
            due.set()
        assert_each_commit_is_of_one_state(one)
        one.later(10 * MINUTE)
        for search in ("all", "more") if what != "a reload without the other search" else ("all",):
            await one.harness.poll((), search)
        assert_everybody_was_notified_once(one, what)
        if not came:
            break
    assert 10 < at < MOST, "the poll is not done in pieces"


def assert_each_commit_is_of_one_state(one: Interrupted) -> None:
    """All rules of a commit have seen the same messages and the same balance, and so has what is sent."""
    for commit in one.harness.store.commits:
        counted = one.values(commit.alerts, "Count")
        assert len(counted) <= 1, f"rules have seen {counted} messages"
        low = {alert.rule for alert in commit.alerts if alert.rule.startswith("Low")}
        assert len(low) in (0, 2), "one rule has seen a balance that the other has not"
        shown = {view.value for row in commit.outbox for view in row.notification.alerts if view.rule[:5] == "Count"}
        assert shown <= counted


def assert_everybody_was_notified_once(one: Interrupted, what: str) -> None:
    """Also of what arrived meanwhile, at the next poll at the latest."""
    told = [row.notification for row in one.harness.store.outbox]
    assert len({notification.key for notification in told}) == len(told)
    first = [notification.group_labels["alertname"] for notification in told if notification.reason == "first"]
    assert len(set(first)) == len(first)
    if what == "a balance":
        assert set(first) >= {"Low0", "Low1"}
    if what != "a silence":
        assert set(first) >= {"Count0", "Count1"}
    evaluator = one.harness.pipeline.accounts["main"].evaluator
    alerts = [alert for _, alert in evaluator.every_alert()]
    brings = what in {"a page of another search", "a poll of another search", "a callback"}
    assert one.values(alerts, "Count") == {float(FIRST + MORE if brings else FIRST)}


async def alerting() -> tuple[Interrupted, str]:
    """Returns a pipeline with alerts, and the fingerprint of one."""
    one = Interrupted()
    await one.begin()
    await one.harness.poll()
    return one, min(alert.fingerprint for alert in one.harness.pipeline.every_alert())


async def test_what_explains_an_alert_is_of_one_state() -> None:
    one, fingerprint = await alerting()
    before = await one.harness.actions.explained(fingerprint)
    await one.page()
    after = await one.harness.actions.explained(fingerprint)
    assert before is not None
    assert after is not None
    assert before.view.history != after.view.history
    assert before.view.samples != after.view.samples
    for at in range(0, MOST, STEP):
        one, fingerprint = await alerting()
        due, found = trio.Event(), list[object]()

        async def arrive(one: Interrupted = one, due: trio.Event = due) -> None:
            await due.wait()
            await one.page()

        async def explain(one: Interrupted = one, name: str = fingerprint, found: list[object] = found) -> None:
            found.append(await one.harness.actions.explained(name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            came = await interrupted(at, explain, due.set)
            due.set()
        assert found in ([before], [after])
        if not came:
            break
    assert 6 < at < MOST, "it is not explained in pieces"


async def test_a_page_waits_for_the_evaluation_but_not_for_the_commit() -> None:
    one = Interrupted()
    await one.begin()
    pipeline = one.harness.pipeline
    window = pipeline.accounts["main"].evaluator.window
    async with pipeline.windows, trio.open_nursery() as nursery:
        nursery.start_soon(one.page)
        await trio.testing.wait_all_tasks_blocked()
        assert window.messages == FIRST
        pipeline.windows.release()
        await trio.testing.wait_all_tasks_blocked()
        assert window.messages == FIRST + MORE
        await pipeline.windows.acquire()


@pytest.mark.parametrize("what", ["a page of another search", "a callback", "a poll of another search"])
async def test_what_arrives_waits_for_one_explanation_however_many_are_asked_for(what: str) -> None:
    one, fingerprint = await alerting()
    pipeline, seen = one.harness.pipeline, list[int]()
    window = pipeline.accounts["main"].evaluator.window

    async def explain(actions: AlertActions) -> None:
        await actions.explained(fingerprint)
        seen.append(window.messages)

    async with trio.open_nursery() as nursery, pipeline.windows:
        for actions in [one.harness.actions, AlertActions(pipeline)] * 10:
            nursery.start_soon(explain, actions)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ARRIVALS[what], one)
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [FIRST] + [FIRST + MORE] * 19


async def test_who_asks_for_an_explanation_where_many_wait_is_refused() -> None:
    one, fingerprint = await alerting()
    explained, refused = list[object](), list[StoreBusy]()

    async def explain() -> None:
        try:
            explained.append(await AlertActions(one.harness.pipeline).explained(fingerprint))
        except StoreBusy as error:
            refused.append(error)

    async with trio.open_nursery() as nursery, one.harness.pipeline.windows:
        for _ in range(MOST_EXPLANATIONS_WAITING + 4):
            nursery.start_soon(explain)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(explained), len(refused)) == (0, 3)
    assert len(explained) == MOST_EXPLANATIONS_WAITING + 1
