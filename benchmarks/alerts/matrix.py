"""Measures one poll by the number of rules, the length of their window, and the messages that there are, each against a loop in numpy.

``python -m benchmarks.alerts.matrix 10000000`` adds ten million messages, which takes some minutes.
"""

import sys
from functools import partial
from itertools import combinations, cycle, islice, product
from typing import Any, Final

from benchmarks.alerts.polls import Polls
from benchmarks.figure import Figure, median_of, table, timed
from benchmarks.floors.evaluating import CountingLoop, OrderedMessages
from benchmarks.messages import MILLION, count, filled_window, many_batches
from monitor.config.rules import Rule, rule_of
from monitor.runtime.clock import SystemClock

RULES: Final = (1, 20, 1_000)
WINDOWS: Final = ("15m", "24h", "7d")
ROUNDS: Final = 7
_BY: Final = ("operator", "country", "campaign", "from", "applicationName", "originatingService", "detailedStatus")


def run(quick: bool) -> list[Figure]:
    """Returns medians over polls of a tenth of the messages and of all."""
    most = count(quick)
    return [*measured(most // 10), *measured(most)]


def measured(messages: int) -> list[Figure]:
    """Returns the cells of that many messages."""
    window = filled_window(many_batches(messages))
    loops = _loops(messages) if messages <= MILLION else {}
    figures = []
    for length in WINDOWS:
        for number in RULES:
            rules = rules_of(number, length)
            polls = Polls(rules, messages, window=window)
            news, nothing = polls.with_news(ROUNDS), polls.without_news(ROUNDS)
            polls.check()
            what = f"{messages:,} messages, {length}, {number:,} {'rule' if number == 1 else 'rules'}"
            figures.append(median_of(f"{what}: with news", news.milliseconds, "ms a poll"))
            figures.append(median_of(f"{what}: nothing new", nothing.milliseconds, "ms a poll"))
            if loops:
                least = loops[number, length]
                figures.append(Figure(f"{what}: the loop's time", least * 1e3, "ms"))
                figures.append(Figure(f"{what}: with news, against the loop", news.median / least, "times"))
    return figures


def _loops(messages: int) -> dict[tuple[int, str], float]:
    """Returns the seconds that the loop takes for each number of rules and window."""
    ordered, found = OrderedMessages(list(many_batches(messages))), {}
    for number, length in product(RULES, WINDOWS):
        loop = CountingLoop(ordered, rules_of(number, length))
        found[number, length] = timed(partial(loop.count, SystemClock().now()), 1 if number > 20 else 3).median
    return found


def rules_of(number: int, length: str) -> list[Rule]:
    """Returns rates, counts and spikes over windows of one length, by one to three fields. None is over its threshold."""
    groupings = [by for size in (2, 1, 3) for by in combinations(_BY, size)]
    asked = zip(cycle(("rate", "rate", "count", "spike", "rate")), cycle(groupings), strict=False)
    return [
        rule_of({"name": f"R{i}", "by": list(by), "window": length, **_of_kind(kind, i)})
        for i, (kind, by) in enumerate(islice(asked, number))
    ]


def _of_kind(kind: str, number: int) -> dict[str, Any]:
    match kind:
        case "rate":
            return {"kind": kind, "above": "99.9%", "min_messages": 1_000_000 + number}
        case "count":
            return {"kind": kind, "above": 100_000_000 + number}
    baseline = {"window": "24h", "ago": "1h"}
    return {"kind": kind, "baseline": baseline, "above": f"{5_000 + number}x", "min_baseline": 1}


if __name__ == "__main__":
    print(table([("matrix", figure) for figure in measured(int(sys.argv[1]))]))
