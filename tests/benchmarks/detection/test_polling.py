"""What the polls see when, against a simple search, and what a window holds of it."""

import numpy as np

from benchmarks.detection.counts import MINUTES, Feed
from benchmarks.detection.polling import Polls
from benchmarks.detection.traffic import DAY, HOUR, NEVER
from benchmarks.detection.week import generate


def seen(polls: Polls, sent: int, reported: int) -> int:
    return int(polls.seen(np.array([sent], np.int32), np.array([reported], np.int32))[0])


def test_a_fresh_report_is_seen_by_the_next_poll() -> None:
    assert seen(Polls(), 1000, 1010) == 1020
    assert seen(Polls(), 1000, 1019) == 1050  # within the delay of the poll at 1020


def test_a_late_report_waits_for_the_sweep_that_looks_far_enough_back() -> None:
    assert seen(Polls(), 0, 299) == 600  # too old for the overlap: the sweep each 5 minutes
    assert seen(Polls(), 0, 3700) == 2 * HOUR
    assert seen(Polls(), 0, 2 * DAY + 100) == 2 * DAY + 6 * HOUR
    assert seen(Polls(), 0, 8 * DAY) == NEVER
    assert seen(Polls(), 0, NEVER) == NEVER


def test_by_change_each_report_is_seen_by_the_next_poll() -> None:
    assert seen(Polls(by_change=True), 0, 2 * DAY + 100) == 2 * DAY + 120


def test_windows_hold_what_had_been_seen_and_is_dated_within_them() -> None:
    feed = Feed(generate(3, clean=True, rate=1.0, operators=3))
    groups, sent = feed.groups(["operator"]), feed.week.messages
    which = np.ones(len(sent), bool)
    counts = feed.in_window(groups, 900, which)
    assert counts.shape == (len(groups), MINUTES)
    for minute in (100, 5000, 12_345):
        now = minute * 60
        inside = (feed.seen <= now) & (sent.reported <= now) & (sent.reported > now - 900)
        assert np.bincount(groups.code[inside], minlength=len(groups)).tolist() == counts[:, minute].tolist()


def test_groups_name_their_country_and_leave_out_what_has_no_campaign() -> None:
    feed = Feed(generate(5, clean=True, rate=30.0, operators=6))
    for labels in feed.groups(["operator", "sender"]).labels:
        assert labels["country"] == feed.week.account.country[labels["operator"]]
    campaigns = feed.groups(["campaign"])
    assert campaigns.labels
    assert (campaigns.code[feed.week.messages.campaign < 0] == -1).all()
