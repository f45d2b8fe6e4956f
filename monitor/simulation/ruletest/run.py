"""Runs one rule test: the daemon's evaluator and alert life cycle, on a clock that only the test moves."""

from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter
from typing import Final

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule
from monitor.config.rules.spike import SameHour, Spike
from monitor.runtime.clock import Instant, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.simulation.replay import ALWAYS, Replay
from monitor.simulation.ruletest.account_state import ScriptedAnswers
from monitor.simulation.ruletest.compare import differences
from monitor.simulation.ruletest.load import Suite
from monitor.simulation.ruletest.model import Expectation, RuleTest
from monitor.simulation.ruletest.scenario import RuleScenario
from monitor.simulation.ruletest.series import Reports
from monitor.window import Window

ACCOUNT: Final = "main"
SEARCH: Final = "all"
"""The only search of a test whose rules name none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one test. ``message`` is empty if all was as expected, otherwise several lines for people."""

    file: str
    line: int
    name: str
    message: str
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return not self.message


def run_test(suite: Suite, number: int, time_zone: str = "UTC") -> Verdict:
    """Runs one test of a file; ``time_zone`` is the account's, if the test names none."""
    began = perf_counter()
    lines = list(_Run(suite, suite.tests[number], number, time_zone).problem_texts())
    line = suite.line("tests", number)
    return Verdict(suite.file, line, suite.tests[number].name, "\n".join(lines), perf_counter() - began)


class _Run:
    """One running test."""

    def __init__(self, suite: Suite, test: RuleTest, number: int, time_zone: str) -> None:
        self._suite = suite
        self._test = test
        self._number = number
        self._rules = _needed(test, suite.rules)
        searches = _searches(self._rules.values(), test)
        self._reports, self._answers = Reports(test, searches), ScriptedAnswers(test)
        self._evaluator = RuleEvaluator(Window(ACCOUNT), self._rules.values(), searches)
        covered_since = test.start - (ALWAYS if test.history is None else test.history)
        self._evaluator.time_zone = test.time_zone or time_zone
        self._evaluator.in_use_since = None if test.history is None else covered_since
        self._replay = Replay(self._evaluator, self._feed, covered_since)
        self._covered_since = covered_since

    def problem_texts(self) -> Iterator[str]:
        """Yields every expectation that was not met, in the order of time."""
        due = sorted(enumerate(self._test.expect), key=lambda item: item[1].at)
        for at in _steps(self._test):
            self._replay.step(self._test.start + at)
            while due and due[0][1].at < at + self._test.every:
                index, expected = due.pop(0)
                yield from self._held_against(expected, index, self._test.start + at)

    def _feed(self, until: Instant) -> None:
        self._reports.feed(self._evaluator.window, until)
        self._evaluator.account_state = self._answers.with_answers(self._evaluator.account_state, until)

    def _held_against(self, expected: Expectation, index: int, as_of: Instant) -> Iterator[str]:
        rule = self._rules[expected.rule]
        scenario = RuleScenario(self._replay, rule, as_of, self._covered_since)
        found = list(differences(expected, scenario))
        if found:
            line = self._suite.line("tests", self._number, "expect", index)
            yield f"at {format_duration(expected.at)}, {rule.name} ({self._suite.file}:{line}):"
            yield from (f"  {one}" for one in found)
            yield from self._clock(rule)

    def _clock(self, rule: Rule) -> Iterator[str]:
        """Yields the time zone of the evaluation, if the rule depends on it."""
        if isinstance(rule, Spike) and isinstance(rule.baseline, SameHour):
            yield f"  the same hour was taken by the clock of {rule.baseline.location or self._evaluator.time_zone}"


def _needed(test: RuleTest, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Returns the rules for which something is expected; the others need not be evaluated."""
    return {name: rules[name] for name in dict.fromkeys(expected.rule for expected in test.expect)}


def _searches(rules: Iterable[Rule], test: RuleTest) -> tuple[str, ...]:
    named = [rule.search for rule in rules] + [series.search for series in test.messages]
    return tuple(dict.fromkeys(name for name in named if name is not None)) or (SEARCH,)


def _steps(test: RuleTest) -> range:
    """Returns the evaluations from the start to the last expectation."""
    return range(0, test.end + 1, test.every)
