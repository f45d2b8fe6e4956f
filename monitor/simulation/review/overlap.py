"""Which rules' alerts come together."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from monitor.runtime.dataclass import dataclass
from monitor.simulation.review.alerts import SOON, PastAlert

MOST_ALERTS: Final = 1_000
"""The most alerts of a rule that are compared, the latest ones."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """``together`` of a rule's ``alerts`` began and fired together with an alert of ``other``."""

    other: str
    together: int
    alerts: int

    @property
    def share(self) -> float:
        """The share of the rule's alerts."""
        return self.together / self.alerts


def overlaps(alerts: Mapping[str, Sequence[PastAlert]]) -> dict[str, list[Overlap]]:
    """For each rule the other rules with alerts that overlap with its own, the most frequent first."""
    compared = {rule: _Compared(some) for rule, some in alerts.items()}
    found = {rule: list(_of_rule(rule, compared)) for rule in compared}
    return {rule: sorted(some, key=lambda one: (-one.together, one.other)) for rule, some in found.items()}


def _of_rule(rule: str, compared: "Mapping[str, _Compared]") -> "Sequence[Overlap]":
    own = compared[rule].alerts
    counts = {other: sum(map(theirs.has_one_with, own)) for other, theirs in compared.items() if other != rule}
    return [Overlap(other, together, len(own)) for other, together in counts.items() if together]


class _Compared:
    """The alerts of one rule, to be searched by time."""

    def __init__(self, alerts: Sequence[PastAlert]) -> None:
        known = sorted((one for one in alerts if one.is_comparable), key=lambda one: one.begun or 0)
        self.alerts = known[-MOST_ALERTS:]
        self._begun = np.array([one.begun for one in self.alerts], np.int64)

    def has_one_with(self, other: PastAlert) -> bool:
        """Whether one of them overlaps with the other."""
        there = np.flatnonzero(np.abs(self._begun - (other.begun or 0)) <= SOON)
        return any(self.alerts[at].overlaps(other) for at in there.tolist())
