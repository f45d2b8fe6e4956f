"""What a daemon does with what each beat tells: others' edits, callbacks that came there, what it reports of the fleet."""

from dataclasses import replace

import trio
import trio.testing

from monitor.daemon.elsewhere import Elsewhere
from monitor.daemon.fleet.fleet_json import fleet_json, held_by, is_old
from monitor.daemon.fleet.follower import UNREAD, FleetFollower
from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.model.fleet import Fleet, FleetView, LeaseView, WorkerView
from monitor.runtime.clock import SECOND, TrioClock, iso
from monitor.runtime.errors import StoreError
from monitor.store.leases import LEASE_TTL
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.routee import START
from tests.fakes.written import settings

LIVES = 5 * SECOND
FLEET = Fleet(
    (
        WorkerView(1, "one:11", "1.0", "", START, LIVES),
        WorkerView(
            2,
            "two:22",
            "1.1",
            "http://two:9465",
            START + SECOND,
            LIVES,
            ("main", "athens"),
            ("athens",),
            ("it cannot",),
        ),
        WorkerView(3, "three:33", "1.0", "", START, -SECOND),
    ),
    (
        LeaseView("athens", 4, 1, START + SECOND, LIVES),
        LeaseView("main", 7, 2, START, LIVES),
        LeaseView("gone", 1, 3, START, -SECOND),
    ),
)
VIEW = FleetView(FLEET, START, 1, callbacks_wait=False)


