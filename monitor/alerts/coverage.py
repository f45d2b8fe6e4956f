"""How far each search of an account was polled, and what rules may therefore be evaluated on."""

from collections.abc import Collection, Iterable, Mapping

from monitor.alerts.evaluation import Span
from monitor.config.rules import Rule
from monitor.runtime.clock import Duration
from monitor.store.protocol import Cursor


class SearchCoverage:
    """The searches of one account with their cursors."""

    def __init__(self, searches: Iterable[str]) -> None:
        self.searches = tuple(searches)
        self.cursors: dict[str, Cursor] = {}
        self.deepest: Mapping[str, str | None] = {}
        """By search, what of its cursor's ``swept`` says that its history was read; None, or no search: that need not be waited for."""
        self.every: Mapping[str, Duration] = {}
        """By search, how often it is polled; a rule whose searches are not here misses no time (`monitor.alerts.unjudged`)."""
        self._polled: set[str] = set()

    def renew(self, searches: Mapping[str, Cursor | None], afresh: Collection[str]) -> None:
        """The searches are these from now on, each with how far it was polled, as far as that is not known here.

        ``afresh`` are those that ask something else now: rules wait until these were polled.
        """
        known = {name: self.cursors.get(name) or cursor for name, cursor in searches.items()}
        self.cursors = {name: cursor for name, cursor in known.items() if cursor is not None}
        self.searches = tuple(searches)
        self._polled = self._polled.intersection(searches).difference(afresh)

    def commit(self, cursor: Cursor) -> None:
        """The cursor is committed."""
        self.cursors[cursor.search] = cursor
        self._polled.add(cursor.search)

    def after(self, cursor: Cursor) -> dict[str, Cursor]:
        """The cursors as they are once this one is committed."""
        return {**self.cursors, cursor.search: cursor}

    def needed(self, rule: Rule) -> tuple[str, ...]:
        """The searches whose messages a rule is about."""
        return (rule.search,) if rule.search is not None else self.searches

    def as_of(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> Span | None:
        """As of when a rule can be evaluated, and since when nothing is missing; None before every search it needs was polled."""
        cursors = self.cursors if cursors is None else cursors
        needed = self.needed(rule)
        if not needed or any(name not in cursors for name in needed):
            return None
        found = [cursors[name] for name in needed]
        return min(c.as_of for c in found), max(c.covered_since for c in found)

    def interval(self, rule: Rule) -> Duration | None:
        """How often a rule is evaluated; None where that is not known."""
        every = [self.every[name] for name in self.needed(rule) if name in self.every]
        return max(*every, rule.every or 0) if every else None

    def is_poll(self, cursor: Cursor) -> bool:
        """Whether a cursor is a poll's, that is: more has been seen than before. A sweep's is not."""
        before = self.cursors.get(cursor.search)
        return before is None or cursor.as_of > before.as_of

    def up_to_date(self, cursor: Cursor, blind: Iterable[str]) -> set[str]:
        """The searches polled since the start and not blind. A poll ends the blindness of its search."""
        found = {*self._polled, cursor.search} - set(blind)
        return found | {cursor.search} if self.is_poll(cursor) else found

    def is_settled(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> bool:
        """Whether as much of the past has been read as is ever read, by each search that the rule needs.

        It has not been where a search begins, or begins anew because its messages in the store could not be read.
        """
        cursors = self.cursors if cursors is None else cursors
        return all(
            name in cursors and self.deepest.get(name) in (None, *cursors[name].swept) for name in self.needed(rule)
        )

    def settles(self, cursor: Cursor) -> bool:
        """Whether the search's history has just been read to its end: what waited for that is due now, not at the next poll."""
        deepest, before = self.deepest.get(cursor.search), self.cursors.get(cursor.search)
        return deepest is not None and deepest in cursor.swept and (before is None or deepest not in before.swept)
