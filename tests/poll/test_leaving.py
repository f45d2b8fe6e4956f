"""A message that its search's filter does not match any more has left that search, and where none else has it nobody knows its status."""

import pytest
from trio.testing import MockClock

from monitor.clock import DAY, HOUR, MINUTE, SECOND
from tests.fakes.watched import watched

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
        assert [one.value(rule) for rule in one.station.pipeline.desks["main"].judge.rules] == [0, 0, 0, 0]
        assert one.statuses() == {"unknown": 10}
        assert one.statuses("queued") == {}


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
