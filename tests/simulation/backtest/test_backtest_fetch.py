"""Messages of the past from Routee: what is asked for them, and what is shown meanwhile."""

import random

import pytest

from monitor.config.monitor import Search
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import DAY, HOUR, SECOND, Duration
from monitor.simulation.backtest.fetch import fetch
from tests.fakes.hand_clock import HandClock
from tests.fakes.tracking import FakeTracking

NOW = 20_000 * DAY
EVEN, BURSTS = 6 * DAY, (HOUR, 3 * SECOND)


def held(count: int, span: Duration, by: str) -> FakeTracking:
    tracking, dice = FakeTracking(HandClock(NOW), by=by), random.Random(count)
    for number in range(count):
        tracking.send(f"m{number}", NOW - HOUR - dice.randrange(span))
    return tracking


@pytest.mark.parametrize("by", ["status", "sent"])
@pytest.mark.parametrize("span", [EVEN, *BURSTS])
@pytest.mark.parametrize("pages", [0, 1, 12])
async def test_requests_are_bounded_by_the_pages_that_the_messages_fill(
    pages: int, span: Duration, by: str, autojump_clock: object
) -> None:
    tracking, shown = held(pages * PAGE_SIZE, span, by), list[tuple[str, int, int]]()
    search = Search.model_validate({"name": "outbound", "account": "main"})
    found = await fetch(
        tracking,
        [search],
        NOW - 30 * DAY,
        NOW,
        RecipientMask("mask"),
        HandClock(NOW),
        lambda *progress: shown.append(progress),
    )
    assert found.account.known.messages == pages * PAGE_SIZE
    # A burst is looked for with slices that turn out too long: each is asked for once in vain.
    assert found.requests == len(tracking.asked) <= (pages + 4 if span == EVEN else 2 * pages + 30)
    assert [one[1] for one in shown] == sorted(one[1] for one in shown)
    assert {(name, total) for name, _, total in shown} == {("outbound", pages * PAGE_SIZE)}
    assert shown[-1][1] == pages * PAGE_SIZE
