"""The starter pack: the rules of kind ``shift`` with the numbers of rules/*.yaml, its fixed floors, and silence."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.detection.detectors.floors import FLOORS
from benchmarks.detection.detectors.others import Silence
from benchmarks.detection.detectors.shift import RULES as SHIFTS
from benchmarks.detection.detectors.shift import ShiftRule
from benchmarks.detection.traffic import MINUTE
from monitor.alerts.kinds.shift.kind import settings_of
from monitor.config.rules import load_rules
from monitor.config.rules.shift import Shift

OTHERS: Final = (*FLOORS, Silence(hold=MINUTE))
_NAMES: Final = {
    "operator failures": "OperatorFailureShift",
    "country failures": "CountryFailureShift",
    "filtered sender": "SenderFiltered",
    "slow operator": "OperatorSlowShift",
}


def shift_rules() -> tuple[ShiftRule, ...]:
    """Returns the rules of kind ``shift`` as they are shipped."""
    shipped = {rule.name: rule for rule in load_rules(sorted(Path("rules").glob("*.yaml")), {})}
    found = []
    for one in SHIFTS:
        rule = shipped[_NAMES[one.name]]
        assert isinstance(rule, Shift)
        found.append(replace(one, name=rule.name, settings=settings_of(rule)))
    return tuple(found)
