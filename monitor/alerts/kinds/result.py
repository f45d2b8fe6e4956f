"""What evaluating one rule gives: numbers of all its groups in arrays, and a finding in words for the few that matter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules import Rule
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.finding import Finding
from monitor.runtime.clock import DAY, Duration, Instant, iso
from monitor.window import Codes, GroupCounts, IncrementalCounts, RelativeQuery, WindowReader

Floats = NDArray[np.float64]
T = TypeVar("T")

NOT_ENOUGH = -1
"""In `RuleResult.breached`: not enough data to say."""
ENOUGH_HISTORY = 6 * DAY
"""The length of history that is always enough: Routee returns a little less than the 7 days that a rule may look back."""
UNHEARD_OF = -1
"""The code of no group."""


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What a rule is judged on: a reading of the window, as of when, and since when nothing is missing from it.

    ``known`` are groups that must be judged even where nothing is found of them: those with an alert. ``facts`` is what was
    asked of the account besides its messages. ``carried`` has the answers of earlier moments, which save counting. ``settled``: as
    much of the past is known as is ever fetched; not so while a search that begins is still reading its history. ``begun``: when the
    account's messages begin. That there were none before says nothing of what is usual. ``time_zone`` is that of the account.
    """

    reading: WindowReader
    as_of: Instant
    covered_since: Instant
    known: tuple[tuple[tuple[str, str], ...], ...] = ()
    facts: AccountState = NOTHING_KNOWN
    carried: IncrementalCounts | None = None
    settled: bool = True
    begun: Instant = 0
    time_zone: str = "UTC"

    @property
    def known_since(self) -> Instant:
        """Since when it is known what is usual: nothing is missing, and the account was in use."""
        return max(self.covered_since, self.begun)

    def remembers(self, span: Duration) -> bool:
        """Whether it is known what is usual in that span up to ``as_of``. ENOUGH_HISTORY is enough for any."""
        return self.known_since <= self.as_of - min(span, ENOUGH_HISTORY)

    def covers(self, span: Duration) -> bool:
        """Whether no message of that span up to ``as_of`` is missing."""
        return self.covered_since <= self.as_of - span

    def lacks(self, rule: Rule) -> bool:
        """Whether messages that the rule looks back at are still to be fetched: until then it is not judged."""
        return not (self.settled or rule.speaks_early or self.covers(rule.reach))

    def tally(self, relative: RelativeQuery) -> GroupCounts:
        """Returns the answer to a query that is repeated at each evaluation."""
        if self.carried is None:
            return self.reading.tally(relative.at(self.as_of))
        return self.carried.tally(self.reading, relative, self.as_of)

    def shared(self, rule: Rule, count: Callable[[], T]) -> T:
        """What ``count`` gives: of the rules that count the same at the same moment the first does it for all.

        A rule with alerts counts for itself, because it has groups that the others do not have.
        """
        if self.known:
            return count()
        key = (rule.counted, self.as_of, self.covered_since)
        if key not in self.reading.shared:
            self.reading.shared[key] = count()
        found: T = self.reading.shared[key]
        return found

    def codes(self, by: tuple[str, ...], *tallies: GroupCounts) -> Codes:
        """The groups that have something in one of the tallies, and the known ones."""
        if len(tallies) == 1 and not self.known:
            return tallies[0].codes
        return np.unique(np.concatenate([self.known_codes(by), *(tally.codes for tally in tallies)]))

    def known_codes(self, by: tuple[str, ...]) -> Codes:
        """The groups with an alert."""
        codes = []
        for group in self.known:
            if tuple(name for name, _ in group) == by:
                code = self.reading.code(by, tuple(value for _, value in group))
                codes += [] if code is None else [code]
        return np.array(codes, np.int64)


@dataclass(slots=True)
class RuleResult:
    """The groups of one rule at one moment, in arrays of one length.

    ``breached`` is the number of levels crossed, or NOT_ENOUGH. ``value`` is NaN where there is none, ``threshold`` that of the
    highest level crossed, else the lowest. ``why`` puts one group's numbers into words. ``absent`` is what is found of a group
    that has no row here.
    """

    reading: WindowReader
    by: tuple[str, ...]
    codes: Codes
    breached: NDArray[np.int64]
    value: Floats
    threshold: Floats
    messages: Codes
    matching: Codes
    why: Callable[[int], str]
    absent: Callable[[tuple[tuple[str, str], ...]], Finding]
    baseline: Floats | None = None
    change: Floats | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def group(self, at: int) -> tuple[tuple[str, str], ...]:
        """The fields and values of the group at a place."""
        return tuple(zip(self.by, self.reading.labels(self.by, int(self.codes[at])), strict=True))

    def finding(self, at: int) -> Finding:
        """One group's numbers as a finding."""
        breached = int(self.breached[at])
        return Finding(
            group=self.group(at),
            breached=None if breached == NOT_ENOUGH else breached,
            value=_number(self.value[at]),
            threshold=_number(self.threshold[at]),
            why=self.why(at),
            messages=int(self.messages[at]),
            matching=int(self.matching[at]),
            baseline=None if self.baseline is None else _number(self.baseline[at]),
            change=None if self.change is None else _number(self.change[at]),
        )

    def findings(self) -> Iterator[Finding]:
        """A finding for every group: for people who ask."""
        return map(self.finding, range(len(self)))

    def breaching(self) -> Iterator[Finding]:
        """Findings of the groups over a threshold."""
        return map(self.finding, np.flatnonzero(self.breached > 0).tolist())

    def of(self, group: tuple[tuple[str, str], ...]) -> Finding:
        """The finding of one group, present here or not."""
        positions = np.flatnonzero(self.codes == self.code(group))
        return self.finding(int(positions[0])) if positions.size else self.absent(group)

    def code(self, group: tuple[tuple[str, str], ...]) -> int:
        """The code that stands for a group in ``codes`` if it is there; UNHEARD_OF where it cannot be, being of other fields or values."""
        if tuple(name for name, _ in group) != self.by:
            return UNHEARD_OF  # an alert of before the rule was grouped as it is now
        code = self.reading.code(self.by, tuple(value for _, value in group))
        return UNHEARD_OF if code is None else code


def withheld(rule_result: RuleResult, moment: EvaluationInput) -> RuleResult:
    """The same groups while messages are missing: there is not enough data to say anything of any group."""
    why = f"not enough data: history reaches back to {iso(moment.covered_since)} only"
    nothing = np.full(len(rule_result), np.nan)

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return replace(rule_result.absent(group), breached=None, value=None, why=why, gone=False)

    breached = np.full(len(rule_result), NOT_ENOUGH)
    return replace(rule_result, breached=breached, value=nothing, why=lambda at: why, absent=absent)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
