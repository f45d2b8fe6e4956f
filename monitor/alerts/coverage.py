"""Keeps how far each search of an account was polled, and derives as of when a rule can be evaluated."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from monitor.alerts.span import Span
from monitor.alerts.unread_messages import missing_before, readable
from monitor.config.rules import Rule
from monitor.model.routee_query import LOOK_BACK
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant
from monitor.store.protocol import Cursor

PARTS_APART: Final = 5 * MINUTE
"""How much further than rules look messages are read once: of a message of several parts, some may have been reported before the others."""


class SearchCoverage:
    """The searches of one account with their cursors."""

    def __init__(self, searches: Iterable[str]) -> None:
        self.searches = tuple(searches)
        self.cursors: dict[str, Cursor] = {}
        self.deepest: Mapping[str, str | None] = {}
        """By search, the key in its cursor's ``swept`` which says that as much was read as its sweeps look back; None: it has no sweeps. A search
        that is not in it (of a replay) has no history to wait for."""
        self.every: Mapping[str, Duration] = {}
        """By search, its polling interval. A rule of searches that are not in it never counts as missed (`monitor.alerts.missed_evaluations`)."""
        self.unfiltered: frozenset[str] = frozenset()
        """The searches that return every message of the account."""
        self.pushed_to: Instant | None = None
        """The date of the latest report that Routee pushed; None: none was pushed. See docs/decisions/0029-callbacks.md."""
        self.lost_to: Instant = 0
        """Messages before this were lost from the store, and are known as far as cursors cover them again; 0: none were."""
        self.kept_since: Instant = 0
        """Messages up to this were dropped, and are ignored if they are read again."""
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

    def drop(self, dropped_to: Instant) -> None:
        """Notes that messages up to ``dropped_to`` were dropped: to be known, they have to be read again."""
        self.cursors = {name: cursor.without(dropped_to) for name, cursor in self.cursors.items()}

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

    def is_settled(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None, span: Span | None = None) -> bool:
        """Returns whether each search that the rule needs has read as much of the past as the rule looks at, and Routee has.

        A search has not if it is new, if the rule is, or if it starts again because its stored messages could not be read. ``span`` is that of
        `as_of`, or an earlier one.
        """
        cursors = self.cursors if cursors is None else cursors
        span = self.as_of(rule, cursors) if span is None else span
        if span is None or not self.deepest:
            return all(name in cursors for name in self.needed(rule))
        as_of, covered_since = span
        back = readable(rule.reach)
        return covered_since <= as_of - back or all(
            name in cursors and (name not in self.deepest or self._is_settled(cursors[name], as_of, back))
            for name in self.needed(rule)
        )

    def _is_settled(self, cursor: Cursor, as_of: Instant, back: Duration) -> bool:
        """Returns whether the search has read what is so far back of ``as_of``, by whatever read or by a sweep that looks so far,
        and that it was not dropped since."""
        if cursor.covered_since <= max(as_of - back, self.kept_since):
            return True
        begun = self._deepest_begun(cursor)
        return (
            self._sweeps_cover(cursor.search, back)
            and begun is not None
            and cursor.covered_since <= begun - back + SECOND
        )

    def _deepest_begun(self, cursor: Cursor) -> Instant | None:
        """Returns when the last complete run of the sweep that looks furthest back began; None if there was none."""
        deepest = self.deepest.get(cursor.search)
        return None if deepest is None else cursor.swept.get(deepest)

    def _sweeps_cover(self, search: str, back: Duration) -> bool:
        """Returns whether the search's sweeps look so far back, or it is one of a replay, which reads nothing."""
        deepest = self.deepest.get(search, "")
        return deepest == "" or (deepest is not None and int(deepest) >= back)

    def unread(self, search: str, now: Instant, rules: Iterable[Rule]) -> Duration:
        """Returns how far back of ``now`` the search has to be read once, beside its sweeps: as far as any of the rules looks; 0 if that was read,
        or is read by a sweep."""
        cursor = self.cursors.get(search)
        if cursor is None:
            return 0
        return max((self._unread(cursor, now, rule) for rule in rules if search in self.needed(rule)), default=0)

    def is_waited_for(self, search: str, now: Instant, rules: Iterable[Rule]) -> bool:
        """Returns whether one of the rules waits for messages of the search that can still be read, by whatever read."""
        cursor = self.cursors.get(search)
        if cursor is None or search not in self.deepest or cursor.covered_since <= now - LOOK_BACK + SECOND:
            return False
        return any(self._waits(cursor, rule) for rule in rules if search in self.needed(rule))

    def _waits(self, cursor: Cursor, rule: Rule) -> bool:
        back, span = readable(rule.reach), self.as_of(rule)
        as_of = cursor.as_of if span is None else span[0]
        return self._is_lost(cursor, as_of, back) or not self._is_settled(cursor, as_of, back)

    def _unread(self, cursor: Cursor, now: Instant, rule: Rule) -> Duration:
        back, span = readable(rule.reach), self.as_of(rule)
        as_of = min(now, cursor.as_of if span is None else span[0])
        is_lost = self._is_lost(cursor, as_of, back)
        is_next = self._sweeps_cover(cursor.search, back) and self._deepest_begun(cursor) is None
        if not is_lost and (is_next or self._is_settled(cursor, as_of, back)):
            return 0
        return readable(now - as_of + back + PARTS_APART)

    def _is_lost(self, cursor: Cursor, as_of: Instant, back: Duration) -> bool:
        """Returns whether messages are missing that the store lost, and that would be kept if they were read again."""
        is_lost = missing_before(as_of, back, self.lost_to, cursor.covered_since) is not None
        return is_lost and cursor.covered_since > self.kept_since

    def missing_before(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> Instant | None:
        """Returns before when messages that the rule looks at are still to be read, because they are new to this daemon or were lost; None if none
        are. Until then none of its alerts ends."""
        span = self.as_of(rule, cursors)
        if span is None:
            return None
        as_of, covered_since = span
        if covered_since <= as_of - rule.reach:  # mostly, and it is asked for each alert
            return None
        lost_to = self.lost_to if self.is_settled(rule, cursors, span) else covered_since
        return missing_before(as_of, rule.reach, lost_to, covered_since)

    def settles(self, cursor: Cursor) -> bool:
        """Returns whether the cursor says that more of the past was read, so that rules which waited for it are due at once."""
        deepest, before = self.deepest.get(cursor.search), self.cursors.get(cursor.search)
        if before is not None and cursor.covered_since < before.covered_since:
            return True
        return deepest is not None and deepest in cursor.swept and (before is None or deepest not in before.swept)
