"""Measures the starter pack over a million messages: one poll, with all rules that are on; and which rules take longest.

``python -m benchmarks.alerts.pack 10000000`` measures it over ten million, which takes some minutes.
"""

import statistics
import sys
from pathlib import Path

from benchmarks.alerts.polls import Polls
from benchmarks.figure import Figure, median_of, table
from benchmarks.messages import MILLION, count
from monitor.config.rules import load_rules

ROUNDS = 15
LONGEST = 6
"""The number of rules that are shown. What several rules ask takes its time in the first of them; ``LowBalance`` alone reads the prices of a day."""
WITH_NEWS, WITH_NEWS_OF_TEN_MILLION, WITHOUT_NEWS = 30, 120, 10
"""The most milliseconds that a poll may take."""


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls, once the rules of kind ``shift`` have learned from the history."""
    return measured(count(quick))


def measured(messages: int) -> list[Figure]:
    """Returns the same over that many messages."""
    rules = [rule for rule in load_rules(sorted(Path("rules").glob("*.yaml")), {}) if rule.enabled]
    polls = Polls(rules, messages)
    news = polls.with_news(ROUNDS)
    by_rule = {name: statistics.median(seconds[-ROUNDS:]) for name, seconds in polls.seconds.items()}
    nothing = polls.without_news(ROUNDS)
    polls.check()
    most = WITH_NEWS if messages <= MILLION else WITH_NEWS_OF_TEN_MILLION
    what = f"the starter pack's {len(rules)} rules over {messages:,} messages"
    return [
        median_of(f"{what}, each poll with 2,000 new ones", news.milliseconds, "ms a poll", at_most=most),
        median_of("a poll that brings nothing new", nothing.milliseconds, "ms a poll", at_most=WITHOUT_NEWS),
        *(
            Figure(f"of a poll with new ones, {name}", by_rule[name] * 1e3, "ms")
            for name in sorted(by_rule, key=lambda name: -by_rule[name])[:LONGEST]
        ),
    ]


if __name__ == "__main__":
    print(table([("pack", figure) for figure in measured(int(sys.argv[1]))]))
