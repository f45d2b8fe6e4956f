"""Compares what is expected with the result, and describes every difference in a line for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from monitor.simulation.ruletest.expectations import differs
from monitor.simulation.ruletest.model import Expectation, ExpectedAlert, ExpectedGroup
from monitor.simulation.ruletest.scenario import ObservedAlert, ObservedGroup, RuleScenario, named, said

MOST: Final = 10
"""The most alerts or groups that are listed to explain one difference."""


def differences(expected: Expectation, scenario: RuleScenario) -> Iterator[str]:
    """Yields the differences; nothing if all is as expected."""
    if scenario.error:
        yield f"the rule cannot be judged: {scenario.error}"
        return
    if expected.alerts is not None:
        yield from _alerts(expected.alerts, scenario)
    for group in expected.groups:
        yield from _group(group, scenario)


def _alerts(expected: Sequence[ExpectedAlert], scenario: RuleScenario) -> Iterator[str]:
    present = list(scenario.alerts())
    fits = [
        [index for index, shown in enumerate(present) if not _wrong(wanted, shown, scenario)] for wanted in expected
    ]
    taken = _matched(fits)
    for number, wanted in enumerate(expected):
        if number not in taken.values():
            yield from _missing(wanted, [shown for index, shown in enumerate(present) if index not in taken], scenario)
    near = {
        id(shown) for n, wanted in enumerate(expected) if n not in taken.values() for shown in _alike(wanted, present)
    }
    surplus = [
        shown
        for index, shown in enumerate(present)
        if shown.status == "firing" and index not in taken and id(shown) not in near
    ]
    for shown in surplus[:MOST]:
        yield f"not expected: {shown}"
    if len(surplus) > MOST:
        yield f"not expected: {len(surplus) - MOST} more firing alerts"


def _matched(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """Returns pairs of alerts and expectations, as many as possible: the expectation's index by the alert's index."""
    taken: dict[int, int] = {}

    def find(number: int, tried: set[int]) -> bool:
        for index in fits[number]:
            if index not in tried:
                tried.add(index)
                if index not in taken or find(taken[index], tried):
                    taken[index] = number
                    return True
        return False

    for number in range(len(fits)):
        find(number, set())
    return taken


def _wrong(wanted: ExpectedAlert, shown: ObservedAlert, scenario: RuleScenario) -> list[str]:
    """Returns how an alert differs from an expected one; status and labels first."""
    wrong = []
    if shown.status != wanted.status:
        wrong.append(f"it is {shown.status}, expected {wanted.status}")
    for name, value in wanted.labels.items():
        if shown.labels.get(name) != value:
            wrong.append(f"{name} is {shown.labels.get(name, 'not there')}, expected {value}")
    if wanted.severity is not None and shown.severity != wanted.severity:
        wrong.append(f"severity is {shown.severity}, expected {wanted.severity}")
    return wrong + _wrong_values(wanted.value, shown, scenario)


def _wrong_values(wanted: Sequence[str], found: ObservedAlert | ObservedGroup, scenario: RuleScenario) -> list[str]:
    unit = scenario.unit(found.labels)
    return [wrong for text in wanted if (wrong := differs(text, found.value, unit))]


def _alike(wanted: ExpectedAlert, present: Sequence[ObservedAlert]) -> list[ObservedAlert]:
    """Returns the alerts with the expected labels, whatever their severity: those that were probably meant."""
    labels = {name: value for name, value in wanted.labels.items() if name != "severity"}
    return [shown for shown in present if labels.items() <= shown.labels.items()]


def _missing(wanted: ExpectedAlert, left: Sequence[ObservedAlert], scenario: RuleScenario) -> Iterator[str]:
    """Yields why an expected alert is missing: the state of the most similar alert, or of its group."""
    near = sorted(_alike(wanted, left), key=lambda shown: len(_wrong(wanted, shown, scenario)))
    if near:
        for problem_text in _wrong(wanted, near[0], scenario):
            yield f"{_called(wanted)}: {problem_text}"
        yield f"  it is: {near[0]}"
        return
    yield f"missing: {_called(wanted)}"
    own = scenario.rule.grouping
    yield from (f"  {line}" for line in _standings({k: v for k, v in wanted.labels.items() if k in own}, scenario))


def _called(wanted: ExpectedAlert) -> str:
    words = [f"{wanted.status} alert {named(wanted.labels)}"]
    words += [f"severity {wanted.severity}"] if wanted.severity else []
    words += [f"value {text}" for text in wanted.value]
    return ", ".join(words)


def _standings(labels: Mapping[str, str], scenario: RuleScenario) -> Iterator[str]:
    """Yields the states of the groups with those labels."""
    found = _groups(labels, scenario)
    for observed in found[:MOST]:
        yield str(observed)
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more groups"
    if not found:
        others = list(scenario.groups())
        seen = ", ".join(named(one.labels) for one in others[:MOST]) or "none"
        yield f"no such group has messages; groups that do: {seen}{', …' if len(others) > MOST else ''}"


def _groups(labels: Mapping[str, str], scenario: RuleScenario) -> list[ObservedGroup]:
    own = scenario.rule.grouping
    if labels.keys() == set(own):
        return [scenario.group(tuple((name, labels[name]) for name in own))]
    return [observed for observed in scenario.groups() if labels.items() <= observed.labels.items()]


def _group(wanted: ExpectedGroup, scenario: RuleScenario) -> Iterator[str]:
    found = _groups(wanted.labels, scenario)
    if not found and (wanted.state != "not_enough_data" or wanted.value):
        yield f"group {named(wanted.labels)}: expected {said(wanted.state)}"
        yield from (f"  {line}" for line in _standings(wanted.labels, scenario))
    for observed in found[:MOST]:
        wrong = (
            [] if observed.state == wanted.state else [f"it is {said(observed.state)}, expected {said(wanted.state)}"]
        )
        wrong += _wrong_values(wanted.value, observed, scenario)
        for problem_text in wrong:
            yield f"group {named(observed.labels)}: {problem_text}"
        if wrong:
            yield f"  it is: {observed}"
