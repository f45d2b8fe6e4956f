"""The result of evaluating one group of one rule at one instant."""

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["share", "count", "seconds", "money"]
"""What the value is measured in: a fraction, a number, seconds, the account's currency."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The value of one group against its thresholds.

    ``group`` are (field, value) pairs in the order of the rule's ``by``. ``breached`` is how many of the rule's levels the
    value crosses (0: none; with one threshold 0 or 1) and None where there is *not enough data* to say. ``threshold`` is that
    of the highest level crossed, else of the lowest. ``messages`` is the denominator, ``matching`` the numerator. ``gone``: the
    group was not seen for so long that it is no group any more.
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
    gone: bool = False


_SMALL: Final = 1e-9
"""Replaces zero as a divisor."""


def excess(value: float | None, threshold: float | None, *, below: bool) -> float:
    """How far the value is beyond the threshold, as a factor: what the worst are chosen by. ``below``: low values are the bad ones.

    Above 1 on the bad side, under 1 on the good one; 0 where value or threshold is not known. Debts (a value under zero) are worse
    than nothing.
    """
    if value is None or threshold is None:
        return 0.0
    if not below:
        return max(value, 0.0) / max(threshold, _SMALL)
    return max(threshold, _SMALL) / max(value, _SMALL) - min(value, 0.0)
