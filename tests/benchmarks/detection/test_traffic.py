"""The generator: the same seed gives the same week, and what it says of its incidents is true of its messages."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.detection import incidents, traffic
from benchmarks.detection.incidents import Incident
from benchmarks.detection.traffic import DAY, HOUR, NEVER
from benchmarks.detection.week import DAYS, HISTORY, Week, generate

OF_KIND = {kind: position for position, kind in enumerate(incidents.KINDS)}


@cache
def week(clean: bool = False) -> Week:
    """A week of 20 messages a minute to four operators."""
    return generate(5, clean=clean, rate=20.0, operators=4)


def incident(kind: str) -> Incident:
    return next(one for one in week().incidents if one.kind == kind)


def shares(one: Incident, bad: np.ndarray, margin: int = 0) -> tuple[float, float]:
    """Which part of the messages in an incident's scope is bad: while it lasts, and in the week before all incidents."""
    sent, mine = week().messages.sent, np.zeros(len(week().messages), bool)
    mine[incidents.rows(week().account, week().messages, one, ever=True)] = True
    during = mine & (sent >= one.start + margin) & (sent < one.end)
    return float(bad[during].mean()), float(bad[mine & (sent < HISTORY * DAY)].mean())


def test_the_same_seed_gives_the_same_messages_and_another_seed_others() -> None:
    again = generate(5, rate=20.0, operators=4)
    for name in traffic.Messages.__slots__:
        assert np.array_equal(getattr(again.messages, name), getattr(week().messages, name)), name
    assert [one.scope for one in again.incidents] == [one.scope for one in week().incidents]
    other = generate(6, rate=20.0, operators=4)
    assert len(other.messages) != len(again.messages)


def test_accounts_have_from_one_to_500_messages_a_minute_and_2_to_60_operators() -> None:
    accounts = [traffic.account(seed) for seed in range(300)]
    rates, sizes = [one.rate for one in accounts], [one.operators for one in accounts]
    assert min(rates) >= 1
    assert max(rates) <= 500
    assert 10 < float(np.median(rates)) < 50
    assert 2 <= min(sizes) < 4
    assert 50 < max(sizes) <= 60


def test_a_week_has_each_kind_once_in_its_second_half_and_none_overlaps() -> None:
    planned = sorted(week().incidents, key=lambda one: one.start)
    assert sorted(one.kind for one in planned) == sorted(incidents.KINDS)
    assert planned[0].start >= HISTORY * DAY
    assert planned[-1].end <= DAYS * DAY
    assert all(before.end < after.start for before, after in pairwise(planned))
    assert not week(clean=True).incidents


@pytest.mark.parametrize("kind", [incidents.OUTAGE, incidents.COUNTRY])
def test_an_outage_fails_the_share_of_messages_that_it_says(kind: str) -> None:
    now, before = shares(incident(kind), week().messages.outcome >= traffic.UNDELIVERED)
    assert now == pytest.approx(incident(kind).level, abs=0.1)
    assert before < 0.15


@pytest.mark.parametrize(("kind", "factor"), [(incidents.X3, 3), (incidents.X5, 5)])
def test_a_step_multiplies_the_failure_probability(kind: str, factor: float) -> None:
    one, clean = incident(kind), week(clean=True).messages
    usual = np.mean(clean.failing[incidents.rows(week().account, clean, one)])
    now = np.mean(week().messages.failing[incidents.rows(week().account, week().messages, one)])
    assert now / usual == pytest.approx(factor, rel=1e-3)


def test_a_filtered_sender_gets_carrier_violations() -> None:
    now, before = shares(incident(incidents.FILTER), week().messages.outcome == traffic.CARRIER_VIOLATION)
    assert now == pytest.approx(incident(incidents.FILTER).level, abs=0.1)
    assert before < 0.01


def test_a_bad_list_has_the_share_of_unknown_numbers_that_it_says() -> None:
    one = incident(incidents.BAD_LIST)
    mine = incidents.rows(week().account, week().messages, one)
    share = float(np.mean(week().messages.outcome[mine] == traffic.UNKNOWN_NUMBER))
    assert share == pytest.approx(one.level, abs=0.08)


def test_slow_is_five_times_as_slow_and_stuck_has_no_report_before_its_end() -> None:
    sent, account, one = week().messages, week().account, incident(incidents.SLOW)
    usual = [row for row in incidents.rows(account, sent, one, ever=True) if sent.sent[row] < HISTORY * DAY]
    delays = sent.reported - sent.sent
    ratio = np.median(delays[incidents.rows(account, sent, one)]) / np.median(delays[usual])
    assert ratio == pytest.approx(5, rel=0.3)
    stuck = incident(incidents.STUCK)
    assert (sent.reported[incidents.rows(account, sent, stuck)] >= stuck.end).all()


def test_a_silence_has_no_messages_and_its_evidence_is_those_that_are_missing() -> None:
    one = incident(incidents.SILENT)
    assert not len(incidents.rows(week().account, week().messages, one))
    clean = incidents.rows(week().account, week(clean=True).messages, one)
    assert len(one.times) == len(clean)


def test_evidence_grows_and_tells_what_is_provable() -> None:
    for one in week().incidents:
        assert (np.diff(one.times) >= 0).all()
        assert (np.diff(one.information) >= 0).all()
        assert one.provable == (one.seen_by(np.inf) > 0 and one.information[-1] >= 2 * one.needed)
        if one.provable:
            assert one.start <= one.bound_at < one.end + HOUR
            assert one.information[one.seen_by(one.bound_at) - 1] >= one.needed


def test_what_fails_varies_more_by_the_minute_than_independent_messages_would() -> None:
    sent = generate(7, clean=True, rate=300.0, operators=2).messages
    mine = sent.operator == 0
    minute = sent.sent[mine] // 60
    n, f = np.bincount(minute), np.bincount(minute, sent.outcome[mine] >= traffic.UNDELIVERED)
    usual, full = f.sum() / n.sum(), n > 50
    excess = np.mean((f - n * usual)[full] ** 2 / (n * usual * (1 - usual))[full])
    assert excess > 1.5


def test_reports_have_a_heavy_tail_and_some_expire_after_their_validity() -> None:
    sent = week(clean=True).messages
    delivered = (sent.outcome == traffic.DELIVERED) & (sent.reported < NEVER)
    delay = (sent.reported - sent.sent)[delivered]
    assert float(np.mean(delay > 60)) == pytest.approx(traffic.HEAVY, abs=0.02)
    expired = (sent.outcome == traffic.EXPIRED) & (sent.reported < NEVER)
    hours = (sent.reported - sent.sent)[expired] // HOUR
    assert set(np.unique(hours).tolist()) == {12, 24, 48}
