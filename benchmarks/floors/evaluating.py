"""Rules over many messages, against a loop that counts the same groups in numpy, rule by rule.

The loop has the messages in the order of their dates, as whole arrays, and the groups of each rule as ready codes; neither is counted.
It compares no threshold and knows no alert.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.alerts.polls import Polls
from benchmarks.alerts.rulesets import twenty
from benchmarks.figure import Figure, timed
from benchmarks.floors.compared import compared
from benchmarks.messages import MILLION, batches
from monitor.config.rules import Rule
from monitor.config.rules.count import Count
from monitor.config.rules.rate import Rate
from monitor.config.rules.spike import Ago, SameHour, Spike
from monitor.model.batch import Batch
from monitor.model.message import FAILURES
from monitor.runtime.clock import DAY, Duration, Instant, SystemClock

Ints = NDArray[np.int64]
ROUNDS = 5
COUNTED = "the same groups counted in a loop"


class OrderedMessages:
    """Messages in the order of their dates, with the number of each one's group for any fields that rules group by."""

    def __init__(self, pages: Sequence[Batch]) -> None:
        dates = np.concatenate([page.date for page in pages])
        self._pages, self._order = pages, np.argsort(dates, kind="stable")
        self.dates: Ints = dates[self._order]
        status = np.array([text for page in pages for text in page.coded.of_each("status")])[self._order]
        self.failed = np.isin(status, sorted(FAILURES))
        self._of_field: dict[str, Ints] = {}
        self._of_fields: dict[tuple[str, ...], Ints] = {}

    def groups(self, names: tuple[str, ...]) -> Ints:
        """Returns the number of each message's group."""
        if names not in self._of_fields:
            whole = np.zeros(len(self._order), np.int64)
            for name in names:
                codes = self._codes(name)
                whole = whole * (int(codes.max()) + 1) + codes
            _, numbers = np.unique(whole, return_inverse=True)
            self._of_fields[names] = np.asarray(numbers, np.int64)[self._order]
        return self._of_fields[names]

    def _codes(self, name: str) -> Ints:
        if name not in self._of_field:
            values = np.array([text for page in self._pages for text in page.coded.of_each(name)])
            self._of_field[name] = np.unique(values, return_inverse=True)[1]
        return self._of_field[name]


class CountingLoop:
    """Counts the groups of each rule."""

    def __init__(self, messages: OrderedMessages, rules: Sequence[Rule]) -> None:
        self._dates, self._failed = messages.dates, messages.failed
        self._work = [(messages.groups(rule.by), list(_spans(rule)), isinstance(rule, Rate)) for rule in rules]

    def count(self, as_of: Instant) -> int:
        """Counts everything once; returns the number of groups, so that nothing of it is idle."""
        groups = 0
        for codes, spans, is_share in self._work:
            for ago, length in spans:
                low, high = np.searchsorted(self._dates, [as_of - ago - length, as_of - ago], "right").tolist()
                found = codes[low:high]
                groups += len(np.bincount(found))
                if is_share:
                    groups += len(np.bincount(found[self._failed[low:high]]))
        return groups


def _spans(rule: Rule) -> Iterator[tuple[Duration, Duration]]:
    """Yields the spans that a rule counts: how long ago each ended, and how long it is."""
    if not isinstance(rule, Rate | Count | Spike):
        raise TypeError(f"the loop does not know the kind {rule.kind}")
    yield 0, rule.window
    if isinstance(rule, Spike) and isinstance(rule.baseline, SameHour):
        yield from ((day * DAY, rule.window) for day in range(1, rule.baseline.days + 1))
    elif isinstance(rule, Spike) and isinstance(rule.baseline, Ago):
        yield rule.baseline.ago, rule.baseline.window


def evaluating(messages: int) -> list[Figure]:
    """Returns polls with new messages and polls that bring nothing, each against the loop."""
    polls = Polls(twenty(), messages)
    news, nothing = polls.with_news(2 * ROUNDS), polls.without_news(2 * ROUNDS)
    polls.check()
    loop, now = CountingLoop(OrderedMessages(list(batches(messages))), twenty()), SystemClock().now()
    least = timed(lambda: loop.count(now), ROUNDS).milliseconds
    what = f"20 rules over {'a million' if messages == MILLION else f'{messages:,}'} messages"
    return [
        *compared(what, COUNTED, news.milliseconds, least, "ms"),
        *compared(f"{what}, nothing new", COUNTED, nothing.milliseconds, least, "ms"),
    ]
