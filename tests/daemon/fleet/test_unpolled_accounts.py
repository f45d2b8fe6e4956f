"""What happens to accounts that a worker holds and cannot poll, in a fleet in counted time."""

from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_fleet import Simulation

from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.daemon.fleet.unpolled_accounts import FAILING_FOR, FIRST_REST, UnpolledAccounts, is_out_of_reach

HOUR = 3600.0
BOUND = CHANGEOVER + FAILING_FOR + 30


def unpolled_for(world: Simulation) -> dict[str, float]:
    return {account: world.now - world.polled_at.get(account, 0.0) for account in world.accounts}


def moves_since(world: Simulation, when: float) -> list[str]:
    return [account for at, account, _ in world.moves if at >= when]


def test_a_worker_with_a_wrong_secret_that_took_the_account_gives_it_to_the_one_that_comes_back() -> None:
    world = Simulation(1, accounts=1)
    world.every = 5
    first, bad = world.start(), world.start()
    bad.refused = frozenset(world.accounts)
    world.run(60)
    world.kill(first)
    world.table.leave(first.own.worker)
    world.run(63)
    back = world.start()
    world.run(70)
    assert world.holder("a0") is bad
    world.run(70 + BOUND)
    assert world.holder("a0") is back
    assert unpolled_for(world)["a0"] <= world.every
    world.run(HOUR)
    assert world.holder("a0") is back, "it stays there"


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10**6), others=st.integers(1, 2), accounts=st.integers(1, 9), data=st.data())
def test_what_one_worker_cannot_poll_is_soon_polled_by_another_and_is_tried_ever_more_rarely_there(
    seed: int, others: int, accounts: int, data: st.DataObject
) -> None:
    world = Simulation(seed, accounts=accounts)
    bad, *_ = [world.start() for _ in range(others + 1)]
    world.run(150)
    bad.refused = frozenset(data.draw(st.sets(st.sampled_from(world.accounts), min_size=1)))
    longest = BOUND + 4 * accounts + 2 * world.every
    for _ in range(90):
        world.run(world.now + 10)
        assert max(unpolled_for(world).values()) <= longest, "each is tried there once at most"
    settled = world.now
    world.run(settled + HOUR)
    assert len(moves_since(world, settled)) <= 2 * 3 + accounts, "a try and its end, ever more rarely"
    assert not any(bad.tells(account, world.now) for account in bad.refused)
    assert max(unpolled_for(world).values()) <= world.every + 5


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10**6), workers=st.integers(2, 3), accounts=st.integers(1, 9))
def test_what_no_worker_can_poll_stays_somewhere_and_moves_rarely(seed: int, workers: int, accounts: int) -> None:
    world = Simulation(seed, accounts=accounts)
    all_of_them = [world.start() for _ in range(workers)]
    world.run(150)
    for worker in all_of_them:
        worker.refused = frozenset(world.accounts)
    world.run(150 + FIRST_REST / 2)
    early = moves_since(world, 150)
    standing_by = max(0, workers - accounts)
    assert len(early) <= accounts * standing_by, "only who holds nothing is tried at once"
    world.run(150 + 1.5 * HOUR)
    assert len(moves_since(world, 150)) <= len(early) + 4 * workers
    assert all(world.holder(account) is not None for account in world.accounts)
    for worker in all_of_them:
        worker.refused = frozenset()
    world.run(world.now + world.every + 10)
    assert max(unpolled_for(world).values()) <= world.every + 10
    assert max(world.counts()) <= accounts


def test_what_only_the_holder_of_the_last_resort_has_is_taken_over_at_once_if_that_one_dies() -> None:
    world = Simulation(3, accounts=1)
    first, second = world.start(), world.start()
    first.refused = second.refused = frozenset(world.accounts)
    world.run(HOUR / 4)
    holder = world.holder("a0")
    assert holder is not None
    world.kill(holder)
    world.run(world.now + 12)
    assert world.holder("a0") is (first if holder is second else second)


OWN = ("401", "403", "407", "408", "503", "timeout", "dns", "html")
EVERYBODYS = ("429", "400", "404", "paging", "cancelled")


@pytest.mark.parametrize(("outcome", "is_own"), [*zip(OWN, repeat(True)), *zip(EVERYBODYS, repeat(False))])
def test_only_what_another_worker_may_not_meet_counts(outcome: str, is_own: bool) -> None:
    unpolled = UnpolledAccounts()
    unpolled.failed("a", outcome, 0.0)
    assert (is_out_of_reach(outcome), unpolled.cannot_poll("a")) == (is_own, is_own)
    unpolled.succeeded("a", 1.0)
    assert not unpolled.cannot_poll("a")


def test_after_the_configuration_was_read_anew_it_tries_at_once_what_it_left_to_others() -> None:
    world = Simulation(1, accounts=2)
    bad, _ = world.start(), world.start()
    world.run(150)
    bad.refused = frozenset(world.accounts)
    world.run(150 + world.every + BOUND)
    assert world.counts() == [0, 2]
    bad.refused = frozenset()
    bad.unpolled.reconsider()
    world.run(world.now + 10)
    assert world.counts() == [1, 1]
