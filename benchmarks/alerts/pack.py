"""Measures the starter pack over a million messages: one poll, with all rules that are on."""

from pathlib import Path

from benchmarks.alerts.polls import Polls
from benchmarks.figure import Figure
from benchmarks.messages import count
from monitor.config.rules import load_rules
from monitor.config.rules.shift import Shift


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls, once the rules of kind ``shift`` have learned from the history."""
    rules = [rule for rule in load_rules(sorted(Path("rules").glob("*.yaml")), {}) if rule.enabled]
    without = [rule for rule in rules if not isinstance(rule, Shift)]
    polls, fewer = Polls(rules, count(quick)), Polls(without, count(quick))
    news, others = polls.with_news(15), fewer.with_news(15)
    polls.check()
    return [
        Figure(
            f"the starter pack's {len(rules)} rules, each poll with 2,000 new messages", news.median * 1e3, "ms a poll"
        ),
        Figure("the same, the worst of 15 polls", news.worst * 1e3, "ms a poll"),
        Figure("the same without its rules of kind shift", others.median * 1e3, "ms a poll"),
    ]
