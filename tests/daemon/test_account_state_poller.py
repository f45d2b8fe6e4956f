"""Errands: what is asked besides messages, how often, and what happens where Routee does not answer."""

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import rule_of
from monitor.daemon.account_state_poller import AT_ONCE, campaigns_to_ask, poll_account_state
from monitor.model.batch import batch_of
from monitor.model.message import Unread
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, TrioClock
from monitor.runtime.errors import RouteeError, RouteeRefused, RouteeRejected, RouteeUnavailable
from monitor.window import Window

START = 100 * DAY
BALANCE = {"name": "Low", "kind": "balance", "below": 50}
CAMPAIGNS = {"name": "Watch", "kind": "campaign", "stalled_for": "30m"}


class Routee:
    """Answers errands from a script: campaigns have 1000 recipients and are under way unless ``over``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trouble: RouteeError | None = None
        self.over: set[str] = set()
        self.strangers: set[str] = set()

    async def balance(self) -> AccountBalance:
        self.asked.append("balance")
        if self.trouble:
            raise self.trouble
        return AccountBalance(41.2, "EUR")

    async def campaign_state(self, tracking_id: str) -> CampaignState:
        self.asked.append(tracking_id)
        if self.trouble:
            raise self.trouble
        if tracking_id in self.strangers:
            raise RouteeRejected("no such campaign", "400", "400009001")
        return CampaignState(tracking_id, "Sale", "Finished" if tracking_id in self.over else "Running", {}, 1000)


def evaluator(
    *rules: dict[str, object], campaigns: int = 0, at: int = START, evaluator: RuleEvaluator | None = None
) -> RuleEvaluator:
    evaluator = evaluator or RuleEvaluator(Window("main"), [rule_of(rule) for rule in rules], ["all"])
    rows = [
        {"messageId": f"m{at}-{i}", "date": at - 101 + i, "status": "Sent", "campaignTrackingId": f"c{i}"}
        for i in range(campaigns)
    ]
    evaluator.window.upsert(batch_of(rows), "all")
    return evaluator


async def let_run(work: Callable[[], Awaitable[None]], span: int) -> None:
    with trio.move_on_after(span / SECOND):
        await work()


async def test_nothing_is_asked_where_no_rule_needs_it(autojump_clock: trio.testing.MockClock) -> None:
    routee = Routee()
    plain = evaluator({"name": "Many", "kind": "count", "window": "1h", "above": 1}, campaigns=3)
    await poll_account_state(plain, routee, TrioClock(START))
    narrow = evaluator(CAMPAIGNS | {"where": {"country": "GR"}}, campaigns=3)
    await poll_account_state(narrow, routee, TrioClock(START))
    assert routee.asked == []


async def test_the_balance_is_asked_every_five_minutes_or_as_often_as_a_rule_wants(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for every, times in (({}, 12), ({"every": "10m"}, 6)):
        routee, one = Routee(), evaluator(BALANCE | every)
        await let_run(lambda: poll_account_state(one, routee, TrioClock(START)), HOUR - SECOND)  # noqa: B023 — awaited at once
        assert routee.asked == ["balance"] * times
        known = one.account_state.balance_at(START + HOUR)
        assert known is not None
        assert known.balance == AccountBalance(41.2, "EUR")


@pytest.mark.parametrize("trouble", [RouteeRefused("not allowed", "403"), RouteeRejected("no such thing", "404")])
async def test_an_endpoint_that_the_account_lacks_is_complained_of_once_and_asked_each_hour(
    trouble: RouteeError, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    routee, one = Routee(), evaluator(BALANCE, CAMPAIGNS, campaigns=3)
    routee.trouble = trouble
    with caplog.at_level(logging.WARNING):
        await let_run(lambda: poll_account_state(one, routee, TrioClock(START)), 30 * MINUTE)
    assert sorted(routee.asked) == ["balance", "c2"]
    assert sorted(caplog.messages) == [
        f"balance of account main: {trouble}; it is asked again in an hour",
        f"campaign states of account main: {trouble}; it is asked again in an hour",
    ]
    assert one.account_state.campaigns == {}


async def test_what_cannot_be_read_of_a_campaign_is_handed_on(autojump_clock: trio.testing.MockClock) -> None:
    class Odd(Routee):
        async def campaign_state(self, tracking_id: str) -> CampaignState:
            return CampaignState(tracking_id, "Sale", "Running", {}, None, unread=(Unread("statuses", "[1]", 1),))

    noted: list[tuple[str, str]] = []
    polling = poll_account_state(
        evaluator(CAMPAIGNS, campaigns=1),
        Odd(),
        TrioClock(START),
        lambda tracking_id, unread: noted.extend((tracking_id, one.field) for one in unread),
    )
    await let_run(lambda: polling, MINUTE)
    assert noted == [("c0", "statuses")]


async def test_an_outage_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    routee, one = Routee(), evaluator(BALANCE, CAMPAIGNS, campaigns=3)
    routee.trouble = RouteeUnavailable("down")
    clock = TrioClock(START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll_account_state, one, routee, clock)
        await trio.sleep(59)
        assert sorted(routee.asked) == ["balance", "c2"]
        routee.trouble = None
        await trio.sleep(300)
        assert len(one.account_state.balances) == 1
        assert sorted(one.account_state.campaigns) == ["c0", "c1", "c2"]
        nursery.cancel_scope.cancel()


async def test_campaigns_are_asked_about_until_they_are_over_and_strangers_seldom(
    autojump_clock: trio.testing.MockClock,
) -> None:
    routee, one = Routee(), evaluator(CAMPAIGNS, campaigns=3)
    routee.strangers = {"c0"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll_account_state, one, routee, TrioClock(START))
        await trio.sleep(1)
        assert routee.asked == ["c2", "c1", "c0"]
        routee.over = {"c1"}
        await trio.sleep(600)
        assert routee.asked[3:] == ["c1", "c2", "c2"]
        campaign = one.account_state.campaigns["c1"]
        assert (campaign.is_over, campaign.over_since) == (True, START + 300 * SECOND)
        await trio.sleep(3600)
        assert routee.asked.count("c0") == 2
        assert routee.asked.count("c1") == 2
        nursery.cancel_scope.cancel()


def test_a_round_is_bounded_and_takes_new_campaigns_and_old_ones_in_turn() -> None:
    one = evaluator(CAMPAIGNS, campaigns=100)
    first = campaigns_to_ask(one, START, ())
    assert first == [f"c{i}" for i in range(99, 99 - AT_ONCE, -1)]
    for name in first:
        one.account_state = one.account_state.with_campaign(START, CampaignState(name, "", "Running", {}))
    assert not set(campaigns_to_ask(one, START + MINUTE, ())) & set(first)
    second = campaigns_to_ask(one, START + 5 * MINUTE, ())
    assert len(second) == AT_ONCE
    assert len(set(second) & set(first)) == AT_ONCE // 2
    assert len(set(second) - set(first)) == AT_ONCE // 2


def test_old_campaigns_are_not_asked_about_unless_they_are_known_and_then_for_a_day() -> None:
    one = evaluator(CAMPAIGNS, campaigns=2)
    assert campaigns_to_ask(one, START + 4 * HOUR, ()) == []
    one.account_state = one.account_state.with_campaign(START, CampaignState("c1", "", "Running", {}))
    assert campaigns_to_ask(one, START + 4 * HOUR, ()) == ["c1"]
    assert campaigns_to_ask(one, START + DAY, ()) == []
    assert one.account_state.campaigns == {}


def test_an_answer_is_seen_at_the_next_judgement() -> None:
    from monitor.store.protocol import Cursor

    one = evaluator(BALANCE)
    cursor = Cursor("main", "all", START, START - DAY)
    assert one.evaluate(cursor).alerts == {}
    one.account_state = one.account_state.with_balance(START, AccountBalance(3, "EUR"))
    later = Cursor("main", "all", START + MINUTE, START - DAY)
    (alert,) = one.evaluate(later).alerts.values()
    assert alert is not None
    assert (alert.state, alert.value) == ("firing", 3.0)
