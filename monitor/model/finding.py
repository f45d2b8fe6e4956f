"""The result of evaluating one group of one rule at one instant."""

from typing import Final, Literal

import msgspec

Unit = Literal["share", "count", "seconds", "money"]
"""The unit of a value: a fraction, a number, seconds, or money in the account's currency."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """The value of one group compared with its thresholds.

    ``group`` has (field, value) pairs in the order of the rule's ``by``. ``breached`` is the number of the rule's levels that the
    value crosses (0 or 1 with one threshold); None means *not enough data*. ``threshold`` is that of the highest crossed level, or of
    the lowest level if none is crossed. ``messages`` is the denominator, ``matching`` the numerator. ``why`` explains the value in words.
    ``gone`` means that the group had no messages for so long that it no longer exists.
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


def why_beside(state: str, why: str) -> str:
    """Returns a finding's ``why`` for a place that shows its state too: without the words of the state ``not_enough_data``."""
    return why.removeprefix("not enough data: ") if state == "not_enough_data" else why


_SMALL: Final = 1e-9
"""Replaces zero as a divisor."""


def excess(value: float | None, threshold: float | None, *, below: bool) -> float:
    """Returns how far the value is beyond the threshold, as a factor by which the worst groups are chosen.

    It is above 1 on the bad side, under 1 on the good side, and 0 if the value or the threshold is unknown. ``below`` means that low
    values are bad; then a value below zero (a debt) is worse than zero.
    """
    if value is None or threshold is None:
        return 0.0
    if not below:
        return max(value, 0.0) / max(threshold, _SMALL)
    return max(threshold, _SMALL) / max(value, _SMALL) - min(value, 0.0)