class Stage:
    """A follower over a real pipeline. ``rereads`` counts how often silences were read again, ``taken`` how often callbacks were taken in."""

    def __init__(self, *wanted: str) -> None:
        self.harness = PipelineHarness(settings(), TrioClock(START))
        self.harness.health.searches([])
        self.rereads, self.taken, self.failures, self.logouts_read = 0, 0, 0, 0
        self.harness.pipeline.suppressions_changed = self._reread  # type: ignore[method-assign]  # it only counts
        self.acts_for = set(wanted)
        self.follower = FleetFollower(
            _no_keeper(),
            self.harness.pipeline,
            lambda: wanted,
            self._take,
            lambda account: account in self.acts_for,
            self._read_logouts,
        )

    async def _reread(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("busy")
        self.rereads += 1

    async def _read_logouts(self) -> None:
        self.logouts_read += 1

    async def _take(self) -> None:
        self.taken += 1


def _no_keeper() -> LeaseKeeper:
    keeper = LeaseKeeper.__new__(LeaseKeeper)
    keeper._heard_at = 0.0
    return keeper


async def test_others_edits_are_read_once_for_each_change_and_again_if_that_failed() -> None:
    stage = Stage("main")
    stage.failures = 1
    for view in (VIEW, VIEW, VIEW, replace(VIEW, edits=2), replace(VIEW, edits=2)):
        try:
            await stage.follower.follow(view)
        except StoreError:
            assert stage.rereads == 0
    assert stage.rereads == 2
    assert stage.logouts_read == 3, "with the others"


async def test_others_edits_wake_the_senders() -> None:
    stage = Stage("main")
    woken = []
    for view in (VIEW, VIEW, replace(VIEW, edits=2), replace(VIEW, edits=2)):
        before = stage.harness.woken
        await stage.follower.follow(view)
        woken.append(stage.harness.woken > before)
    assert woken == [True, False, True, False], "dead letters may have been retried elsewhere"


async def test_a_worker_that_holds_nothing_is_ready_again_with_the_next_beat() -> None:
    stage = Stage("main")
    stage.harness.health.fleet()
    stage.harness.health.store("no answer")
    await stage.follower.follow(VIEW)
    assert stage.harness.health.unready() == ["The store cannot be written: no answer"], "its next commit shows it"
    await stage.harness.pipeline.release("main")
    stage.harness.pipeline.show_elsewhere(Elsewhere())
    await stage.follower.follow(replace(VIEW, fleet=FLEET))
    assert "The store cannot be written: no answer" not in stage.harness.health.unready()


async def test_what_concerns_no_account_goes_where_the_fleet_says() -> None:
    stage = Stage("main")
    dispatcher = stage.harness.pipeline.dispatcher
    workers = tuple(replace(one, wanted=(f"first of {one.id}", "main")) for one in reversed(FLEET.workers))
    await stage.follower.follow(replace(VIEW, fleet=replace(FLEET, workers=workers)))
    assert (dispatcher.leading, dispatcher.leads) == ("first of 1", False)
    workers = tuple(replace(one, expires_in=one.expires_in if one.id != 1 else -1) for one in workers)
    await stage.follower.follow(replace(VIEW, fleet=replace(FLEET, workers=workers)))
    assert dispatcher.leading == "first of 2"
    workers = tuple(replace(one, wanted=()) if one.id == 2 else one for one in workers)
    await stage.follower.follow(replace(VIEW, fleet=replace(FLEET, workers=workers)))
    assert dispatcher.leading == "first of 2", "nobody has said what is first"


async def test_callbacks_that_wait_are_taken_in() -> None:
    stage = Stage("main")
    await stage.follower.follow(VIEW)
    assert stage.taken == 0
    await stage.follower.follow(replace(VIEW, callbacks_wait=True))
    assert stage.taken == 1


async def test_it_is_not_ready_before_every_account_has_had_somebody_and_never_again_for_that() -> None:
    stage = Stage("main", "gone")
    await stage.follower.follow(VIEW)
    assert stage.harness.health.unready() == ["No daemon works for account gone yet"]
    leases = (*FLEET.leases[:2], LeaseView("gone", 2, 1, START, LIVES))
    everybodys = replace(VIEW, fleet=Fleet(FLEET.workers, leases))
    await stage.follower.follow(everybodys)
    assert stage.harness.health.unready() == [UNREAD], "it would show some of the alerts only"
    stage.harness.pipeline.show_elsewhere(Elsewhere({"gone": stage.harness.pipeline.accounts["main"]}))
    await stage.follower.follow(everybodys)
    assert stage.harness.health.unready() == []
    await stage.follower.follow(VIEW)
    assert stage.harness.health.unready() == [], "an account that moves must not take every daemon out of service"


async def test_metrics_say_who_lives_and_what_is_held_here() -> None:
    stage = Stage("main", "athens")
    assert "routee_monitor_workers" not in stage.harness.metrics.exposition()[0].decode()
    await stage.follower.follow(VIEW)
    text = stage.harness.metrics.exposition()[0].decode()
    assert "\nroutee_monitor_workers 2.0\n" in text
    assert 'routee_monitor_lease_held{account="main"} 1.0' in text
    assert 'routee_monitor_lease_held{account="athens"} 0.0' in text


async def test_metrics_say_how_old_it_is_what_they_say_of_the_others(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage("main")
    await stage.follower.follow(VIEW)
    await trio.sleep(40)
    assert "\nroutee_monitor_workers_age_seconds 40.0\n" in stage.harness.metrics.exposition()[0].decode()


async def test_metrics_say_at_once_that_this_daemon_may_not_act_or_holds_an_account_no_more() -> None:
    stage = Stage("main")

    def is_held() -> bool:
        return 'routee_monitor_lease_held{account="main"} 1.0' in stage.harness.metrics.exposition()[0].decode()

    await stage.follower.follow(VIEW)
    assert is_held()
    stage.acts_for = set()
    assert not is_held(), "no beat succeeds while it may not act"
    stage.acts_for = {"main"}
    assert is_held()
    await stage.harness.pipeline.release("main")
    assert not is_held()


def test_the_fleet_as_json() -> None:
    found = fleet_json(FLEET, 2, ["main", "gone"], as_of=START, now=START + 3 * SECOND)
    assert (found["asOf"], found["age"], is_old(found)) == (iso(START), 3.0, False)
    assert [(one["name"], one["isAlive"], one["isThis"], one["accounts"]) for one in found["workers"]] == [
        ("one:11", True, False, ["athens"]),
        ("two:22", True, True, ["main"]),
        ("three:33", False, False, []),
    ]
    assert [one["removed"] for one in found["workers"]] == [[], [], []]
    assert [one["leavesAlone"] for one in found["workers"]] == [[], ["athens"], []]
    assert [one["leavesAloneWhy"] for one in found["workers"]] == [{}, {"athens": "it cannot"}, {}]
    assert [one["lastSeen"] for one in found["workers"]] == [None, None, iso(START - SECOND - LEASE_TTL)]
    assert found["accounts"] == [
        {"account": "main", "worker": "two:22", "since": iso(START)},
        {"account": "gone", "worker": None, "since": None},
        {"account": "athens", "worker": "one:11", "since": iso(START + SECOND)},
    ]


def test_a_daemon_that_is_silent_and_still_holds_its_accounts_is_marked() -> None:
    def seen(silent: float) -> list[str | None]:
        workers = tuple(replace(one, expires_in=LEASE_TTL - round(silent * SECOND)) for one in FLEET.workers[:2])
        found = fleet_json(replace(FLEET, workers=workers), 2, ["main"], as_of=START, now=START)
        assert [one["isAlive"] for one in found["workers"]] == [True, True]
        return [one["lastSeen"] for one in found["workers"]]

    assert seen(2.9) == [None, None], "a beat may be late"
    assert seen(3.0) == [iso(START - 3 * SECOND), None], "this one is asked, so it lives"


def test_what_no_living_daemon_has_in_its_configuration_any_more_is_marked() -> None:
    dead = replace(FLEET.workers[0], id=4, expires_in=0, wanted=("athens",))
    living = tuple(replace(one, wanted=("main",), left_alone=()) for one in FLEET.workers)
    found = fleet_json(replace(FLEET, workers=(*living, dead)), 2, ["main"], as_of=START, now=START)
    assert [held_by(one) for one in found["workers"]] == [["athens (removed)"], ["main"], [], []]
    del found["workers"][0]["removed"]
    assert held_by(found["workers"][0]) == ["athens"], "what an earlier version answers"


def test_a_fleet_is_old_as_soon_as_a_daemon_may_not_act_by_what_it_last_heard() -> None:
    ages = {}
    for seconds in (0, 4, 5, 600):
        ages[seconds] = is_old(fleet_json(FLEET, 2, ["main"], as_of=START, now=START + seconds * SECOND))
    assert ages == {0: False, 4: False, 5: True, 600: True}
    assert is_old(fleet_json(Fleet(), 2, ["main"], as_of=None, now=START)), "nothing was heard yet"
    assert not is_old({"workers": [], "accounts": []}), "what an earlier version answers"
