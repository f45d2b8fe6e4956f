"""What happens to accounts that a worker holds and cannot poll, in a fleet in counted time."""

from itertools import pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_fleet import Simulation, Worker

from monitor.daemon.fleet.left_reasons import CAN_AGAIN, wrong_clock
from monitor.daemon.fleet.left_reasons import unpolled as unpolled_because
from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.daemon.fleet.unpolled_accounts import (
    FAILING_FOR,
    FIRST_REST,
    LONGEST_PAUSE,
    OFTEN,
    UNDECIDED_FOR,
    UnpolledAccounts,
    is_out_of_reach,
)
from monitor.model.fleet import Fleet, LeaseView, WorkerView
from monitor.runtime.clock import MINUTE

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
def test_what_one_worker_cannot_poll_is_soon_polled_by_another_and_stays_there(
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
    assert not moves_since(world, settled), "it is asked for, and not taken"
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


def left_by_one(seed: int, accounts: int) -> tuple[Simulation, Worker]:
    """Returns two workers of which the second has polled everything for nearly an hour, and the first one, which could poll nothing."""
    world = Simulation(seed, accounts=accounts)
    bad, _ = world.start(), world.start()
    world.run(150)
    bad.refused = frozenset(world.accounts)
    world.run(HOUR)
    assert world.counts() == [0, accounts]
    return world, bad


@settings(deadline=None, max_examples=2)
@given(seed=st.integers(0, 10**6), accounts=st.integers(2, 9))
def test_a_worker_that_can_poll_again_has_its_share_within_minutes(seed: int, accounts: int) -> None:
    world, bad = left_by_one(seed, accounts)
    before = len(world.moves)
    bad.refused = frozenset()
    world.run(world.now + LONGEST_PAUSE + 2 * world.every + 10 * accounts)
    assert world.counts() == [accounts // 2, accounts - accounts // 2]
    assert len(world.moves) - before == accounts // 2, "nothing moves that need not"
    assert max(unpolled_for(world).values()) <= world.every + 5


def test_what_is_left_to_others_is_tried_cheaply_and_never_taken_for_it() -> None:
    world, bad = left_by_one(1, accounts=3)
    assert not [at for at, _, number in world.moves if at > 600 and number == bad.own.worker]
    late = [account for at, account in bad.probes if at > HOUR / 2]
    assert {late.count(account) for account in world.accounts} == {HOUR // 2 // LONGEST_PAUSE}


def test_what_is_polled_by_nobody_is_tried_more_often() -> None:
    world = Simulation(1, accounts=1)
    started = world.start(), world.start()
    world.run(150)
    first, second = sorted(started, key=lambda one: world.holder("a0") is not one)
    first.refused = frozenset(world.accounts)
    world.run(HOUR / 2)
    assert world.holder("a0") is second
    second.refused = frozenset(world.accounts)
    world.run(HOUR)
    since = world.now - 600
    assert len([at for at, _ in first.probes if at > since]) == 600 // OFTEN
    first.refused = frozenset()
    world.run(world.now + OFTEN + CHANGEOVER + world.every + 10)
    assert world.holder("a0") is first
    assert unpolled_for(world)["a0"] <= world.every


def test_a_worker_whose_polls_fail_although_a_question_is_answered_tries_ever_more_rarely() -> None:
    world, bad = left_by_one(1, accounts=4)
    bad.misleading = bad.refused
    world.run(2.5 * HOUR)
    tries = [at for at, _, number in world.moves if at > HOUR and number == bad.own.worker]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == pytest.approx([rests * FIRST_REST + BOUND for rests in (1, 2, 4)], abs=BOUND)
    bad.refused = frozenset()
    world.run(world.now + 8 * FIRST_REST + 2 * world.every + 60)
    assert world.counts() == [2, 2]


OWN = ("401", "403", "407", "408", "503", "timeout", "dns", "html")
EVERYBODYS = ("429", "400", "404", "paging", "cancelled")


@pytest.mark.parametrize(("outcome", "is_own"), [*zip(OWN, repeat(True)), *zip(EVERYBODYS, repeat(False))])
def test_only_what_another_worker_may_not_meet_counts(outcome: str, is_own: bool) -> None:
    unpolled = UnpolledAccounts()
    unpolled.failed("a", outcome, 0.0)
    assert (is_out_of_reach(outcome), unpolled.cannot_poll("a")) == (is_own, is_own)
    unpolled.succeeded("a", 1.0)
    assert not unpolled.cannot_poll("a")


def test_it_says_why_it_leaves_an_account_to_others_and_what_to_do() -> None:
    world = Simulation(1, accounts=3)
    bad, _ = world.start(), world.start()
    world.run(150)
    bad.refused = frozenset(world.accounts)
    world.run(200 + BOUND)
    refused = "Routee refuses the credentials (401); check application_id and secret on its machine, and reload it"
    assert set(bad.unpolled.reasons.values()) == {
        f"it cannot poll it: {refused}",
        f"none of its requests to Routee succeeds: {refused}",
    }
    assert bad.unpolled.reasons.keys() == set(world.accounts)
    bad.refused = frozenset()
    said = set()
    for _ in range(int(LONGEST_PAUSE) + 2 * world.every):
        world.run(world.now + 1)
        said |= set(bad.unpolled.reasons.values())
    assert CAN_AGAIN in said
    assert bad.unpolled.reasons == {}


@pytest.mark.parametrize(
    ("outcome", "advice"),
    [
        ("403", "check from which addresses"),
        ("407", "check the proxy's settings"),
        ("503", "Routee answers 503 there"),
        ("dns", "cannot be reached from there (dns); check network, DNS"),
    ],
)
def test_each_kind_of_trouble_has_its_advice(outcome: str, advice: str) -> None:
    assert advice in unpolled_because(outcome)


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


@pytest.mark.parametrize("good", [1, 2])
@pytest.mark.parametrize("every", [5, 30, 60, 300])
def test_a_worker_that_polls_another_account_well_rests_as_long_and_is_never_cut_off(every: int, good: int) -> None:
    world = Simulation(1, accounts=6)
    world.every = every
    mixed, _ = world.start(), world.start()
    world.run(30)
    well = {account for account in world.accounts if world.holder(account) is mixed}
    mixed.refused = mixed.misleading = frozenset(world.accounts).difference(sorted(well)[:good])
    said = set[str]()
    for now in range(30, 3 * int(HOUR), 10):
        world.run(now)
        said |= {reason for reason in mixed.unpolled.reasons.values() if "none of its requests" in reason}
    tries = [at for at, account, number in world.moves if at > 60 and number == mixed.own.worker]
    assert not said
    first = len(mixed.refused) + 2
    assert len(tries) <= first + 4, "each once or so, and one after each rest of 10, 20, 40 and 80 minutes"
    assert len([at for at in tries if at > 1.5 * HOUR]) <= 2


@pytest.mark.parametrize("every", [60, 300])
def test_in_an_outage_nothing_moves_although_it_is_polled_rarely(every: int) -> None:
    world = Simulation(1, accounts=6)
    world.every = every
    both = [world.start() for _ in range(2)]
    world.run(2 * every)
    for worker in both:
        worker.refused = frozenset(world.accounts)
    world.run(2 * every + HOUR)
    assert moves_since(world, 2 * every) == []


@pytest.mark.parametrize("every", [0, 300])
def test_in_an_outage_nothing_moves_although_some_are_polled_rarely_or_never(every: int) -> None:
    world = Simulation(1, accounts=12)
    world.every = 30
    world.every_of = dict.fromkeys(world.accounts[:2], every)
    both = [world.start() for _ in range(2)]
    world.run(600)
    for worker in both:
        worker.refused = frozenset(world.accounts)
    world.run(600 + HOUR)
    assert moves_since(world, 600) == []
    for worker in both:
        worker.refused = frozenset()
    world.run(600 + 2 * HOUR)
    assert len(moves_since(world, 600 + HOUR)) <= 4, "one of each worker may be tried elsewhere, and come back"


@pytest.mark.parametrize("every", [0, 300])
def test_what_fails_alone_moves_although_others_are_polled_rarely_or_never(every: int) -> None:
    world = Simulation(1, accounts=4)
    world.every = 30
    mixed, good = world.start(), world.start()
    world.run(60)
    bad, rare = (account for account in world.accounts if world.holder(account) is mixed)
    world.every_of = {rare: every}
    mixed.refused = frozenset({bad})
    world.run(60 + BOUND + UNDECIDED_FOR)
    assert world.holder(bad) is good


@pytest.mark.parametrize(
    ("outcome", "is_cut_off"), [("timeout", True), ("unconfigured", True), ("429", False), ("", False)]
)
def test_a_probe_that_another_worker_would_fare_no_better_with_tells_that_routee_is_within_reach(
    outcome: str, is_cut_off: bool
) -> None:
    unpolled, fleet = UnpolledAccounts(), Fleet((), ())
    unpolled.failed("a", "timeout", 0.0)
    unpolled.follow(1, ("a", "b"), fleet, FAILING_FOR)
    assert unpolled.to_probe(FAILING_FOR) == ("b",)
    unpolled.probed("b", FAILING_FOR + 1, outcome)
    unpolled.follow(1, ("a", "b"), fleet, FAILING_FOR + 2)
    assert unpolled.to_probe(FAILING_FOR + 2) == ()
    assert unpolled.left_alone == {"a"}
    assert unpolled._is_cut_off == is_cut_off


def test_nothing_is_decided_before_a_good_account_was_asked_again_or_for_a_minute_and_a_half() -> None:
    both = ("a", "b")
    rows = tuple(WorkerView(number, f"w{number}", "1", "", 0, MINUTE, both) for number in (1, 2))
    leases = (*(LeaseView(account, 1, 1, 0, MINUTE) for account in both), LeaseView("c", 1, 2, 0, MINUTE))
    fleet = Fleet(rows, leases)

    def after(seconds: float, then: str = "") -> UnpolledAccounts:
        unpolled = UnpolledAccounts()
        unpolled.succeeded("b", 0.0)
        unpolled.failed("a", "401", 1.0)
        if then:
            unpolled.failed("b", "401", 2.0) if then == "fails" else unpolled.succeeded("b", 2.0)
        unpolled.follow(1, both, fleet, 1.0 + seconds)
        return unpolled

    assert after(UNDECIDED_FOR - 1).left_alone == frozenset()
    assert after(UNDECIDED_FOR).left_alone == {"a"}
    assert after(FAILING_FOR, "succeeds").left_alone == {"a"}
    assert after(FAILING_FOR - 1, "fails").left_alone == frozenset()
    assert after(FAILING_FOR, "fails").left_alone == {"a", "c"}


def fleet_of(*theirs: str, worker: int = 2) -> Fleet:
    """Returns a fleet of workers 1 and 2, which both would take ``theirs``; ``worker`` holds them."""
    rows = tuple(WorkerView(number, f"w{number}", "1", "", 0, MINUTE, theirs) for number in (1, 2))
    return Fleet(rows, tuple(LeaseView(account, 1, worker, 0, MINUTE) for account in theirs))


def test_the_others_do_not_wait_for_an_account_that_is_gone() -> None:
    unpolled = UnpolledAccounts()
    for account in ("a", "b"):
        unpolled.given_back(account, 0.0)
    unpolled.follow(1, (), fleet_of("a", "b"), 0.0)
    for account in ("a", "b"):
        unpolled.probed(account, 20.0)
    unpolled.follow(1, (), fleet_of("a", "b"), 20.0)
    assert unpolled.left_alone == {"b"}, "a is tried first"
    unpolled.follow(1, (), fleet_of("b"), 21.0)
    assert unpolled.left_alone == frozenset()


def test_an_answer_for_an_account_that_was_taken_meanwhile_proves_nothing() -> None:
    unpolled = UnpolledAccounts()
    unpolled.given_back("a", 0.0)
    unpolled.follow(1, (), fleet_of("a"), 0.0)
    assert unpolled.to_probe(20.0) == ("a",)
    unpolled.follow(1, ("a",), fleet_of("a", worker=1), 21.0)
    unpolled.probed("a", 22.0)
    unpolled.failed("a", "401", 23.0)
    unpolled.given_back("a", 40.0)
    unpolled.follow(1, (), fleet_of("a"), 41.0)
    assert unpolled.to_probe(100.0) == ("a",), "no probe has misled it, so it does not rest"


@pytest.mark.parametrize(
    ("why", "is_overdue"), [(unpolled_because("401"), True), ("", True), (wrong_clock(8 * MINUTE), False)]
)
def test_an_account_that_a_worker_leaves_alone_because_of_its_clock_is_not_overdue(why: str, is_overdue: bool) -> None:
    standby = WorkerView(2, "two", "1", "", 0, MINUTE, ("a", "b"), ("a", "b"), (why, why) if why else ())
    unpolled = UnpolledAccounts()
    unpolled.follow(1, ["a"], Fleet((standby,), (LeaseView("a", 1, 1, 0, MINUTE),)), 0.0)
    assert [unpolled.is_overdue(account) for account in "ab"] == [is_overdue] * 2
