"""A message that its search's filter does not match any more has left that search, and where none else has it nobody knows its status."""

import pytest
from trio.testing import MockClock

from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.window import Query, Window, WindowReader
from monitor.window.recorded_messages import RecordedMessages
from tests.fakes.watched import watched, written

QUEUED = "{name: queued, filters: [{field: status, is: Queued}]}"
EVERYTHING = "{name: everything}"
RULES = """
    {name: Count, kind: count, search: queued, window: 1h, above: 5}
    {name: Stuck, kind: stuck, search: queued, older_than: 1m, window: 6h, above: 5}
    {name: StuckAnywhere, kind: stuck, older_than: 1m, window: 6h, above: 5}
    {name: QueuedAnywhere, kind: count, match: {status: Queued}, window: 1h, above: 5}
"""
BOTH = pytest.mark.parametrize("select_by", ["sent", "status"])
AGES = pytest.mark.parametrize("age", [5 * SECOND, 20 * MINUTE, 5 * HOUR, 2 * DAY])


@BOTH
@AGES
async def test_a_message_that_was_delivered_is_no_longer_queued(
    select_by: str, age: int, autojump_clock: MockClock
) -> None:
    async with watched(QUEUED, RULES, select_by=select_by) as one:
        sent = one.put(10, ago=age)
        await one.pass_(2 * MINUTE)
        assert one.statuses("queued") == {"Queued": 10}
        assert one.value("Stuck") == (10 if age < 6 * HOUR else 0)
        one.change(sent, "Delivered")
        await one.poll()
        assert [one.value(rule) for rule in one.harness.pipeline.accounts["main"].evaluator.rules] == [0, 0, 0, 0]
        assert one.statuses() == {"unknown": 10}
        assert one.statuses("queued") == {}


EVERY_MESSAGE = """
    {name: Anywhere, kind: count, window: 2m, above: 5}
    {name: New, kind: distinct, field: operator, window: 2m, above: 5}
    {name: Rising, kind: spike, measure: count, window: 2m, above: 2x, baseline: {window: 1h, ago: 2m}, min_messages: 1}
    {name: Silent, kind: absence, window: 1h, min_baseline: 1}
"""


