"""What rules find between two polls: on a pipeline without a daemon, with a clock that is set by hand."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.model.batch import batch_of
from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.runtime.errors import StoreError
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

PUSHED = CONFIG.replace("application_secret: secret", "application_secret: secret, callback_secret: shown").replace(
    "web: off\n", ""
)
NARROW = PUSHED.replace("searches:", "searches:\n  - {name: promo, filters: [{field: label, is: promo}]}")
FAILING = "rules: [{name: Failing, kind: rate, by: [operator], window: 5m, above: 20%}]"


class Pushed(PipelineHarness):
    """A pipeline to which reports are pushed."""

    def __init__(self, rules: str = FAILING, config: str = PUSHED) -> None:
        super().__init__(settings(rules, config), HandClock())

    async def push(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commits reports of now, and has the rules evaluated on them."""
        now = self.clock.now()
        batch = batch_of([self._row(row, now) for row in rows])
        await self.pipeline.push("main", partial(_add, batch))
        await self.pipeline.evaluate_pushed("main", now)

    def states(self, rule: str = "Failing") -> list[str]:
        evaluator = self.pipeline.accounts["main"].evaluator
        return [alert.state for alert in evaluator.alerts.get(rule, {}).values()]


def _add(batch: Any, account: AccountPipeline) -> None:
    account.push(batch, (), 0)


BAD, GOOD = traffic(5, operator="Cosmote"), traffic(0, 200, operator="Cosmote")


async def test_a_push_begins_an_alert_and_a_poll_ends_it() -> None:
    one = Pushed()
    await one.poll(traffic(0, operator="Cosmote"))
    one.clock.at += MINUTE
    await one.push(BAD)
    assert one.states() == ["firing"]
    one.clock.at += MINUTE
    await one.push(GOOD)
    assert one.states() == ["firing"], "a push has ended an alert"
    await one.poll()
    assert one.states() in ([], ["resolved"])


async def test_a_rule_says_when_it_was_evaluated_also_if_that_was_between_two_polls() -> None:
    one = Pushed()
    await one.poll(traffic(0, operator="Cosmote"))
    polled = one.clock.at
    rules = DaemonReader(one.pipeline, one.front, lambda: one.settings).rules
    one.clock.at += 10 * SECOND
    await one.push(BAD)
    [rule] = await rules.all()
    assert rule.evaluated_as_of == one.clock.at
    assert rule.next_at == polled + rule.every, "polls come as before"
    one.clock.at += MINUTE
    await one.poll()
    [rule] = await rules.all()
    assert rule.evaluated_as_of == one.clock.at


async def test_nothing_is_evaluated_of_an_account_that_was_not_polled() -> None:
    one = Pushed()
    await one.push(BAD)
    assert one.states() == []
    one.clock.at += SECOND
    await one.poll()
    assert one.states() == ["firing"]


async def test_a_blind_search_freezes_its_rules_whatever_is_pushed() -> None:
    one = Pushed()
    await one.poll(traffic(0, operator="Cosmote"))
    await one.sinks["main"].blind("all", one.clock.now(), "503 from Routee")
    one.clock.at += MINUTE
    await one.push(BAD)
    assert one.states() == []


@pytest.mark.parametrize(
    "rule",
    [
        "{name: Failing, kind: absence, by: [operator], window: 5m, active_in: 5m}",
        "{name: Failing, kind: stuck, older_than: 5m, above: 2}",
        "{name: Failing, kind: count, window: 5m, below: 5}",
        "{name: Failing, kind: distinct, field: operator, window: 5m, below: 3}",
    ],
)
async def test_what_did_not_happen_waits_for_the_poll(rule: str) -> None:
    one = Pushed(f"rules: [{rule}]")
    old = {"operator": "operator 0", "date": one.clock.at - HOUR}
    await one.poll([old, *({"status": "Sent", "operator": f"operator {number % 3}"} for number in range(60))])
    assert one.states() == []
    one.clock.at += 6 * MINUTE
    await one.push([{"operator": "Wind"}])
    assert one.states() == []
    await one.poll()
    assert set(one.states()) == {"firing"}


async def test_a_rule_of_a_search_with_filters_waits_for_its_poll() -> None:
    one = Pushed(FAILING.replace("kind", "search: promo, kind"), NARROW)
    for search in ("promo", "all"):
        await one.poll(traffic(0, operator="Cosmote"), search)
    one.clock.at += MINUTE
    await one.push(BAD)
    assert one.states() == []
    await one.poll(BAD, "promo")
    assert one.states() == ["firing"]


async def test_a_failed_commit_is_no_answer_and_the_next_one_has_its_rows() -> None:
    one = Pushed()
    await one.poll()
    one.store.failures = 1
    with pytest.raises(StoreError):
        await one.push(BAD)
    before = len(one.store.commits)
    await one.pipeline.push("main", lambda account: None)
    [commit] = one.store.commits[before:]
    assert commit.durable
    assert commit.journal, "the rows of the push that failed are lost"


async def test_what_a_restart_finds_goes_on_as_before() -> None:
    one = Pushed()
    await one.poll(traffic(0, operator="Cosmote"))
    one.clock.at += MINUTE
    await one.push(BAD)
    await one.restart(one.settings)
    assert one.states() == ["firing"]
    one.clock.at += SECOND
    await one.poll()
    assert one.states() == ["firing"]
    assert one.reasons().count("new") <= 1
