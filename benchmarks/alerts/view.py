"""Measures the details of one alert over a million messages: its values over time and what explains it."""

from benchmarks.alerts.polls import Polls
from benchmarks.figure import Figure, median_of, timed
from benchmarks.messages import count
from monitor.alerts.view import HISTORY, Views
from monitor.config.rules import rule_of
from monitor.model.alert import Alert
from monitor.notify.render import Templates

RULE = {"name": "Objective", "kind": "slo", "objective": "99.9%", "by": ["operator"]}


def run(quick: bool) -> list[Figure]:
    """Returns medians over views, each with a new WindowReader, as after each poll."""
    polls = Polls([rule_of(RULE)], count(quick))
    polls.poll()
    views, alert = Views(polls.evaluator, Templates()), _firing(polls)
    fresh = timed(lambda: views.view(alert, deep=True), 5)
    for _ in range(3 * HISTORY):
        polls.poll()
    known = timed(lambda: views.view(alert, deep=True), 5)
    polls.check()
    return [
        median_of("an alert of a slo rule, shown in full, its past not known yet", fresh.milliseconds, "ms"),
        median_of("the same after half an hour of polls", known.milliseconds, "ms"),
    ]


def _firing(polls: Polls) -> Alert:
    return next(alert for alert in polls.evaluator.alerts["Objective"].values() if alert.state == "firing")
