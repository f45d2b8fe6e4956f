"""Messages that were lost from the store are read again as far back as rules look, further than the sweeps do."""

import pytest
from test_poll_loop import EVERY, FRESH, NOW, OUTAGE, World
from trio.testing import MockClock

from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration

MESSAGES = 9_000
PAGES = 9


def lossy(lost: Duration, resweeps: tuple[tuple[Duration, Duration], ...] = FRESH, pages: int = PAGES) -> World:
    """A search with messages of six days."""
    world = World(resweeps, page_size=MESSAGES // pages)
    world.fill(MESSAGES, over=6 * DAY)
    world.unread = lost
    return world


@pytest.mark.parametrize("resweeps", [(), FRESH, (*FRESH, (HOUR, 5 * MINUTE))])
@pytest.mark.parametrize("lost", [0, HOUR, DAY, 7 * DAY])
async def test_what_was_lost_is_read_again_and_no_more_than_that(
    autojump_clock: MockClock, resweeps: tuple[tuple[Duration, Duration], ...], lost: Duration
) -> None:
    world = lossy(lost, resweeps)
    async with world.running():
        await world.pass_(5 * MINUTE)
    read = len(world.sink.seen())
    if lost == 7 * DAY:
        assert read == MESSAGES
    else:
        assert abs(read - max(lost, HOUR if len(resweeps) > 1 else 15 * MINUTE) * MESSAGES // (6 * DAY)) < 30
    assert world.figures.shares[-1] == 1.0
    if lost:
        assert world.sink.cursors[-1].covered_since <= max(NOW - lost, NOW - 7 * DAY + 10 * MINUTE) + MINUTE


@pytest.mark.parametrize("lost", [DAY, 7 * DAY])
async def test_it_is_read_once(autojump_clock: MockClock, lost: Duration) -> None:
    costs = []
    for one in (0, lost):
        world = lossy(one)
        async with world.running():
            await world.pass_(5 * MINUTE)
            before = len(world.tracking.asked)
            await world.pass_(HOUR)
        costs.append((before, len(world.tracking.asked) - before))
    (never, usual), (again, afterwards) = costs
    assert afterwards == usual, "as a search of which nothing was lost"
    assert again - never <= 2 * PAGES + 12


async def test_polls_come_as_ever_meanwhile(autojump_clock: MockClock) -> None:
    world = lossy(7 * DAY, pages=90)
    world.tracking.latency = 8.0
    async with world.running():
        await world.pass_(10 * MINUTE)
        assert len(world.sink.seen()) < MESSAGES, "it takes longer"
        assert world.polls() >= 10 * MINUTE // EVERY // 2
        await world.pass_(HOUR)
    assert len(world.sink.seen()) == MESSAGES


async def test_after_a_restart_in_the_middle_it_goes_on(autojump_clock: MockClock) -> None:
    world = lossy(7 * DAY, pages=90)
    world.tracking.latency = 8.0
    async with world.running():
        await world.pass_(6 * MINUTE)
    read, requests = len(world.sink.seen()), len(world.tracking.asked)
    assert MESSAGES // 10 < read < MESSAGES
    world.cursor = world.sink.cursors[-1]
    world.tracking.latency = 0.1
    async with world.running():
        await world.pass_(5 * MINUTE)
    assert len(world.sink.seen()) == MESSAGES
    assert len(world.tracking.asked) - requests < 90 + 40


async def test_what_fails_is_read_at_the_next_interval(autojump_clock: MockClock) -> None:
    world = lossy(DAY)
    world.tracking.faults = dict.fromkeys(range(2, 6), OUTAGE)
    async with world.running():
        await world.pass_(5 * MINUTE)
    assert sum(one.kind == "sweep" and one.outcome == "503" for one in world.figures.rounds) >= 1
    assert world.sink.cursors[-1].covered_since <= NOW - DAY + 2 * MINUTE


async def test_the_share_that_is_read_counts_what_was_lost(autojump_clock: MockClock) -> None:
    world = lossy(7 * DAY)
    async with world.running():
        await world.pass_(5 * MINUTE)
    shares = world.figures.shares
    assert shares[0] < 0.01
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


async def test_while_it_fails_it_is_tried_once_an_interval(autojump_clock: MockClock) -> None:
    world = lossy(DAY, ((5 * MINUTE, 50 * SECOND),))

    def drift() -> None:
        if world.tracking.asked[-1].start < NOW - HOUR:
            raise OUTAGE

    world.tracking.drift = drift
    async with world.running():
        await world.pass_(20 * MINUTE)
    failed = sum(one.kind == "sweep" and one.outcome == "503" for one in world.figures.rounds)
    assert 10 <= failed <= 20 * MINUTE // EVERY
