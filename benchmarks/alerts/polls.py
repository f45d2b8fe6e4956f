"""Times the polls of one account's evaluator, for `evaluate` and `rules`."""

import gc
from collections.abc import Callable, Sequence

from benchmarks.figure import Times, timed
from benchmarks.messages import batches, filled_window, many_batches
from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule
from monitor.model.batch import Batch
from monitor.runtime.clock import DAY, SECOND, SystemClock
from monitor.store.protocol import Cursor
from monitor.window import Window


class Polls:
    """An evaluator over a window of ``messages``, polled every 30 seconds. ``change`` makes other pages of those of the local Routee.

    A ``window`` that is given is used in place of a new one, and what polls bring stays in it.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        messages: int,
        change: Callable[[Batch], Batch] = lambda page: page,
        window: Window | None = None,
    ) -> None:
        if window is None:
            window = filled_window(map(change, many_batches(messages)))
        self.evaluator = RuleEvaluator(window, rules, ["all"])
        self.last = EvaluationResult()
        self.seconds: dict[str, list[float]] = {}
        """By rule, how long each of its evaluations took."""
        self._as_of = SystemClock().now()
        self._since = self._as_of - 30 * DAY
        self._pages = list(map(change, batches(40_000)))
        gc.freeze()

    def poll(self) -> None:
        """Evaluates as of 30 seconds later."""
        self._as_of += 30 * SECOND
        cursor = Cursor("main", "all", self._as_of, self._since)
        self.last = self.evaluator.evaluate(cursor)
        self.evaluator.apply(self.last, cursor)
        for rule, seconds in self.last.seconds.items():
            self.seconds.setdefault(rule, []).append(seconds)

    def with_news(self, rounds: int) -> Times:
        """Times polls that each bring a page of new messages."""
        self.poll()
        return Times(tuple(timed(self.poll, 1).best for _ in range(rounds) if self._take()))

    def without_news(self, rounds: int) -> Times:
        """Times polls that bring nothing."""
        self.poll()
        return timed(self.poll, rounds)

    def _take(self) -> int:
        page = self._pages.pop()
        return self.evaluator.window.upsert(_moved(page, self._as_of), "all")

    def check(self) -> None:
        """Raises RuntimeError if a rule failed."""
        if self.last.errors:
            raise RuntimeError(f"rules fail: {self.last.errors}")


def _moved(page: Batch, now: int) -> Batch:
    """Turns the page into new messages that were reported within the last 30 seconds."""
    page.message_id = [text[::-1] for text in page.message_id]
    page.date = now - page.date % (30 * SECOND)
    return page
