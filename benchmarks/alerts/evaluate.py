"""Measures twenty rules over a million messages: one poll, from rows in the window to the changes of alerts."""

from benchmarks.alerts.polls import Polls
from benchmarks.alerts.rulesets import twenty
from benchmarks.figure import Figure, median_of
from benchmarks.messages import count


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls."""
    polls = Polls(twenty(), count(quick))
    news, nothing = polls.with_news(15), polls.without_news(15)
    polls.check()
    return [
        median_of("20 rules, each poll with 2,000 new messages", news.milliseconds, "ms a poll", at_most=60),
        median_of("20 rules, nothing new", nothing.milliseconds, "ms a poll"),
    ]
