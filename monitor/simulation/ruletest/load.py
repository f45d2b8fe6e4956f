"""Loads files of rule tests with the rules that they name, and checks that the two agree."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from monitor.config.monitor.globs import TESTS, each_once, find_files
from monitor.config.rules import EXIT_BAD_RULES, Rule, read_rules
from monitor.config.yaml import FieldProblem, problems_of, suggest, validate, value_at
from monitor.config.yaml.document import Document, KeyPath, read_document
from monitor.model.finding import Unit
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InputError, Problem
from monitor.simulation.ruletest.expectations import check_wanted, units_of
from monitor.simulation.ruletest.model import Expectation, RuleTest, RuleTests

_SHAPE: Final = TypeAdapter(RuleTests)
_TEST: Final = TypeAdapter(RuleTest)
_RULES_INSTEAD: Final = (
    "this file holds rules, not tests; write tests in a file of their own that names this one under `rules`"
)
_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of tests with its rules, by name, all of them enabled."""

    document: Document
    tests: tuple[RuleTest, ...]
    rules: Mapping[str, Rule]

    @property
    def file(self) -> str:
        """The file's name."""
        return self.document.file

    def line(self, *path: str | int) -> int:
        """Returns the line of the value at that path."""
        return self.document.location(path)[1]


def load_suites(names: Iterable[str], environ: Mapping[str, str]) -> list[Suite]:
    """Loads the test files that are named: files, globs or folders. Raises InputError (exit 65) with every problem of every file."""
    suites: list[Suite] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    for name in names:
        try:
            paths = _files(name)
        except ValueError as error:
            problems.append(Problem(name, 1, 1, "", str(error)))
            continue
        for path in paths:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                found = _read(path, environ)
                suites += [found] if isinstance(found, Suite) else []
                problems += [] if isinstance(found, Suite) else found
    if problems:
        raise InputError(problems, EXIT_BAD_RULES)
    return suites


def _files(name: str) -> tuple[Path, ...]:
    path = Path(name)
    if path.is_dir():
        return _files_in(path)
    return (path,) if path.exists() else find_files(Path(), name)


