"""Measures how the cost of a poll grows with the messages in the window, with the rules, and with the groups of a rule."""

from collections.abc import Callable
from functools import partial
from itertools import product
from math import log
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.alerts.polls import Polls
from benchmarks.alerts.rulesets import WINDOWS, thousand, twenty
from benchmarks.figure import Figure
from benchmarks.messages import MILLION
from monitor.config.rules import Rule, rule_of
from monitor.model.batch import Batch

ROUNDS: Final = 9
NEWS: Final = "2,000 new messages"
NOTHING: Final = "nothing new"


class Growth(msgspec.Struct, frozen=True):
    """How one figure grows: ``sizes`` of what grows, and the milliseconds of processor time that a poll takes at each size."""

    panel: str
    line: str
    sizes: list[int]
    milliseconds: list[float]

    @property
    def exponent(self) -> float:
        """The slope from the second largest size to the largest: 1 if twice as much takes twice as long."""
        (small, large), (less, more) = self.sizes[-2:], self.milliseconds[-2:]
        return log(more / less) / log(large / small)


def run(quick: bool) -> list[Figure]:
    """Returns the figures of each size, and the slope at the end of each line."""
    figures = []
    for one in grown(quick):
        for size, cost in zip(one.sizes, one.milliseconds, strict=True):
            figures.append(Figure(f"{size:,} {one.panel}, {one.line}", cost, "ms a poll"))
        figures.append(
            Figure(f"{one.panel}, {one.line}: the slope at the end (1: proportional)", one.exponent, "", at_most=1.1)
        )
    return figures


def grown(quick: bool) -> list[Growth]:
    """Measures everything; ``quick`` with a tenth of the messages."""
    most = MILLION // 10 if quick else MILLION
    return [
        *_lines("messages", [most * share // 100 for share in (3, 10, 30, 100)], lambda size: Polls(twenty(), size)),
        *_lines("rules", [10, 30, 100, 300, 1_000], lambda size: Polls(thousand()[:size], most)),
        *_lines("groups", [10, 100, 1_000, 10_000], lambda size: _polls_of_groups(size, most // 2)),
    ]


def _lines(panel: str, sizes: list[int], polls_of: Callable[[int], Polls]) -> list[Growth]:
    costs = [_costs(polls_of(size)) for size in sizes]
    news, nothing = zip(*costs, strict=True)
    return [Growth(panel, NEWS, sizes, list(news)), Growth(panel, NOTHING, sizes, list(nothing))]


def _costs(polls: Polls) -> tuple[float, float]:
    """Returns the medians of polls with new messages and without, in milliseconds."""
    news, nothing = polls.with_news(ROUNDS).median, polls.without_news(ROUNDS).median
    polls.check()
    return news * 1e3, nothing * 1e3


def _polls_of_groups(groups: int, messages: int) -> Polls:
    """Returns polls of twenty rules by label, of which there are so many."""
    return Polls(_rules_by_label(), messages, partial(_labelled, groups=groups))


def _rules_by_label() -> list[Rule]:
    common = {"kind": "rate", "by": ["label"], "above": "99%", "min_messages": 20}
    wheres: list[dict[str, Any]] = [{}, *({"where": {"country": country}} for country in ("GR", "DE", "IT"))]
    asked = enumerate(product(WINDOWS, wheres))
    return [rule_of({"name": f"R{i}", "window": window} | where | common) for i, (window, where) in asked]


def _labelled(page: Batch, groups: int) -> Batch:
    """Gives each message one of the labels, by chance."""
    numbers = np.random.default_rng(int(page.date[0])).integers(0, groups, len(page)).tolist()
    page.replace("label", [f"label {number}" for number in numbers])
    return page
