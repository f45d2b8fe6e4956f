"""Prints the processor seconds that the shipped rules take for a poll with new messages: ``python -m benchmarks.fleet.evaluating MESSAGES``."""

import sys
from pathlib import Path

from benchmarks.alerts.polls import Polls
from monitor.config.rules import load_rules

ROUNDS = 7

if __name__ == "__main__":
    rules = [rule for rule in load_rules(sorted(Path("rules").glob("*.yaml")), {}) if rule.enabled]
    polls = Polls(rules, int(sys.argv[1]))
    print(polls.with_news(ROUNDS).median)
    polls.check()
