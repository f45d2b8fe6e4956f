"""Keeps since when each rule of an account has been evaluated. Pure.

A report tells by that a rule that had no reason to fire from one that is younger than the report's span.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import Final

from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

OLDER: Final = ""
"""Stands for the rules of a store that was in use before this was stored: nobody knows since when they have been evaluated."""
LONG_AGO: Final[Instant] = 0


@dataclass(slots=True)
class FirstEvaluations:
    """One account's. ``stored`` is as of when each rule was evaluated first, as the store has it."""

    stored: dict[str, Instant] = field(default_factory=dict)

    @classmethod
    def of(cls, account: str, stored: Mapping[tuple[str, str], Instant]) -> "FirstEvaluations":
        """Returns an account's, of those that are stored by account and rule."""
        return cls({rule: at for (owner, rule), at in stored.items() if owner == account})

    def added(self, rules: Iterable[str], evaluated: Mapping[str, Instant]) -> dict[str, Instant]:
        """Returns what is to be stored of the configured ``rules`` beside what is; ``evaluated`` is as of when some were evaluated now."""
        if OLDER in self.stored:
            return {rule: LONG_AGO for rule in rules if rule not in self.stored}
        return {rule: as_of for rule, as_of in evaluated.items() if rule not in self.stored}

    def gone(self, rules: Collection[str]) -> list[str]:
        """Returns what is stored of rules that are not configured: if one comes back, it begins anew."""
        return [rule for rule in self.stored if rule not in rules]

    def take(self, added: Mapping[str, Instant], gone: Iterable[str]) -> None:
        """Takes over what was stored."""
        for rule in gone:
            self.stored.pop(rule, None)
        self.stored |= added