@BOTH
async def test_that_a_message_leaves_every_search_is_no_report_of_it(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(
        "{name: promo, filters: [{field: label, is: promo}]}", EVERY_MESSAGE, select_by=select_by
    ) as one:
        sent = one.put(10, "Sent", label="promo")
        await one.pass_(150 * SECOND)
        before = [one.value(rule) for rule in ("Anywhere", "New", "Rising", "Silent")]
        assert before == [0, 0, 0, 10]
        one.change(sent, "Sent", label="news")
        await one.pass_(75 * SECOND)
        assert one.statuses() == {"unknown": 10}
        assert [one.value(rule) for rule in ("Anywhere", "New", "Rising", "Silent")] == before
        one.change(sent, "Delivered", label="promo")
        await one.poll()
        assert one.value("Anywhere") == 10


@BOTH
async def test_a_message_of_unknown_status_counts_while_a_search_has_it(
    select_by: str, autojump_clock: MockClock
) -> None:
    async with watched(EVERYTHING, EVERY_MESSAGE, select_by=select_by) as one:
        one.put(10, "unknown")
        await one.poll()
        assert one.value("Anywhere") == 10


@BOTH
async def test_beside_a_search_for_everything_it_is_what_that_says(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(f"{QUEUED}\n{EVERYTHING}", RULES, select_by=select_by) as one:
        sent = one.put(10)
        await one.pass_(2 * MINUTE)
        assert one.statuses("queued") == {"Queued": 10}
        one.change(sent, "Delivered")
        await one.poll()
        assert one.statuses() == one.statuses("everything") == {"Delivered": 10}
        assert one.value("Count") == one.value("Stuck") == one.value("StuckAnywhere") == 0


FILTERS = {
    "{field: status, is: Sent}": ({"status": "Sent"}, {"status": "Delivered"}),
    "{field: status, is: Undelivered}": ({"status": "Undelivered"}, {"status": "Delivered"}),
    "{field: status, is_not: Delivered}": ({"status": "Queued"}, {"status": "Delivered"}),
    "{field: status, ends_with: ent}": ({"status": "Sent"}, {"status": "Delivered"}),
    "{field: label, is: promo}": ({"label": "promo"}, {"label": "news"}),
    "{field: label, starts_with: pro}": ({"label": "promo"}, {"label": "news"}),
    "{field: label, is_not: news}": ({"label": "promo"}, {"label": "news"}),
    "{field: direction, is: Outbound}": ({"direction": "Outbound"}, {"direction": "Inbound"}),
    "{field: campaign, is: Spring}": ({"campaignName": "Spring"}, {"campaignName": "Autumn"}),
}


@BOTH
@pytest.mark.parametrize("asked", FILTERS)
async def test_whatever_the_filter_is(asked: str, select_by: str, autojump_clock: MockClock) -> None:
    before, after = FILTERS[asked]
    async with watched(f"{{name: some, filters: [{asked}]}}", select_by=select_by) as one:
        sent = one.put(10, **({"status": "Sent"} | before))
        stays = one.put(3, **({"status": "Sent"} | before))
        await one.pass_(2 * MINUTE)
        assert sum(one.statuses("some").values()) == len(sent) + len(stays)
        one.change(sent, **({"status": "Sent"} | after))
        await one.poll()
        assert sum(one.statuses("some").values()) == len(stays)
        assert one.statuses()["unknown"] == len(sent)


@BOTH
async def test_what_has_left_stays_away_after_a_kill(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(QUEUED, RULES, select_by=select_by) as one:
        sent = one.put(10)
        await one.poll()
        one.change(sent, "Delivered")
        await one.poll()
        before = one.counts("status", "detailedStatus", "label"), one.messages("queued")
        await one.restart()
        assert (one.counts("status", "detailedStatus", "label"), one.messages("queued")) == before
        await one.pass_(10 * MINUTE)
        assert (one.counts("status", "detailedStatus", "label"), one.messages("queued")) == before


@BOTH
@AGES
async def test_what_leaves_while_nobody_looks_is_missed_at_once(
    select_by: str, age: int, autojump_clock: MockClock
) -> None:
    async with watched(QUEUED, RULES, select_by=select_by) as one:
        sent = one.put(10, ago=age)
        await one.pass_(2 * MINUTE)
        one.stop()
        await one.pass_(20 * MINUTE)
        one.change(sent, "Delivered", 10 * MINUTE)
        await one.restart()
        await one.poll()
        assert one.statuses() == {"unknown": 10}


@BOTH
async def test_a_search_that_asks_something_else_has_what_that_returns(
    select_by: str, autojump_clock: MockClock
) -> None:
    async with watched(QUEUED, select_by=select_by) as one:
        one.put(4)
        one.put(3, "Sent")
        await one.poll()
        assert one.statuses() == {"Queued": 4}
        await one.reload(written(QUEUED.replace("is: Queued", "is: Sent")))
        await one.poll()
        assert one.statuses("queued") == {"Sent": 3}
        assert one.statuses() == {"Sent": 3, "unknown": 4}


@BOTH
async def test_a_search_that_is_gone_vouches_for_nothing(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(f"{QUEUED}\n{EVERYTHING}", select_by=select_by) as one:
        sent = one.put(4)
        await one.poll()
        await one.reload(written(QUEUED))
        one.change(sent, "Delivered")
        await one.poll()
        assert one.statuses() == {"unknown": 4}


@BOTH
async def test_a_message_that_comes_back_is_what_it_was(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(QUEUED, RULES, select_by=select_by) as one:
        sent = one.put(10)
        await one.poll()
        one.change(sent, "Sent")
        await one.poll()
        assert one.statuses() == {"unknown": 10}
        one.change(sent, "Queued")
        await one.poll()
        assert one.statuses("queued") == one.statuses() == {"Queued": 10}


@BOTH
async def test_a_campaign_and_a_tracking_id_are_left_too(select_by: str, autojump_clock: MockClock) -> None:
    searches = "{name: campaigns, campaign: true}\n{name: spring, tracking_id: t-1}"
    async with watched(searches, before=lambda one: one.sandbox.put_campaign("t-1", {}), select_by=select_by) as one:
        sent = one.put(5, campaignName="Spring", campaignTrackingId="t-1")
        await one.pass_(2 * MINUTE)
        assert one.statuses("campaigns") == one.statuses("spring") == {"Queued": 5}
        one.change(sent, "Sent", campaignName="Autumn", campaignTrackingId="t-2")
        await one.poll()
        assert one.statuses("campaigns") == {"Sent": 5}
        assert one.statuses("spring") == {}


@BOTH
async def test_of_a_long_message_each_part_leaves_by_itself(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(QUEUED, select_by=select_by) as one:
        [first] = one.put(1, messageId="long", parts=2, part=1)
        [second] = one.put(1, messageId="long", parts=2, part=2)
        await one.poll()
        assert one.statuses("queued") == {"Queued": 1}
        one.change([first], "Delivered")
        await one.poll()
        assert one.statuses("queued") == {"Queued": 1}
        one.change([second], "Delivered")
        await one.poll()
        assert (one.statuses("queued"), one.statuses()) == ({}, {"unknown": 1})


async def test_a_poll_that_fails_proves_nothing(autojump_clock: MockClock) -> None:
    async with watched(QUEUED) as one:
        one.put(10)
        await one.poll()
        one.wires["queued"].down = True
        await one.pass_(5 * MINUTE)
        assert one.statuses("queued") == {"Queued": 10}
        one.wires["queued"].down = False
        one.harness.store.failures = 1
        await one.pass_(2 * MINUTE)
        assert one.statuses("queued") == {"Queued": 10}


@BOTH
async def test_a_commit_that_fails_is_made_up_for(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(QUEUED, select_by=select_by) as one:
        sent = one.put(10)
        await one.poll()
        one.change(sent, "Delivered")
        one.harness.store.failures = 2
        await one.pass_(2 * MINUTE)
        await one.restart()
        assert one.statuses() == {"unknown": 10}


@BOTH
async def test_a_backtest_knows_that_the_search_had_it(select_by: str, autojump_clock: MockClock) -> None:
    async with watched(QUEUED, select_by=select_by) as one:
        sent = one.put(10)
        await one.pass_(5 * MINUTE)
        one.change(sent, "Delivered")
        await one.poll()
        past = RecordedMessages(one.window)
        past.feed(one.clock.now() - 2 * MINUTE)
        assert had(past.window) == 10
        past.feed(one.clock.now())
        assert had(past.window) == 0


def had(window: Window) -> int:
    """How many messages the search has."""
    return int(WindowReader(window).tally(Query(0, 1 << 62, search="queued")).counts.sum())
