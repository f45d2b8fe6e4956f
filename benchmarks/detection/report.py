"""What the scores of many weeks come to: recall by kind and size, delay, false alarms, notifications, blips."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.detection.incidents import BLIP, COUNTRY, CREEP, KINDS, STEPS
from benchmarks.detection.scorer import Outcome, Scored

SIZES = ("small", "medium", "large")


@dataclass(frozen=True, slots=True)
class Report:
    """The scores of one detector."""

    name: str
    clean: Sequence[Scored]
    weeks: Sequence[Scored]

    @property
    def outcomes(self) -> list[Outcome]:
        return [one for week in self.weeks for one in week.outcomes]

    @property
    def false_alarms(self) -> float:
        """Of a clean week."""
        return sum(len(week.false) for week in self.clean) / max(len(self.clean), 1)

    @property
    def false_by_rule(self) -> dict[str, int]:
        """Of all clean weeks, by the rule that was first."""
        return dict(Counter(alert.rule for week in self.clean for alert in week.false))

    def recall(self, among: Callable[[Outcome], bool]) -> float:
        """The part of the provable incidents that was found."""
        provable = [one for one in self.outcomes if one.provable and among(one)]
        return sum(one.found for one in provable) / len(provable) if provable else np.nan

    def provable(self, among: Callable[[Outcome], bool]) -> list[Outcome]:
        """The provable incidents that were found."""
        return [one for one in self.outcomes if one.provable and one.found and among(one)]

    @property
    def blips(self) -> float:
        """The part of the two-minute blips that was told."""
        blips = [one for one in self.outcomes if one.kind == BLIP]
        return sum(one.found for one in blips) / max(len(blips), 1)

    @property
    def notifications(self) -> float:
        """Of an incident that was found."""
        found = [one.notifications for one in self.outcomes if one.found and one.kind != BLIP]
        return float(np.mean(found)) if found else np.nan

    def lines(self) -> Iterable[str]:
        """The report as text."""
        yield f"{self.name}: {len(self.clean)} clean weeks, {len(self.weeks)} weeks with incidents"
        yield f"  false alarms a clean week  {self.false_alarms:.2f}  {self.false_by_rule}"
        yield f"  notifications an incident  {self.notifications:.2f}; country outage {self._notified(COUNTRY):.2f}"
        yield f"  blips told                 {self.blips:.1%}"
        yield f"  provable steps found       {self.recall(lambda one: one.kind in STEPS):.1%}"
        yield f"  provable of all kinds      {self.recall(lambda one: one.kind != CREEP):.1%}"
        ratios = [one.ratio for one in self.provable(lambda one: one.kind in STEPS) if np.isfinite(one.ratio)]
        yield f"  messages against the bound (steps)  {_quantiles(ratios)}"
        sizes = " ".join(f"{size:>6}" for size in SIZES)
        yield f"  {'kind':<16} provable  found {sizes}  minutes: median p90  bound: median p90  ratio: median p90"
        yield from (self._line(kind) for kind in KINDS if kind != BLIP)

    def _notified(self, kind: str) -> float:
        found = [one.notifications for one in self.outcomes if one.found and one.kind == kind]
        return float(np.mean(found)) if found else np.nan

    def _line(self, kind: str) -> str:
        held = [one for one in self.outcomes if one.kind == kind and one.provable]
        found = self.provable(lambda one: one.kind == kind)
        shares = [self.recall(partial(_is_of, kind, sizes)) for sizes in (SIZES, *((size,) for size in SIZES))]
        ratios = [one.ratio for one in found if np.isfinite(one.ratio)]
        columns = ([one.minutes for one in found], [one.bound for one in found], ratios)
        recall = " ".join(f"{share:>6.0%}" for share in shares)
        return f"  {kind:<16} {len(held):>8} {recall}  " + "  ".join(f"{_quantiles(column):>17}" for column in columns)


def _quantiles(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} {np.quantile(values, 0.9):.2f}" if len(values) else "-"


def _is_of(kind: str, sizes: Collection[str], one: Outcome) -> bool:
    return one.kind == kind and one.size in sizes
