"""Decides which rules a poll makes due."""

from collections.abc import Iterable, Mapping

from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.span import Span
from monitor.config.rules import Rule
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor

Evaluated = tuple[Instant, int]
"""As of when a rule was evaluated, and on which version of the window."""


class EvaluationSchedule:
    """Knows when each rule was last evaluated."""

    def __init__(self) -> None:
        self._last: dict[str, Evaluated] = {}
        self._last_pushed: dict[str, Evaluated] = {}

    def commit(self, evaluated: Mapping[str, Evaluated], *, pushed: bool = False) -> None:
        """Takes the evaluations that were committed; ``pushed`` says that they were between polls."""
        if not pushed:
            self._last |= evaluated
        self._last_pushed |= evaluated

    def forget(self, rule: str) -> None:
        """Drops a rule that was removed or changed."""
        self._last.pop(rule, None)
        self._last_pushed.pop(rule, None)

    def due_by_push(
        self, rules: Iterable[Rule], coverage: SearchCoverage, blind: Iterable[str], version: int
    ) -> dict[str, tuple[Rule, Span]]:
        """Returns the rules to evaluate between two polls because reports were pushed. Rules that tell what did not happen wait for a poll."""
        seeing, due = coverage.seeing(blind), dict[str, tuple[Rule, Span]]()
        for rule in rules:
            if rule.waits_for_polls or not coverage.counts_pushed(rule) or not seeing.issuperset(coverage.needed(rule)):
                continue
            span, last = coverage.as_of(rule), self._last_pushed.get(rule.name)
            if span is not None and (last is None or _is_due(rule, last, span[0], version, is_poll=False)):
                due[rule.name] = rule, span
        return due

    def evaluated_as_of(self, rule: str) -> Instant | None:
        """Returns as of when a rule was last evaluated, at a poll or because reports were pushed; None if it was not."""
        last = self._last_pushed.get(rule)
        return None if last is None else last[0]

    def polled_as_of(self, rule: str) -> Instant | None:
        """Returns as of when a rule was last evaluated at a poll; None if it was not."""
        last = self._last.get(rule)
        return None if last is None else last[0]

    def due(
        self, rules: Iterable[Rule], cursor: Cursor, coverage: SearchCoverage, blind: Iterable[str], version: int
    ) -> dict[str, tuple[Rule, Span]]:
        """Returns the rules to evaluate once ``cursor`` is committed, with as of when, and since when no message is missing.

        A rule waits while one of its searches is ``blind``. ``version`` is the window's version.
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
            # Saves a call for most rules: those that are evaluated at each poll.
            is_later = last is None or (rule.every is None and last[0] < span[0])
            if is_later or settles or (last is not None and _is_due(rule, last, span[0], version, is_poll)):
                due[rule.name] = rule, span
        return due


def _is_due(rule: Rule, last: Evaluated, as_of: Instant, version: int, is_poll: bool) -> bool:
    if rule.every is not None and last[0] <= as_of < last[0] + rule.every:
        return False
    if as_of == last[0] and is_poll:
        return False  # another search lags behind, so the new messages are later than the time that can be evaluated
    return (as_of, version) != last
