"""The input and the result of evaluating one rule: numbers of all groups in arrays, and findings in words for the few that matter."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import field, replace
from typing import Final, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.rule_state import RuleState
from monitor.alerts.unread_messages import UNREAD, missing_before
from monitor.config.rules import Rule
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.finding import Finding
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import DAY, SECOND, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced
from monitor.window import Codes, GroupCounts, IncrementalCounts, Query, RelativeQuery, WindowReader
from monitor.window.aggregates import Measured, last_seen, sums
from monitor.window.query import RECIPIENT

Floats = NDArray[np.float64]
T = TypeVar("T")

NOT_ENOUGH = -1
"""The value in `RuleResult.breached` that means "not enough data"."""
ENOUGH_HISTORY = 6 * DAY
"""A length of history that always suffices: Routee returns a little less than the 7 days that a rule may look back."""
NO_CODE = -1
"""The code of no group."""
_KNOWN_CODES = "codes of the groups with an alert"


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What a rule is evaluated on: a reading of the window, as of when, and since when no message is missing.

    ``known`` are the groups with an alert, which are evaluated even without messages. ``account_state`` is what Routee answered besides messages.
    ``carried`` holds earlier counts, which are updated instead of counted anew. ``settled`` says that as much of the past was fetched as the rule
    looks at and Routee has; a new search is not settled before that. Messages before ``lost_to`` were lost from the store and are missing as far as
    they are before ``covered_since``; 0: none were. ``in_use_since`` is when the account's messages begin: having none before that says
    nothing about what is usual. ``time_zone`` is the account's. ``kept`` is what the rule's last
    evaluation left for this one. ``effort`` is how much of the past may be worked through now, in units of about 0.1 ms; None: all of it.
    """

    reading: WindowReader
    as_of: Instant
    covered_since: Instant
    known: tuple[tuple[tuple[str, str], ...], ...] = ()
    account_state: AccountState = NOTHING_KNOWN
    carried: IncrementalCounts | None = None
    settled: bool = True
    lost_to: Instant = 0
    in_use_since: Instant = 0
    time_zone: str = "UTC"
    kept: RuleState | None = None
    effort: float | None = None

    @property
    def known_since(self) -> Instant:
        """Since when it is known what is usual: no message is missing, and the account was in use."""
        return max(self.covered_since, self.in_use_since)

    def remembers(self, span: Duration) -> bool:
        """Returns whether it is known what is usual in that span up to ``as_of``; ENOUGH_HISTORY suffices for any span."""
        return self.known_since <= self.as_of - min(span, ENOUGH_HISTORY)

    def covers(self, span: Duration) -> bool:
        """Returns whether no message of that span up to ``as_of`` is missing."""
        return self.covered_since <= self.as_of - span

    def is_read(self, span: Duration) -> bool:
        """Returns whether all messages of that span up to ``as_of`` were fetched that ever will be."""
        return self.covers(span) or (self.settled and not self.has_lost(span))

    def has_lost(self, span: Duration) -> bool:
        """Returns whether messages of that span up to ``as_of`` that were known are missing; see `missing_before`."""
        return missing_before(self.as_of, span, self.lost_to, self.covered_since) is not None

    def lacks(self, rule: Rule) -> bool:
        """Returns whether messages that the rule looks back at are still to be fetched; until then it has not enough data."""
        return not (rule.speaks_early or self.is_read(rule.reach))

    def tally(self, relative: RelativeQuery) -> GroupCounts:
        """Returns the answer to a query that is repeated at each evaluation."""
        if self.carried is None:
            return self.reading.tally(relative.at(self.as_of))
        return self.carried.tally(self.reading, relative, self.as_of)

    def count(self, question: Query) -> GroupCounts:
        """Returns the answer to a query that is repeated with the same distance from ``as_of`` at each evaluation."""
        if self.carried is None:
            return self.reading.tally(question)
        return self.carried.tally(self.reading, RelativeQuery.of(question, self.as_of), self.as_of)

    def spent(self, question: Query) -> Measured:
        """Returns the cost of each group's messages, likewise; see `monitor.window.aggregates.sums`."""
        if self.carried is None or RECIPIENT in question.by:
            return sums(self.reading, question)
        spendings = self.carried.spendings(self.reading, RelativeQuery.of(question, self.as_of), self.as_of)
        return spendings.measured(self.count(question))

    def last_seen(self, question: Query, codes: Codes) -> Codes:
        """Returns when the latest message of each of these groups was first seen, likewise; the start of the query's span where there is none."""
        if self.carried is None or RECIPIENT in question.by:
            return np.maximum(last_seen(self.reading, question, codes), question.start)
        latest = self.carried.last_seen(self.reading, RelativeQuery.of(question, self.as_of), self.as_of)
        found, known = np.full(len(codes), question.start), codes < len(latest)
        found[known] = np.maximum(latest[codes[known]], question.start)
        return found

    def kept_while(self, key: Hashable, holds: Callable[[T], bool], make: Callable[[], T]) -> T:
        """Returns what an earlier evaluation made of the same messages, if it still ``holds``; otherwise makes it."""
        if self.carried is not None:
            return self.carried.kept(key, holds, make)
        kept = self.reading.shared
        if key not in kept or not holds(kept[key]):
            kept[key] = make()
        return cast(T, kept[key])

    def shared(self, rule: Rule, count: Callable[[], T]) -> T:
        """Returns the result of ``count``, computed once for all rules that count the same as of the same time.

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
        """Returns the codes of the groups with messages in one of the tallies, and of those with an alert."""
        if len(tallies) == 1 and not self.known:
            return tallies[0].codes
        return np.unique(np.concatenate([self.known_codes(by), *(tally.codes for tally in tallies)]))

    def known_codes(self, by: tuple[str, ...]) -> Codes:
        """Returns the codes of the groups with an alert.

        The latest ones are kept: most evaluations have the same groups as the one before, and what explains an alert evaluates its rule as of
        dozens of times.
        """

        return self.kept_while((_KNOWN_CODES, by), self._is_of_known, lambda: at_once(self._coded(by)))[1]

    def finding_codes(self, by: tuple[str, ...]) -> Work[None]:
        """Works out in pieces what `known_codes` returns next, unless that is kept."""
        key = _KNOWN_CODES, by
        kept = self.reading.shared.get(key) if self.carried is None else self.carried.known(key)
        if kept is None or not self._is_of_known(kept):
            made = yield from self._coded(by)
            self.kept_while(key, lambda _: False, lambda: made)

    def _is_of_known(self, kept: "_KnownCodes") -> bool:
        return kept[0] == self.known

    def _coded(self, by: tuple[str, ...]) -> "Work[_KnownCodes]":
        codes = []
        for group, pauses in paced(self.known, AT_ONCE):
            if tuple(name for name, _ in group) == by:
                code = self.reading.code(by, tuple(value for _, value in group))
                codes += [] if code is None else [code]
            if pauses:
                yield
        return self.known, np.array(codes, np.int64)


_KnownCodes = tuple[tuple[tuple[tuple[str, str], ...], ...], Codes]
"""Groups with an alert, and the codes of those that have one."""

FEW: Final = 16
"""The most groups of a result that are looked for one by one, before an index of all is made."""


@dataclass(slots=True)
class RuleResult:
    """The groups of one rule as of one time, in arrays of one length.

    ``breached`` is the number of levels crossed, or NOT_ENOUGH. ``value`` is NaN if there is none. ``threshold`` is that of the highest level
    crossed, or of the lowest if none is. ``why`` puts one group's numbers into words. ``absent`` returns the finding of a group without a row.
    ``kept`` is what the next evaluation of the rule needs.
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
    kept: RuleState | None = None
    evidence: Floats | None = None
    """By group, how much evidence there is of what begins an alert (1), where the kind weighs evidence."""
    _asked: int = field(default=0, init=False, repr=False, compare=False)
    _order: tuple[Codes, Codes] | None = field(default=None, init=False, repr=False, compare=False)
    """Positions in the order of the codes, and the codes in that order; None while few groups were asked for."""

    @property
    def means(self) -> object:
        """What stays the same thing as long as codes mean the same; None where they never do (recipients are numbered anew by each reading)."""
        return None if "to" in self.by else self.reading.window.facets

    def __len__(self) -> int:
        return len(self.codes)

    def group(self, at: int) -> tuple[tuple[str, str], ...]:
        """Returns the fields and values of the group at a position."""
        return tuple(zip(self.by, self.reading.labels(self.by, int(self.codes[at])), strict=True))

    def finding(self, at: int) -> Finding:
        """Returns the finding of the group at a position."""
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
        """Returns the findings of all groups, for people to read."""
        return map(self.finding, range(len(self)))

    def breaching(self) -> Iterator[Finding]:
        """Returns the findings of the groups over a threshold."""
        return map(self.finding, np.flatnonzero(self.breached > 0).tolist())

    def of(self, group: tuple[tuple[str, str], ...]) -> Finding:
        """Returns the finding of one group, whether it has a row or not."""
        at = self._position(self.code(group))
        return self.absent(group) if at is None else self.finding(at)

    def _position(self, code: int) -> int | None:
        """Returns the first position of a code. All codes are looked through for a few questions only: in a storm there is one for each group."""
        self._asked += 1
        if self._order is None and self._asked > FEW:
            order = np.argsort(self.codes, kind="stable")
            self._order = order, self.codes[order]
        if self._order is None:
            positions = np.flatnonzero(self.codes == code)
            return int(positions[0]) if positions.size else None
        order, codes = self._order
        place = int(np.searchsorted(codes, code))
        return int(order[place]) if place < len(codes) and codes[place] == code else None

    def code(self, group: tuple[tuple[str, str], ...]) -> int:
        """Returns the group's code; NO_CODE if the rule cannot have this group, because of its fields or values."""
        if tuple(name for name, _ in group) != self.by:
            return NO_CODE  # the alert began when the rule was grouped by other fields
        code = self.reading.code(self.by, tuple(value for _, value in group))
        return NO_CODE if code is None else code


def from_second(since: Instant) -> str:
    """Returns the first whole second that is not before ``since``, for people: ``2026-11-28T17:35:32Z``."""
    return iso(-(-since // SECOND) * SECOND)


def history_reaches(since: Instant) -> str:
    """Returns since when messages are known: ``history reaches back to 2026-11-28T17:35:32Z``."""
    return f"history reaches back to {from_second(since)}"


def withheld(rule_result: RuleResult, inputs: EvaluationInput) -> RuleResult:
    """Returns the result with "not enough data" for every group, because messages are missing."""
    why = f"not enough data: {history_reaches(inputs.covered_since)} only; messages before that {UNREAD}"
    nothing = np.full(len(rule_result), np.nan)

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return msgspec.structs.replace(rule_result.absent(group), breached=None, value=None, why=why, gone=False)

    breached = np.full(len(rule_result), NOT_ENOUGH)
    return replace(rule_result, breached=breached, value=nothing, why=lambda at: why, absent=absent)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