def _files_in(folder: Path) -> tuple[Path, ...]:
    """Returns the test files of a folder: those in its subfolders named ``tests``, or all of its files if it has no such subfolder."""
    found = sorted(one for one in folder.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
    if not found:
        raise ValueError("there is no test file (*.yaml) in this folder")
    return tuple([one for one in found if TESTS in one.relative_to(folder).parts[:-1]] or found)


def _read(path: Path, environ: Mapping[str, str]) -> Suite | list[Problem]:
    document = read_document(path, environ)
    problems = list(document.problems)
    if not document.readable:
        return problems
    if _holds_rules(document.data):
        return [*problems, document.problem(("rules",), _RULES_INSTEAD)]
    shape = validate(_SHAPE, document)
    problems += shape if isinstance(shape, list) else []
    patterns = _patterns(document.data)
    rules, wrong = _rules(document, path.parent, patterns, environ)
    problems += wrong
    if patterns and not wrong:
        problems += problems_of(document, _disagreements(_sound(document, shape), rules))
    return problems if problems or isinstance(shape, list) else Suite(document, shape.tests, rules)


def _holds_rules(data: object) -> bool:
    """Returns whether a file contains rules instead of tests."""
    items = value_at(data, ("rules",))
    mappings = isinstance(items, list) and any(isinstance(item, dict) for item in items)
    return mappings and value_at(data, ("tests",)) is None


def _patterns(data: object) -> tuple[str, ...]:
    """Returns the names of the rule files, even if other parts of the file are wrong."""
    items = value_at(data, ("rules",))
    named = isinstance(items, list) and all(isinstance(item, str) and item for item in items)
    return tuple(items) if isinstance(items, list) and named else ()


def _sound(document: Document, shape: RuleTests | list[Problem]) -> Iterator[tuple[int, RuleTest]]:
    """Yields the valid tests with their numbers, so that problems of one test do not hide those of others."""
    if isinstance(shape, RuleTests):
        yield from enumerate(shape.tests)
        return
    items = value_at(document.data, ("tests",))
    for number in range(len(items) if isinstance(items, list) else 0):
        test = validate(_TEST, document, at=("tests", number))
        if isinstance(test, RuleTest):
            yield number, test


def _rules(
    document: Document, folder: Path, patterns: Sequence[str], environ: Mapping[str, str]
) -> tuple[dict[str, Rule], list[Problem]]:
    problems = []
    for index, pattern in enumerate(patterns):
        try:
            find_files(folder, pattern)
        except ValueError as error:
            problems.append(document.problem(("rules", index), str(error)))
    if problems:
        return {}, problems
    rules, wrong = read_rules(each_once(folder, patterns, _SUFFIXES), environ)
    # Rules are tested even while they are disabled.
    return {rule.name: rule.model_copy(update={"enabled": True}) for rule in rules}, wrong


def _disagreements(tests: Iterable[tuple[int, RuleTest]], rules: Mapping[str, Rule]) -> Iterator[FieldProblem]:
    for number, test in tests:
        yield from _unsent_campaigns(test, number)
        for index, expected in enumerate(test.expect):
            at: KeyPath = ("tests", number, "expect", index)
            rule = rules.get(expected.rule)
            if rule is None:
                said = f"there is no rule {expected.rule!r} in the files under `rules`{suggest(expected.rule, sorted(rules))}"
                yield FieldProblem((*at, "rule"), said)
            else:
                yield from _impossible(expected, rule, at)


def _unsent_campaigns(test: RuleTest, number: int) -> Iterator[FieldProblem]:
    """Yields a problem for each answer about a campaign without messages, because nothing follows from it."""
    sent = {tracking_id for series in test.messages for tracking_id in series.campaign_tracking_id}
    if any("{n}" in tracking_id for tracking_id in sent):
        return
    for index, answer in enumerate(test.campaigns):
        if (tracking_id := answer.campaign_tracking_id) not in sent:
            said = f"no message of this test has the tracking id {tracking_id!r}{suggest(tracking_id, sorted(sent))}"
            yield FieldProblem(("tests", number, "campaigns", index, "campaignTrackingId"), said)


def _impossible(expected: Expectation, rule: Rule, at: KeyPath) -> Iterator[FieldProblem]:
    own = rule.grouping
    all_labels = ("alertname", "severity", *own, *rule.labels)
    severities = [level.severity for level in rule.levels_]
    for index, alert in enumerate(expected.alerts or ()):
        path = (*at, "alerts", index)
        yield from _unknown_labels(alert.labels, all_labels, path)
        yield from _unreadable(alert.value, units_of(rule, alert.labels), path)
        if alert.severity is not None and alert.severity not in severities:
            said = f"{rule.name} has no level of the severity {alert.severity!r}{suggest(alert.severity, severities)}"
            yield FieldProblem((*path, "severity"), said)
    for index, group in enumerate(expected.groups):
        path = (*at, "groups", index)
        yield from _unknown_labels(group.labels, own, path)
        yield from _unreadable(group.value, units_of(rule, group.labels), path)


def _unknown_labels(labels: Mapping[str, str], known: tuple[str, ...], path: KeyPath) -> Iterator[FieldProblem]:
    for name in labels:
        if name not in known:
            yield FieldProblem(
                (*path, "labels", name), f"the rule's alerts have no label {name!r}{suggest(name, known)}", True
            )


def _unreadable(values: Iterable[str], units: Sequence[Unit], path: KeyPath) -> Iterator[FieldProblem]:
    for value in values:
        try:
            check_wanted(value, units)
        except ValueError as error:
            yield FieldProblem((*path, "value"), str(error))
