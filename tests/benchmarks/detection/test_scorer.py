"""The scorer on cases that can be reckoned by hand."""

import numpy as np

from benchmarks.detection.incidents import BLIP, COUNTRY, OUTAGE, Incident
from benchmarks.detection.lifecycle import alerts_of
from benchmarks.detection.report import Report
from benchmarks.detection.scorer import Alert, notifications, score

MINUTE = 60


def outage(messages: int = 100, needed: float = 10.0, start: int = 60_000, minutes: int = 50) -> Incident:
    """One message each half minute, each worth a nat."""
    times = start + 30.0 * np.arange(1, messages + 1)
    scope = {"operator": 3, "country": 1}
    return Incident(
        OUTAGE, start, start + minutes * MINUTE, 0.9, scope, 2.0, needed, times, np.arange(1.0, messages + 1)
    )


def alert(
    pending: float, labels: dict[str, int], firing: float = 180, resolved: float = 3600, rule: str = "a"
) -> Alert:
    return Alert(rule, labels, pending, pending + firing, pending + resolved)


HERE = {"operator": 3, "country": 1}
ELSEWHERE = {"operator": 4, "country": 2}


def test_an_alert_in_the_scope_finds_the_incident_after_so_many_minutes_and_messages() -> None:
    one = outage()
    [found] = score(1, [one], [alert(60_000 + 600, HERE)], merged=True).outcomes
    assert found.found
    assert found.provable
    assert (found.minutes, found.messages) == (13.0, 20)
    assert found.ratio == 2.0  # an optimal test needs 10 messages
    assert found.notifications == 1
    assert found.size == "medium"


def test_an_alert_about_the_country_or_everything_finds_its_operator_too() -> None:
    for labels in ({"country": 1}, {}, {"operator": 3, "country": 1, "sender": 2}):
        assert score(1, [outage()], [alert(60_600, labels)], merged=True).outcomes[0].found


def test_an_alert_elsewhere_or_before_is_false_and_finds_nothing() -> None:
    scored = score(1, [outage()], [alert(60_600, ELSEWHERE), alert(59_000, HERE)], merged=True)
    assert not scored.outcomes[0].found
    assert len(scored.false) == 2


def test_an_alert_that_fires_only_after_the_end_finds_nothing_but_is_not_false() -> None:
    scored = score(1, [outage()], [alert(63_200, HERE)], merged=True)  # it ends at 63,000, and 5 minutes are allowed
    assert not scored.outcomes[0].found
    assert not scored.false
    assert len(score(1, [outage()], [alert(65_000, HERE)], merged=True).false) == 1


def test_an_incident_with_less_than_twice_the_evidence_is_not_provable() -> None:
    assert outage(messages=20).provable
    assert not outage(messages=19).provable
    assert outage(messages=9).bound_at == np.inf


def test_alerts_of_one_country_share_a_notification_until_half_an_hour_after_it_ended() -> None:
    first = alert(0, HERE)
    same_country = alert(600, {"operator": 9, "country": 1})
    half_an_hour_later = alert(3600 + 1500, {"country": 1})
    too_late = alert(3 * 3600, {"country": 1})
    everywhere = alert(700, {})
    told = notifications([first, same_country, half_an_hour_later, too_late, alert(650, ELSEWHERE)], merged=True)
    assert [len(group) for group in told] == [3, 1, 1]
    assert [len(group) for group in notifications([first, everywhere], merged=True)] == [2]
    assert len(notifications([first, same_country], merged=False)) == 2


def test_false_alarms_are_counted_by_notification() -> None:
    alerts = [alert(10, ELSEWHERE), alert(20, {"country": 2})]
    assert len(score(1, [], alerts, merged=True).false) == 1
    assert len(score(1, [], alerts, merged=False).false) == 2


def test_a_blip_is_told_whenever_anything_is_said_of_it() -> None:
    blip = Incident(BLIP, 1000, 1120, 0.9, HERE)
    assert score(1, [blip], [alert(1110, HERE, firing=900)], merged=True).outcomes[0].found
    assert not score(1, [blip], [], merged=True).outcomes[0].found


def test_the_report_counts_only_provable_incidents_for_recall() -> None:
    weeks = [
        score(1, [outage()], [alert(60_600, HERE)], merged=True),
        score(2, [outage()], [], merged=True),
        score(3, [outage(messages=12)], [], merged=True),
    ]
    report = Report("x", [score(4, [], [alert(0, HERE)], merged=True), score(5, [], [], merged=True)], weeks)
    assert report.recall(lambda one: one.kind == OUTAGE) == 0.5
    assert report.false_alarms == 0.5
    assert report.notifications == 1.0
    assert np.isnan(report.recall(lambda one: one.kind == COUNTRY))
    assert any("outage" in line and "50%" in line for line in report.lines())


def test_an_alert_fires_once_it_was_breached_for_long_enough_and_outlives_a_gap() -> None:
    polls = np.arange(20) * 30.0
    breached = np.zeros((2, 20), bool)
    breached[1, [2, 3, 4, 5, 8, 9]] = True
    breached[1, 15] = True
    labels = [{"operator": 0}, {"operator": 1}]
    assert alerts_of("a", labels, breached, polls, hold=90, keep=60) == [Alert("a", labels[1], 60.0, 150.0, 360.0)]
    assert not alerts_of("a", labels, breached, polls, hold=120, keep=60)
    assert [one.firing for one in alerts_of("a", labels, breached, polls)] == [60.0, 240.0, 450.0]
