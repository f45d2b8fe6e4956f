"""What judging one group of one rule at one moment gives."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "count", "seconds", "money"]
"""What the value is measured in: a fraction, a number, seconds, the account's currency."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The value of one group against its thresholds.

    ``group`` are (field, value) pairs in the order of the rule's ``by``. ``breached`` is how many of the rule's levels the
    value crosses (0: none; with one threshold 0 or 1) and None where there is *not enough data* to say. ``threshold`` is that
    of the highest level crossed, else of the lowest. ``messages`` is the denominator, ``matching`` the numerator.
    """

    group: tuple[tuple[str, str], ...]
    breached: int | None
    value: float | None
    threshold: float | None
    why: str
    messages: int = 0
    matching: int = 0
    baseline: float | None = None
    change: float | None = None

    @property
    def excess(self) -> float:
        """How far beyond the threshold, as a factor: what the worst groups are chosen by."""
        return excess(self.value, self.threshold)


def excess(value: float | None, threshold: float | None) -> float:
    """How far the one is from the other, as a factor of at least 1; 0 where either is not known."""
    if value is None or threshold is None:
        return 0.0
    small = 1e-9
    ratio = (value + small) / (threshold + small)
    return max(ratio, 1 / ratio)
