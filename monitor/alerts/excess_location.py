"""In which messages of the account the excess of an alert lies: in one country, in one campaign, or everywhere.

Of a silence there is no excess: the messages that came before say where it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.excess import OUTCOMES, Excess, excess_of
from monitor.alerts.explain import SPARED
from monitor.alerts.kinds import EvaluationInput, case_of
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.shift.groups import SMALL
from monitor.model.alert import Alert
from monitor.model.message import CODED_FIELDS, UNKNOWN
from monitor.runtime.clock import DAY

Place = Mapping[str, str]
"""Values of message fields. It means the messages that have all of them."""

ALL_OVER: Final[Place] = {}
"""All messages."""
ALIKE: Final = 1 / 3
"""A value of a field is concerned too if of its excess, for its traffic, and that where the alert is, the less is at least this part of the more."""
NEARLY_ALL: Final = 2 / 3
"""The excess is everywhere if this part of the other traffic is concerned."""
LEAST_ELSEWHERE: Final = 5
"""... and if at least this number of messages show it: fewer are chance."""
ONE_SENDER: Final = 0.8
"""A campaign or sender is the cause if it carries this part of the excess."""
_SENDERS: Final = ("campaign", "from")


def scope_of(group: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Returns which messages a group of a rule has. How a message fared is no part of it, nor are the small groups that are pooled."""
    named = ((name, value) for name, value in group if value != SMALL)
    return {name: value for name, value in named if name in CODED_FIELDS and name not in OUTCOMES}


class ExcessLocation:
    """Where the excess of one alert lies. What is asked of it is counted when it is asked for the first time."""

    def __init__(self, case: RuleCase, inputs: EvaluationInput, alert: Alert) -> None:
        self._case = case
        self._inputs = inputs
        self._alert = alert
        self._by_field: dict[str, Mapping[str, float]] = {}

    def share_in(self, place: Place, of: Place = ALL_OVER) -> float:
        """Returns which part of the excess, or of that in the place ``of``, lies in those messages, from 0 to 1."""
        if any(of[name] != place[name] for name in of.keys() & place.keys()):
            return 0.0
        return _part(self._within({**of, **place}), self._within(of))

    def traffic_in(self, place: Place) -> int:
        """Returns how many messages of the alert's traffic those are."""
        return self._excess.traffic_within(place)

    def most_in(self, name: str) -> tuple[str, float]:
        """Returns the value of a field that carries the most of the excess, and which part of it; UNKNOWN if no message has a value."""
        carried = self._carried(name)
        value = max(carried, key=lambda one: (carried[one], one), default=UNKNOWN)
        return value, _part(carried.get(value, 0.0), self._excess.size)

    @property
    def part_of_whole(self) -> float:
        """Which part of the excess of all messages that its rule considers the alert's own is."""
        return _part(self._excess.size, self._whole.size)

    def one_sender(self) -> dict[str, str]:
        """Returns the campaign or sender that carries nearly all of the excess of all messages, and much less of the traffic; empty if none does."""
        for name in _SENDERS:
            carried, traffic = self._whole_by(name)
            value = max(carried, key=lambda one: (carried[one], one), default=UNKNOWN)
            share = _part(carried.get(value, 0.0), self._whole.size)
            usual = _part(traffic.get(value, 0.0), sum(traffic.values()))
            if value != UNKNOWN and share >= ONE_SENDER and 1 - share <= (1 - usual) * SPARED:
                return {name: value}
        return {}

    def is_everywhere(self, name: str, own: str = "") -> bool:
        """Returns whether nearly all values of the field share the excess of all messages, each for its traffic about as much as ``own``.

        ``own`` is the alert's value; an alert without one is compared with the value that carries most.
        """
        carried, traffic = self._whole_by(name)
        first = own or max(carried, key=lambda one: (carried[one], one), default=UNKNOWN)
        rate = carried.get(first, 0.0) / max(traffic.get(first, 0), 1)
        others = {value: count for value, count in traffic.items() if value not in (first, UNKNOWN)}
        concerned = [
            one
            for one, count in others.items()
            if max(ALIKE * rate * count, 1) <= carried.get(one, 0.0) <= max(rate * count / ALIKE, 1)
        ]
        shown = sum(carried[one] for one in concerned)
        return shown >= LEAST_ELSEWHERE and sum(others[one] for one in concerned) >= NEARLY_ALL * sum(others.values())

    def _within(self, place: Place) -> float:
        """Returns how much of the excess lies in a place; the values of one field are counted together, as one value after the other is asked for."""
        if not place:
            return self._excess.size
        ((name, value), *others) = place.items()
        if others or value == UNKNOWN:
            return self._excess.within(place)
        return self._carried(name).get(value, 0.0)

    def _carried(self, name: str) -> Mapping[str, float]:
        """Returns how much of the excess each value of a field carries."""
        if name not in self._by_field:
            self._by_field[name] = self._excess.carried(name)
        return self._by_field[name]

    @cached_property
    def _excess(self) -> Excess:
        return excess_of(self._case, self._case.code(self._inputs) or 0, self._inputs, self._alert.pending_at)

    def _whole_by(self, name: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Returns the whole excess and its traffic by the values of a field, counted once for all of the rule's alerts."""
        shared, key = self._inputs.reading.shared, ("whole excess by", self._alert.rule, self._outcomes, name)
        if key not in shared:
            shared[key] = self._whole.carried(name), self._whole.split(self._whole.traffic, name)
        found: tuple[Mapping[str, float], Mapping[str, float]] = shared[key]
        return found

    @property
    def _outcomes(self) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in self._case.group if pair[0] in OUTCOMES)

    @cached_property
    def _whole(self) -> Excess:
        """The excess of all messages that the rule considers, counted once for all of its alerts."""
        kept = self._outcomes
        shared, key = self._inputs.reading.shared, ("whole excess", self._alert.rule, kept)
        if key not in shared:
            question = replace(self._case.question, by=tuple(name for name, _ in kept))
            whole = replace(self._case, group=kept, question=question)
            shared[key] = excess_of(whole, whole.code(self._inputs) or 0, self._inputs, self._alert.pending_at)
        found: Excess = shared[key]
        return found


