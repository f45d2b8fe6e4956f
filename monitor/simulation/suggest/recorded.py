"""What a rule found at each evaluation of the past, apart from its thresholds: one number for each group and time."""

from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.group_names import Names
from monitor.alerts.kinds import RuleResult, kind_of
from monitor.alerts.kinds.result import NO_CODE
from monitor.config.rules import Rule
from monitor.runtime.clock import Instant

Floats = NDArray[np.float64]
Group = tuple[tuple[str, str], ...]

GONE: Final = -np.inf
"""The number of a group that is no group any more; its alerts end at once."""
MOST_NUMBERS: Final = 4_000_000
"""The most numbers of one rule that are kept, 32 MB. Of more groups those are left out that stayed furthest from every threshold."""
FEWEST_GROUPS: Final = 16


class RecordedRule:
    """The numbers of one rule in one account.

    ``floor``: groups that came only so far may have been left out, so that nothing is known of milder thresholds. None: none was left out.
    """

    def __init__(self, account: str, rule: Rule, evaluations: int, most_numbers: int = MOST_NUMBERS) -> None:
        self.account = account
        self.rule = rule
        self.groups: list[Group] = []
        self.instants: list[Instant] = []
        self.floor: float | None = None
        self._tuning = kind_of(rule).tuning
        self.below = self._tuning.comparison(rule) == "below"
        self._quiet = np.inf if self.below else 0.0
        self._names = Names()
        self._rows: dict[int, int] = {}
        self._index_of: dict[Group, int] = {}
        self._most = max(most_numbers // max(evaluations, 1), FEWEST_GROUPS)
        self._reached = np.full((evaluations, 8), np.nan)
        self._values = np.full((evaluations, 8), np.nan)

    @property
    def reached(self) -> Floats:
        """The threshold that each group just reached: a line for each evaluation, a column for each group. NaN: not enough data."""
        return self._reached[: len(self.instants), : len(self.groups)]

    @property
    def values(self) -> Floats:
        """What groups are compared by if not all may fire, in the same cells."""
        return self._values[: len(self.instants), : len(self.groups)]

    def crossed(self, size: float) -> NDArray[np.bool_]:
        """Which groups crossed a threshold of that size, and when."""
        reached = self.reached
        return (reached < size) & (reached != GONE) if self.below else reached > size

    def extremes(self) -> Floats:
        """How far each group came at its worst; the quiet end of the scale for one without data."""
        reached = np.where(np.isnan(self.reached) | (self.reached == GONE), self._quiet, self.reached)
        worst = np.min if self.below else np.max
        return np.asarray(worst(reached, axis=0, initial=self._quiet))

    @property
    def known_share(self) -> float:
        """The share of the evaluations at which any group had a value."""
        known = ~np.isnan(self.reached) & (self.reached != GONE)
        return float(known.any(axis=1).mean()) if self.instants else 0.0

    def worst(self, group: Group, since: Instant, until: Instant) -> float | None:
        """How far a group came in a span; None if nothing is known of it."""
        if group not in self._index_of:
            return None
        start, end = bisect_left(self.instants, since), bisect_right(self.instants, until)
        reached = self.reached[start:end, self._index_of[group]]
        known = reached[~np.isnan(reached) & (reached != GONE)]
        return float(known.min() if self.below else known.max()) if known.size else None

    def take(self, as_of: Instant, result: RuleResult) -> None:
        """Adds the result of one evaluation."""
        if not self._names.begin(result):
            codes = [result.code(group) for group in self.groups]
            self._rows = {code: index for index, code in enumerate(codes) if code != NO_CODE}
        line = len(self.instants)
        if line == len(self._reached):
            self._grow(2 * line, self._reached.shape[1])
        self.instants.append(as_of)
        reached = self._tuning.reached(self.rule, result)
        self._add_groups(result, np.flatnonzero(self._matters(reached)))
        self._mark_missing(line, result)
        positions = np.flatnonzero(np.isin(result.codes, list(self._rows)))
        columns = [self._rows[code] for code in result.codes[positions].tolist()]
        self._reached[line, columns] = reached[positions]
        self._values[line, columns] = result.value[positions]
        if len(self.groups) > self._most:
            self._thin_out()

    def _matters(self, reached: Floats) -> NDArray[np.bool_]:
        """Which numbers are known, and further than those of the groups that were left out."""
        if self.floor is None:
            return ~np.isnan(reached)
        return np.asarray(reached < self.floor if self.below else reached > self.floor)

    def _add_groups(self, result: RuleResult, known: NDArray[np.intp]) -> None:
        for at in known.tolist():
            code = int(result.codes[at])
            if code not in self._rows:
                group = self._names.group(result, at)
                index = self._rows[code] = self._index_of.setdefault(group, len(self.groups))
                if index == len(self.groups):
                    self.groups.append(group)
        if len(self.groups) > self._reached.shape[1]:
            self._grow(len(self._reached), 2 * len(self.groups))

    def _mark_missing(self, line: int, result: RuleResult) -> None:
        """Writes what is found of groups that the result does not list; it is the same for all of them."""
        if not self.groups:
            return
        absent = result.absent(self.groups[0])
        state = GONE if absent.gone else np.nan if absent.breached is None else self._quiet
        self._reached[line, : len(self.groups)] = state

    def _grow(self, lines: int, columns: int) -> None:
        for name in ("_reached", "_values"):
            before: Floats = getattr(self, name)
            after = np.full((lines, columns), np.nan)
            after[: before.shape[0], : before.shape[1]] = before
            setattr(self, name, after)

    def _thin_out(self) -> None:
        """Keeps the half of the groups that came furthest."""
        extremes = self.extremes()
        order = np.argsort(extremes if self.below else -extremes, kind="stable")
        kept, left = np.sort(order[: self._most // 2]), order[self._most // 2 :]
        nearest = float(extremes[left].min() if self.below else extremes[left].max())
        bounds = [nearest] if self.floor is None else [nearest, self.floor]
        self.floor = min(bounds) if self.below else max(bounds)
        indices = {before: now for now, before in enumerate(kept.tolist())}
        self.groups = [self.groups[i] for i in indices]
        self._index_of = {group: index for index, group in enumerate(self.groups)}
        self._rows = {code: indices[index] for code, index in self._rows.items() if index in indices}
        for name in ("_reached", "_values"):
            before: Floats = getattr(self, name)
            after = np.full(before.shape, np.nan)
            after[:, : len(kept)] = before[:, kept]
            setattr(self, name, after)
