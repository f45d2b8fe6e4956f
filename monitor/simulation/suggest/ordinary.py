"""The ordinary values of a rule's groups, and how far from them a threshold must stay."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

from monitor.alerts.kinds.tuning import Form
from monitor.runtime.dataclass import dataclass
from monitor.simulation.suggest.recorded import GONE, Group, RecordedRule

ORDINARY: Final = 0.95
"""The share of its time in which a group's values are ordinary: an incident may take the rest, 8 hours of a week."""
MARGIN: Final = 1.25
"""A threshold is so many times as far as the ordinary values, or further."""
CHANCE: Final = 3.0
"""Of numbers of messages: so many standard deviations of a Poisson number beyond the ordinary one, or further."""
ENOUGH: Final = 0.02
"""The share of the evaluations at which a group must have a value, to have an ordinary one."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """The outermost ordinary value, and the group that has it. ``bound``: no threshold lies closer."""

    account: str
    value: float
    group: Group
    bound: float


def ordinary(recorded: Sequence[RecordedRule], form: Form) -> Ordinary | None:
    """The outermost ordinary value of all groups; None if none has enough values."""
    found = [one for rule in recorded for one in _of_groups(rule, form)]
    if not found:
        return None
    return (min if recorded[0].below else max)(found, key=lambda one: one.bound)


def _of_groups(recorded: RecordedRule, form: Form) -> list[Ordinary]:
    found = []
    for index, group in enumerate(recorded.groups):
        values = recorded.reached[:, index]
        known = values[~np.isnan(values) & (values != GONE)]
        if len(known) >= max(ENOUGH * len(values), 1):
            further = int((1 - ORDINARY) * len(known))
            value = float(np.sort(known)[further if recorded.below else -1 - further])
            found.append(Ordinary(recorded.account, value, group, bound(value, form, recorded.below)))
    return found


def bound(value: float, form: Form, below: bool, margin: float = MARGIN) -> float:
    """What is ``margin`` times as far as an ordinary value."""
    if form == "share":
        odds = value / max(1 - value, 1e-9)
        odds = odds / margin if below else odds * margin
        return odds / (1 + odds)
    if below:
        return min(value / margin, value - CHANCE * sqrt(max(value, 0.0))) if form == "count" else value / margin
    return max(value * margin, value + CHANCE * sqrt(value + 1)) if form == "count" else value * margin