def location_of(evaluator: RuleEvaluator, alert: Alert, context: ViewContext) -> ExcessLocation | None:
    """Returns where the excess of an alert lies; None if no messages carry it, or they cannot be seen now."""
    rule = evaluator.rules.get(alert.rule)
    span = None if rule is None else evaluator.coverage.as_of(rule, context.cursors)
    if rule is None or span is None or tuple(name for name, _ in alert.group) != rule.grouping:
        return None
    inputs = evaluator.input_for(rule, context.reading, *span)
    case = case_of(rule, inputs, alert.group)
    return None if case is None or case.code(inputs) is None else ExcessLocation(case, inputs, alert)


def usual_value(evaluator: RuleEvaluator, alert: Alert, context: ViewContext, name: str) -> tuple[str, float]:
    """Returns the value of a field that most messages of an alert's group have, of the rule's window and the day before, and their share.

    It says where a silent group is: its messages had been there. The value is UNKNOWN if no message has one, or they cannot be seen now.
    """
    rule = evaluator.rules.get(alert.rule)
    seen = None if rule is None else evaluator.coverage.as_of(rule, context.cursors)
    if rule is None or seen is None or not rule.by or tuple(name for name, _ in alert.group) != rule.by:
        return UNKNOWN, 0.0
    inputs = evaluator.input_for(rule, context.reading, *seen)
    code = inputs.reading.code(rule.by, tuple(value for _, value in alert.group))
    if code is None:
        return UNKNOWN, 0.0
    span = min(rule.reach, (rule.alert_window or 0) + DAY)
    found = inputs.reading.split(inputs.reading.rows(considered(rule, inputs.as_of, span), code), name)
    value = max(found.keys() - {UNKNOWN}, key=lambda one: (found[one], one), default=UNKNOWN)
    return value, _part(found.get(value, 0), sum(found.values()))


def _part(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
