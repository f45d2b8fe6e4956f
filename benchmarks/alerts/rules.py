"""Measures a thousand rules over a million messages."""

from benchmarks.alerts.polls import Polls
from benchmarks.alerts.rulesets import thousand
from benchmarks.figure import Figure
from benchmarks.messages import count


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls."""
    polls = Polls(thousand(), count(quick))
    news, nothing = polls.with_news(15), polls.without_news(15)
    polls.check()
    return [
        Figure("1,000 rules, each poll with 2,000 new messages", news.median * 1e3, "ms a poll", at_most=120),
        Figure("the same, the worst of 15 polls", news.worst * 1e3, "ms a poll"),
        Figure("1,000 rules, nothing new", nothing.median * 1e3, "ms a poll", at_most=10),
    ]
