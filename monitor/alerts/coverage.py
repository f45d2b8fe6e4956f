"""Keeps how far each search of an account was polled, and derives as of when a rule can be evaluated."""

from collections.abc import Collection, Iterable, Mapping

from monitor.alerts.evaluation import Span
from monitor.alerts.lost_messages import missing_before
from monitor.config.rules import Rule
from monitor.model.routee_query import LOOK_BACK
from monitor.runtime.clock import Duration, Instant
from monitor.store.protocol import Cursor


class SearchCoverage:
    """The searches of one account with their cursors."""

    def __init__(self, searches: Iterable[str]) -> None:
        self.searches = tuple(searches)
        self.cursors: dict[str, Cursor] = {}
        self.deepest: Mapping[str, str | None] = {}
        """By search, the key in its cursor's ``swept`` which says that its history was read. A search without one has no history to wait for."""
        self.every: Mapping[str, Duration] = {}
        """By search, its polling interval. A rule of searches that are not in it never counts as missed (`monitor.alerts.missed_evaluations`)."""
        self.unfiltered: frozenset[str] = frozenset()
        """The searches that return every message of the account."""
        self.pushed_to: Instant | None = None
        """The date of the latest report that Routee pushed; None: none was pushed. See docs/decisions/0029-callbacks.md."""
        self.lost_to: Instant = 0
        """Messages before this were lost from the store, and are known as far as cursors cover them again; 0: none were."""
        self.pushes = 0
        """How often the rules were evaluated on pushed reports."""
        self._polled: set[str] = set()

    def renew(self, searches: Mapping[str, Cursor | None], afresh: Collection[str]) -> None:
        """Replaces the searches. Cursors that are known stay; ``searches`` has the cursors of the others.

        ``afresh`` are the searches whose query changed: their rules wait until these were polled.
        """
        known = {name: self.cursors.get(name) or cursor for name, cursor in searches.items()}
        self.cursors = {name: cursor for name, cursor in known.items() if cursor is not None}
        self.searches = tuple(searches)
        self._polled = self._polled.intersection(searches).difference(afresh)

    def commit(self, cursor: Cursor) -> None:
        """Takes a cursor that was committed."""
        self.cursors[cursor.search] = cursor
        self._polled.add(cursor.search)

    def after(self, cursor: Cursor) -> dict[str, Cursor]:
        """Returns the cursors as they are once ``cursor`` is committed."""
        return {**self.cursors, cursor.search: cursor}

    def needed(self, rule: Rule) -> tuple[str, ...]:
        """Returns the searches whose messages a rule evaluates."""
        return (rule.search,) if rule.search is not None else self.searches

    def as_of(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> Span | None:
        """Returns as of when a rule can be evaluated, and since when no message is missing; None until each of its searches was polled."""
        cursors = self.cursors if cursors is None else cursors
        needed = self.needed(rule)
        if not needed or any(name not in cursors for name in needed):
            return None
        found = [cursors[name] for name in needed]
        as_of = min(c.as_of for c in found)
        if self.pushed_to is not None and self.counts_pushed(rule):
            as_of = max(as_of, self.pushed_to)
        return as_of, max(c.covered_since for c in found)

    def counts_pushed(self, rule: Rule) -> bool:
        """Returns whether the rule counts a pushed message at once: it looks at all messages of the account."""
        return rule.search is None or rule.search in self.unfiltered

    def interval(self, rule: Rule) -> Duration | None:
        """Returns how often a rule is evaluated; None if that is not known."""
        every = [self.every[name] for name in self.needed(rule) if name in self.every]
        return max(*every, rule.every or 0) if every else None

    def is_poll(self, cursor: Cursor) -> bool:
        """Returns whether the cursor is a poll's, which reaches further than the last one; a sweep's does not."""
        before = self.cursors.get(cursor.search)
        return before is None or cursor.as_of > before.as_of

    def up_to_date(self, cursor: Cursor, blind: Iterable[str]) -> set[str]:
        """Returns the searches that were polled since the start and are not blind. A poll ends the blindness of its search."""
        found = {*self._polled, cursor.search} - set(blind)
        return found | {cursor.search} if self.is_poll(cursor) else found

    def seeing(self, blind: Iterable[str]) -> set[str]:
        """Returns the searches that were polled since the start and are not blind, between two polls."""
        return self._polled - set(blind)

    def is_settled(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> bool:
        """Returns whether each search that the rule needs has read as much of the past as it ever does.

        A search has not if it is new, or if it starts again because its stored messages could not be read.
        """
        cursors = self.cursors if cursors is None else cursors
        return all(
            name in cursors and self.deepest.get(name) in (None, *cursors[name].swept) for name in self.needed(rule)
        )

    def lost(self, search: str, now: Instant, reach: Duration) -> Duration:
        """Returns ``reach``, at most what Routee has, if messages of that time are missing from a search because they were lost; otherwise 0."""
        cursor = self.cursors.get(search)
        if cursor is None or missing_before(now, reach, self.lost_to, cursor.covered_since) is None:
            return 0
        return min(reach, LOOK_BACK)

    def missing_before(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> Instant | None:
        """Returns before when messages that the rule looks at are missing, because they were lost; None if none are. Until then none of its alerts
        ends."""
        span = self.as_of(rule, cursors) if self.lost_to else None
        return None if span is None else missing_before(span[0], rule.reach, self.lost_to, span[1])

    def settles(self, cursor: Cursor) -> bool:
        """Returns whether the cursor completes its search's history, so that rules which waited for it are due at once."""
        deepest, before = self.deepest.get(cursor.search), self.cursors.get(cursor.search)
        return deepest is not None and deepest in cursor.swept and (before is None or deepest not in before.swept)
