"""Incidents, put together from the transitions of alerts."""

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes, end_not_seen
from monitor.model.alert import Transition, TransitionSubject, What
from monitor.runtime.clock import MINUTE
from tests.fakes.operator_harness import OperatorHarness


def moved(what: What, at: int, key: str = "f1", level: int = 1) -> Transition:
    return Transition(
        key,
        "R",
        at,
        what,
        "recovered" if what == "resolved" else None,
        0.5,
        TransitionSubject("main", (("operator", key),), level),
    )


def told(one: AlertEpisode) -> list[str]:
    return [event.what for event in one.events]


def test_each_time_an_alert_fires_is_an_episode_of_its_own_the_latest_first() -> None:
    progress: list[What] = ["pending", "fired", "acknowledged", "escalated", "resolved", "pending", "dropped", "fired"]
    last, dropped, first = alert_episodes(moved(what, at) for at, what in enumerate(progress))
    assert told(first) == ["pending", "fired", "acknowledged", "escalated", "resolved"]
    assert (first.pending_at, first.firing_at, first.ended_at, first.because) == (0, 1, 4, "recovered")
    assert (told(dropped), dropped.firing_at, dropped.ended_at) == (["pending", "dropped"], None, 6)
    assert (told(last), last.firing_at, last.ended_at) == (["fired"], 7, None)
    assert first.group == (("operator", "f1"),)


def test_alerts_that_interleave_are_kept_apart() -> None:
    found = alert_episodes(
        [moved("fired", 1), moved("fired", 2, "f2"), moved("resolved", 3), moved("resolved", 4, "f2")]
    )
    assert [(one.fingerprint, one.ended_at) for one in found] == [("f2", 4), ("f1", 3)]


def test_what_began_before_the_first_that_is_known_is_an_episode_too() -> None:
    [one] = alert_episodes([moved("escalated", 5), moved("resolved", 9)])
    assert (one.firing_at, one.began_at, one.ended_at, one.fired) == (None, 5, 9, True)


async def test_the_daemon_records_who_acknowledged_and_what_became_of_it() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.poll(2 * MINUTE, Cosmote=0)
    [one] = alert_episodes(world.harness.store.transitions)
    assert told(one) == ["fired", "acknowledged", "resolved"]
    about = one.events[1].about
    assert about is not None
    assert (about.by, about.account, dict(about.group)["operator"]) == ("Ann", "main", "Cosmote")


def test_an_alert_that_the_store_lost_ends_where_the_next_one_of_its_group_begins_and_says_so() -> None:
    beginnings: list[What] = ["pending", "fired"]
    for beginning in beginnings:
        again, lost = alert_episodes([moved("fired", 1), moved("acknowledged", 2), moved(beginning, 5)])
        assert (told(lost), lost.ended_at, lost.because) == (["fired", "acknowledged", "resolved"], 5, "end_not_seen")
        assert (told(again), again.ended_at) == ([beginning], None)


def test_an_alert_that_was_lost_before_it_fired_ends_before_it_fired() -> None:
    _, lost = alert_episodes([moved("pending", 1, level=0), moved("pending", 5, level=0)])
    assert (told(lost), lost.fired, lost.ended_at) == (["pending", "dropped"], False, 5)


def test_an_end_that_was_not_seen_counts_once_and_ends_nothing_that_began_later() -> None:
    first, second = unseen_end(4), unseen_end(4)
    [one] = alert_episodes([moved("fired", 1), first, second])
    assert (told(one), one.ended_at) == (["fired", "resolved"], 4)
    again, before = alert_episodes([moved("fired", 1), moved("resolved", 3), moved("fired", 9), first])
    assert (again.ended_at, before.ended_at, before.because) == (None, 3, "recovered")


def unseen_end(at: int) -> Transition:
    return end_not_seen(moved("fired", 1), at)
