"""Measures a thousand rules over a million messages.

``python -m benchmarks.alerts.rules 10000000`` measures them over ten million, which takes some minutes.
"""

import sys

from benchmarks.alerts.polls import Polls
from benchmarks.alerts.rulesets import thousand
from benchmarks.figure import Figure, median_of, table
from benchmarks.messages import MILLION, count

WITH_NEWS, WITH_NEWS_OF_TEN_MILLION, WITHOUT_NEWS = 120, 400, 10
"""The most milliseconds that a poll may take."""


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls."""
    return measured(count(quick))


def measured(messages: int) -> list[Figure]:
    """Returns the same over that many messages."""
    polls = Polls(thousand(), messages)
    news, nothing = polls.with_news(15), polls.without_news(15)
    polls.check()
    most = WITH_NEWS if messages <= MILLION else WITH_NEWS_OF_TEN_MILLION
    what = f"1,000 rules over {messages:,} messages"
    return [
        median_of(f"{what}, each poll with 2,000 new ones", news.milliseconds, "ms a poll", at_most=most),
        median_of(f"{what}, nothing new", nothing.milliseconds, "ms a poll", at_most=WITHOUT_NEWS),
    ]


if __name__ == "__main__":
    print(table([("rules", figure) for figure in measured(int(sys.argv[1]))]))
