"""Which accounts a worker holds, and that at no instant two workers act for one account."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_fleet import Simulation, may_act

from monitor.daemon.fleet.distribution import own_moves
from monitor.daemon.fleet.ownership import CHANGEOVER, HURRIED, OVERDUE, PAUSE, TRUSTED, Ownership
from monitor.model.fleet import Fleet, LeaseView, WorkerView
from tests.fakes.lease_table import TTL
from tests.fakes.rounds import rounds

A, B, C = "athens", "berlin", "cairo"


def fleet(*workers: int, **held: tuple[int, int | None]) -> Fleet:
    """A fleet of living workers, all of which have all accounts; ``held`` are token and holder by account."""
    return mixed(dict.fromkeys(workers, tuple(held)), **held)


def mixed(wanted: dict[int, tuple[str, ...]], **held: tuple[int, int | None]) -> Fleet:
    """A fleet of living workers with the accounts that each one has in its configuration."""
    views = tuple(WorkerView(one, f"host:{one}", "1", "", 0, 5_000_000, names) for one, names in wanted.items())
    return Fleet(views, tuple(LeaseView(name, token, worker, 0, 5_000_000) for name, (token, worker) in held.items()))


def holding(*accounts: str, since: float = 0.0, worker: int = 1) -> Ownership:
    own = Ownership(worker)
    own.beaten(since, since, fleet(worker), accounts)
    own.took(dict.fromkeys(accounts, 7))
    return own


def test_a_worker_alone_takes_every_account() -> None:
    free = fleet(1, **dict.fromkeys((A, B, C), (0, None)))
    assert Ownership(1).beaten(0.0, 0.1, free, [C, A, B]).take == (C, A, B)


def test_an_account_that_is_left_alone_is_not_taken_and_is_another_ones_turn() -> None:
    workers = (
        WorkerView(1, "host:1", "1", "", 0, 5_000_000, (A, B), (A,)),
        WorkerView(2, "host:2", "1", "", 0, 5_000_000, (A, B)),
    )
    free = Fleet(workers, tuple(LeaseView(name, 0, None, None) for name in (A, B)))
    one, two = (
        Ownership(number).beaten(0.0, 0.1, free, [A, B], (), workers[number - 1].left_alone) for number in (1, 2)
    )
    assert (one.take, two.take) == ((B,), (A,))


def test_an_account_is_not_given_to_who_leaves_it_alone() -> None:
    workers = (
        WorkerView(1, "host:1", "1", "", 0, 5_000_000, (A, B, C)),
        WorkerView(2, "host:2", "1", "", 0, 5_000_000, (A, B, C), (B, C)),
    )
    held = Fleet(workers, tuple(LeaseView(name, 7, 1, 0, 5_000_000) for name in (A, B, C)))
    assert holding(A, B, C).beaten(1.0, 1.1, held, [A, B, C]).released == (A,)


def test_an_account_that_its_workers_leave_alone_is_no_orphan_and_not_taken_for_want_of_others() -> None:
    workers = (
        WorkerView(1, "host:1", "1", "", 0, 5_000_000, (B,)),
        WorkerView(2, "host:2", "1", "", 0, 5_000_000, (A, B), (A,)),
    )
    free = Fleet(workers, (LeaseView(A, 0, None, None), LeaseView(B, 1, 1, 0, 5_000_000)))
    without, with_it = Ownership(1), Ownership(2)
    for at in (0.0, OVERDUE, CHANGEOVER):
        assert without.beaten(at, at, free, [B], [A]).take == ()
        left = with_it.beaten(at, at, free, [A, B], (), [A])
        assert (left.take, left.next_in) == ((), PAUSE)


def test_it_acts_only_until_its_trust_in_the_last_beat_ends() -> None:
    own = holding(A, since=10.0)
    assert may_act(own, A, 10.0 + TRUSTED - 0.001)
    assert not may_act(own, A, 10.0 + TRUSTED)
    assert not may_act(own, B, 10.0)
    assert own.expired(10.0 + TRUSTED)
    assert not own.expired(10.0 + TRUSTED), "once each time"


def test_the_beats_start_counts_and_not_its_answer() -> None:
    own = holding(A)
    own.beaten(2.0, 6.0, fleet(1, athens=(7, 1)), [A])
    assert own.deadline == 2.0 + TRUSTED


def test_an_answer_that_is_too_old_resumes_nothing() -> None:
    own = holding(A)
    assert own.expired(4.5)
    assert not own.beaten(1.0, 5.6, fleet(1, athens=(7, 1)), [A]).resumed
    assert not may_act(own, A, 5.6)


def test_it_resumes_with_the_leases_that_nobody_took() -> None:
    own = holding(A, B)
    own.expired(5.0)
    decision = own.beaten(20.0, 20.1, fleet(1, 2, athens=(7, 1), berlin=(8, 2)), [A, B])
    assert (decision.dropped, decision.resumed) == ((B,), True)
    assert may_act(own, A, 20.1)
    assert not may_act(own, B, 20.1)


def test_it_beats_more_often_while_an_account_is_held_by_nobody() -> None:
    own = holding(A)
    held = {"athens": (7, 1)}
    assert own.beaten(1.0, 1.0, fleet(1, 2, **held, berlin=(3, 2)), [A, B]).next_in == PAUSE
    assert own.beaten(2.0, 2.0, fleet(1, 2, **held, berlin=(3, None)), [A, B]).next_in == HURRIED
    assert own.beaten(3.0, 3.0, fleet(1, 2, **held, berlin=(3, None)), [A]).next_in == PAUSE


@pytest.mark.parametrize("lease", [(8, 1), (7, 2), (7, None)], ids=["another token", "another holder", "no holder"])
def test_a_lease_that_is_not_its_own_any_more_is_dropped(lease: tuple[int, int | None]) -> None:
    own = holding(A)
    assert own.beaten(1.0, 1.0, fleet(1, athens=lease), [A]).dropped == (A,)
    assert own.tokens == {}


def test_it_gives_away_what_is_above_its_share_but_a_few_at_a_time() -> None:
    own = holding(A, B, C)
    everything = dict.fromkeys((A, B, C), (7, 1))
    assert own.beaten(1.0, 1.0, fleet(1, 2, **everything), [A, B, C]).released == (C,)
    assert own.beaten(2.0, 2.0, fleet(1, 2, 3, **everything), [A, B, C]).released == (), "the first is still under way"
    own.forget([C])
    del everything[C]
    assert own.beaten(3.0, 3.0, fleet(1, 2, 3, **everything), [A, B, C]).released == (B,)


def test_of_many_accounts_several_move_at_once() -> None:
    accounts = [f"a{number}" for number in range(100)]
    own = holding(*accounts)
    decision = own.beaten(1.0, 1.0, fleet(1, 2, **dict.fromkeys(accounts, (7, 1))), accounts)
    assert decision.released == tuple(accounts[:-6:-1])


def test_what_is_left_over_stays_with_those_that_hold_most() -> None:
    seen = fleet(1, 2, 3, **{f"a{n}": (1, w) for n, w in enumerate((2, 2, 3, 3))})
    accounts = [lease.account for lease in seen.leases]
    held = {worker: seen.accounts_of(worker) for worker in (1, 2, 3)}
    moves = {worker: own_moves(seen, worker, held[worker], accounts) for worker in held}
    assert {worker: one.give for worker, one in moves.items()} == {1: (), 2: (), 3: ("a3",)}


def test_each_free_account_goes_to_one_worker() -> None:
    """They do not all reach for the same ones."""
    seen = fleet(1, 2, 3, athens=(1, 1), berlin=(1, None), cairo=(1, None))
    moves = {worker: own_moves(seen, worker, seen.accounts_of(worker), [A, B, C]).take for worker in (1, 2, 3)}
    assert moves == {1: (), 2: (B,), 3: (C,)}


# Configurations that differ for a while


def test_an_account_that_only_one_worker_has_is_its_own_whatever_its_share() -> None:
    own = holding(B, worker=2)
    seen = mixed({1: (A, B), 2: (A, B, C)}, athens=(7, 1), berlin=(7, 2), cairo=(0, None))
    assert own.beaten(1.0, 1.0, seen, [A, B, C]).take == (C,)


def test_nothing_is_given_away_that_nobody_else_has() -> None:
    own = holding(A, B, C)
    seen = mixed({1: (A, B, C), 2: (A, B)}, **dict.fromkeys((A, B, C), (7, 1)))
    assert own.beaten(1.0, 1.0, seen, [A, B, C]).released == (B,)
    assert holding(C).beaten(1.0, 1.0, mixed({1: (C,), 2: (A, B)}, cairo=(7, 1)), [C]).released == ()


def test_an_account_that_stays_free_is_taken_by_anybody_who_has_it() -> None:
    """The worker whose turn it is may stand still."""
    own = holding(A)
    seen = fleet(1, 2, athens=(7, 1), berlin=(3, None))
    taken = [own.beaten(when, when, seen, [A, B]).take for when in (1.0, 1.0 + OVERDUE - 0.1, 1.0 + OVERDUE)]
    assert taken == [(), (), (B,)]


def test_an_account_that_is_not_configured_any_more_is_left_to_others_that_keep_it() -> None:
    own = holding(A, B)
    seen = mixed({1: (A,), 2: (B,)}, athens=(7, 1), berlin=(7, 1))
    released = [own.beaten(when, when, seen, [A], [B]).released for when in (1.0, CHANGEOVER, 1.0 + CHANGEOVER)]
    assert released == [(), (), (B,)]
    assert holding(A, B).beaten(1.0, 1.0, mixed({1: (A,), 2: (A,)}, berlin=(7, 1)), [A]).released == ()


def test_an_account_that_all_had_removed_goes_at_once_to_one_that_has_it_again() -> None:
    own, held = holding(A), {"athens": (7, 1)}
    assert own.beaten(1.0, 1.0, mixed({1: (B,), 2: (A, B)}, **held), [B]).released == (), "it may be about to remove it"
    assert own.beaten(2.0, 2.0, mixed({1: (B,), 2: (B,)}, **held), [B]).released == (), "nobody would send for it"
    assert own.beaten(3.0, 3.0, mixed({1: (B,), 2: (A, B)}, **held), [B]).released == (A,)
    assert own.beaten(4.0, 4.0, mixed({1: (B,), 2: (A, B)}, **held), [B]).released == (), "that is under way"


def test_an_account_that_was_removed_and_put_back_here_is_as_if_it_had_never_gone() -> None:
    own, held = holding(A), {"athens": (7, 1)}
    assert own.beaten(1.0, 1.0, mixed({1: (B,), 2: (B,)}, **held), [B]).released == ()
    assert own.beaten(2.0, 2.0, mixed({1: (A, B), 2: (A, B)}, **held), [A, B]).released == ()
    assert own.beaten(3.0, 3.0, mixed({1: (B,), 2: (A, B)}, **held), [B]).released == ()


def test_an_account_that_nobody_has_any_more_is_given_up_once_nothing_is_left_to_do_for_it() -> None:
    own, held = holding(A, B), {"athens": (7, 1), "berlin": (7, 1)}
    seen = mixed({1: (A,), 2: (A,)}, **held)

    def released_at(when: float, orphans: tuple[str, ...], seen: Fleet = seen) -> tuple[str, ...]:
        return own.beaten(when, when, seen, [A], orphans).released

    assert [released_at(when, (B,)) for when in (1.0, 1.0 + CHANGEOVER)] == [(), ()]
    assert [released_at(100.0 + when, ()) for when in (0.0, CHANGEOVER - 1)] == [(), ()]
    assert released_at(100.0 + CHANGEOVER, (B,)) == (), "something has come after all"
    assert [released_at(200.0 + when, ()) for when in (0.0, CHANGEOVER - 1, CHANGEOVER)] == [(), (), (B,)]
    assert released_at(201.0 + CHANGEOVER, ()) == (), "that is under way"


def test_an_account_with_nothing_left_is_kept_while_a_dead_worker_that_had_it_is_remembered() -> None:
    own = holding(A, B)
    alive = mixed({1: (A,)}, athens=(7, 1), berlin=(7, 1))
    seen = Fleet((*alive.workers, WorkerView(2, "host:2", "1", "", 0, -1, (A, B))), alive.leases)
    assert [own.beaten(when, when, seen, [A]).released for when in (1.0, 100.0, 3_000.0)] == [(), (), ()]
    assert [own.beaten(when, when, alive, [A]).released for when in (3_600.0, 3_661.0)] == [(), (B,)]


def test_the_table_gives_nothing_away_before_a_worker_has_stopped() -> None:
    assert TRUSTED < TTL - 1.0, "and a send under way has a second to be cancelled"


def test_an_orphan_is_taken_once_no_worker_has_had_it_for_a_minute() -> None:
    own = holding(A)

    def taken_at(when: float, others: tuple[str, ...]) -> tuple[str, ...]:
        seen = mixed({1: (A,), 2: others}, athens=(7, 1), berlin=(7, None))
        return own.beaten(when, when, seen, [A], orphans=[B]).take

    assert [taken_at(when, (A, B)) for when in (1.0, 100.0)] == [(), ()]
    assert [taken_at(when, (A,)) for when in (101.0, 100.0 + CHANGEOVER)] == [(), ()]
    assert taken_at(102.0 + CHANGEOVER, (A, B)) == (), "it was only restarting"
    assert [taken_at(200.0 + when, (A,)) for when in (0.0, CHANGEOVER - 1, CHANGEOVER)] == [(), (), (B,)]


def test_an_orphan_that_a_dead_worker_had_is_left_to_it_while_it_is_remembered() -> None:
    """It is the only one that had the new configuration, and it was killed."""
    own = holding(A)
    dead = WorkerView(2, "host:2", "1", "", 0, -1, (A, B))
    alive = mixed({1: (A,)}, athens=(7, 1), berlin=(7, None))
    seen = Fleet((*alive.workers, dead), alive.leases)
    assert [own.beaten(when, when, seen, [A], orphans=[B]).take for when in (1.0, 100.0, 3_000.0)] == [(), (), ()]
    assert [own.beaten(when, when, alive, [A], orphans=[B]).take for when in (3_600.0, 3_661.0)] == [(), (B,)]


# Random schedules


def trouble(simulation: Simulation, random: Random, until: float) -> None:
    """Kills, starts, stops and cuts workers at random times."""
    for _ in range(random.randrange(1, 12)):
        simulation.at(random.uniform(0.0, until), lambda: _mishap(simulation, random))


def _mishap(simulation: Simulation, random: Random) -> None:
    living = simulation.living()
    what = random.choice(["kill", "start", "sleep", "cut"])
    if what == "start" or len(living) < 2:
        if len(living) < 5:
            simulation.start()
    elif what == "kill":
        simulation.kill(random.choice(living))
    elif what == "sleep":
        random.choice(living).asleep_until = simulation.now + random.uniform(0.1, 30.0)
    else:
        random.choice(living).cut_until = simulation.now + random.uniform(0.1, 30.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([0.0, 0.1, 0.4]))
def test_at_no_instant_do_two_workers_act_for_one_account_and_all_ends_well(
    seed: int, accounts: int, slowness: float
) -> None:
    simulation, random = Simulation(seed, accounts, slowness), Random(seed)
    for _ in range(random.randrange(1, 4)):
        simulation.start()
    trouble(simulation, random, 60.0)
    simulation.run(60.0)
    simulation.slowness = 0.0  # from now on all goes well
    simulation.run(60.0 + 30.0 + 60.0)
    for account in simulation.accounts:
        assert simulation.holder(account) is not None, f"nobody has {account}"
    counts = simulation.counts()
    assert counts[-1] - counts[0] <= 1, counts
    quiet_since = simulation.now
    simulation.run(quiet_since + 60.0)
    assert [move for move in simulation.moves if move[0] > quiet_since] == [], "accounts move although nothing happens"


@settings(max_examples=rounds(40, else_=16), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(2, 5))
def test_after_a_kill_somebody_else_has_each_account_within_ten_seconds(seed: int, accounts: int, workers: int) -> None:
    simulation, random = Simulation(seed, accounts), Random(seed)
    for _ in range(workers):
        simulation.start()
    simulation.run(60.0 + random.random())
    killed = random.choice(simulation.living())
    simulation.kill(killed)
    simulation.run(simulation.now + 8.0)  # leaves two seconds to read the account from the store
    for account in simulation.accounts:
        assert simulation.holder(account) is not None


@settings(max_examples=rounds(20, else_=8), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120), st.integers(1, 4))
def test_a_worker_that_comes_has_its_share_within_a_minute(seed: int, accounts: int, workers: int) -> None:
    simulation = Simulation(seed, accounts)
    for _ in range(workers):
        simulation.start()
    simulation.run(60.0)
    moved, newcomer = len(simulation.moves), simulation.start()
    simulation.run(simulation.now + 60.0)
    counts = simulation.counts()
    assert counts[-1] - counts[0] <= 1, counts
    assert sum(counts) == accounts
    others = [move for move in simulation.moves[moved:] if move[2] != newcomer.own.worker]
    assert len(others) <= workers, "hardly an account moves but those that the newcomer gets"


@settings(max_examples=rounds(40, else_=16), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([0.0, 0.2]))
def test_while_configurations_differ_each_account_is_held_by_one_that_has_it(
    seed: int, accounts: int, slowness: float
) -> None:
    simulation, random = Simulation(seed, accounts, slowness), Random(seed)
    for _ in range(random.randrange(1, 5)):
        simulation.start(*random.sample(simulation.accounts, random.randint(1, accounts)))
    simulation.start()
    simulation.run(30.0)
    for worker in simulation.living():
        worker.wanted = random.sample(simulation.accounts, random.randint(1, accounts))
    simulation.slowness = 0.0
    simulation.run(30.0 + CHANGEOVER + 60.0)
    for account in simulation.accounts:
        if any(account in one.wanted for one in simulation.living()):
            holder = simulation.holder(account)
            assert holder is not None, f"nobody has {account}"
            assert account in holder.wanted, f"{account} is not configured where it is held"
    quiet_since = simulation.now
    simulation.run(quiet_since + 60.0)
    assert [move for move in simulation.moves if move[0] > quiet_since] == [], "accounts move although nothing happens"
