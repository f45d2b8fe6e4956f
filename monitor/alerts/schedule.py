"""Which rules a poll makes due."""

from collections.abc import Iterable, Mapping

from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.evaluation import Span
from monitor.config.rules import Rule
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor

Evaluated = tuple[Instant, int]
"""As of when a rule was evaluated, and on which version of the window."""


class EvaluationSchedule:
    """Knows when each rule was last evaluated."""

    def __init__(self) -> None:
        self._last: dict[str, Evaluated] = {}

    def commit(self, evaluated: Mapping[str, Evaluated]) -> None:
        """These evaluations are committed."""
        self._last |= evaluated

    def forget(self, rule: str) -> None:
        """A rule is gone, or means something else now."""
        self._last.pop(rule, None)

    def due(
        self, rules: Iterable[Rule], cursor: Cursor, coverage: SearchCoverage, blind: Iterable[str], version: int
    ) -> dict[str, tuple[Rule, Span]]:
        """The rules to evaluate once ``cursor`` is committed, and as of when and since when nothing is missing.

        A rule waits while one of its searches is ``blind``. ``version`` is the window's.
        """
        cursors, seen = coverage.after(cursor), coverage.up_to_date(cursor, blind)
        spans, due = dict[str | None, Span | None](), {}
        is_poll, settles = coverage.is_poll(cursor), coverage.settles(cursor)
        for rule in rules:
            if rule.search not in spans:
                bears = rule.search in (None, cursor.search) and seen.issuperset(coverage.needed(rule))
                spans[rule.search] = coverage.as_of(rule, cursors) if bears else None
            span = spans[rule.search]
            if span is None:
                continue
            last = self._last.get(rule.name)
            # Most rules are evaluated at each poll: of these it is seen without a call.
            is_later = last is None or (rule.every is None and last[0] < span[0])
            if is_later or settles or (last is not None and _is_due(rule, last, span[0], version, is_poll)):
                due[rule.name] = rule, span
        return due


def _is_due(rule: Rule, last: Evaluated, as_of: Instant, version: int, is_poll: bool) -> bool:
    if rule.every is not None and last[0] <= as_of < last[0] + rule.every:
        return False
    if as_of == last[0] and is_poll:
        return False  # another search lags behind; what this one brought is later than what can be evaluated
    return (as_of, version) != last
