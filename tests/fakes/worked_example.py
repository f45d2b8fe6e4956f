"""Runs the worked example of a page of the documentation: its rules, its test, and the sentence that the page quotes."""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.view import Views
from monitor.config.rules import Rule, load_rules
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.routee_query import AccountBalance
from monitor.notify.render import Templates, sentence
from monitor.runtime.clock import MINUTE, Instant, parse_duration, parse_iso
from monitor.simulation.replay import ALWAYS
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader

_BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
_SAID = re.compile(r"The message reads: `(.*)`")


@dataclass(frozen=True)
class Page:
    """The rules, tests and quoted sentence of a page."""

    rules: dict[str, Rule]
    tests: list[dict[str, Any]]
    said: str


def read_page(path: Path, folder: Path) -> Page:
    """Returns the blocks of a page. Writes its rules to a file, as people do, and reads that."""
    text = path.read_text()
    first, second = _BLOCK.findall(text)
    file = folder / "rules.yaml"
    file.write_text(first)
    found = _SAID.search(text)
    assert found
    tests = yaml.load(second, yaml.BaseLoader)["tests"]
    return Page({rule.name: rule for rule in load_rules([file], {})}, tests, found[1])


def messages(test: dict[str, Any], until: Instant) -> Iterator[dict[str, Any]]:
    """Yields the messages that have been reported by ``until``, evenly spaced within each series."""
    start = parse_iso(test["start"])
    for number, series in enumerate(test["messages"]):
        fields = {key: value for key, value in series.items() if key not in ("at", "during", "rate")}
        fields |= {key: float(fields[key]) for key in ("latency", "price") if key in fields}
        rate = float(series["rate"])
        for i in range(round(rate * parse_duration(series["during"]) / MINUTE)):
            date = start + _at(series["at"]) + round(i * MINUTE / rate)
            if date <= until:
                yield fields | {"messageId": f"{number}-{i}", "date": date}


def _at(text: str) -> Instant:
    return 0 if text == "0m" else parse_duration(text)


def evaluate_at(
    page: Page, test: dict[str, Any], expected: dict[str, Any]
) -> tuple[RuleEvaluator, Instant, list[Finding]]:
    """Returns an evaluator with the messages up to the time of ``expected``, that time, and the findings that breach a threshold."""
    start, rule = parse_iso(test["start"]), page.rules[expected["rule"]]
    as_of, window = start + parse_duration(expected["at"]), Window("main")
    window.upsert(batch_of(list(messages(test, as_of))), "all")
    evaluator = RuleEvaluator(window, [rule], ["all"])
    evaluator.in_use_since = since = _known_since(rule, start)
    for known in test.get("balance", []):
        evaluator.account_state = evaluator.account_state.with_balance(
            start + _at(known["at"]), AccountBalance(float(known["amount"]), known["currency"])
        )
    found = evaluate(rule, EvaluationInput(WindowReader(window), as_of, since, (), evaluator.account_state)).breaching()
    return evaluator, as_of, list(found)


def _known_since(rule: Rule, start: Instant) -> Instant:
    """Returns since when history is known: absence alerts need a known past, other examples have one that begins with them."""
    return start - ALWAYS if rule.kind == "absence" else start


def fits(rule: Rule, finding: Finding, alert: dict[str, Any]) -> bool:
    """Returns whether a finding is the expected alert."""
    severity = rule.levels_[(finding.breached or 1) - 1].severity
    labels = dict(finding.group) | {"severity": severity}
    wanted = alert.get("labels", {})
    return wanted.items() <= labels.items() and _holds(alert.get("value", ""), finding.value or 0.0)


def _holds(text: str, value: float) -> bool:
    compare: Callable[[float, float], bool] = operator.gt if text.startswith("> ") else operator.eq
    number = text.removeprefix("> ")
    unit = {"%": 0.01, "s": 1.0}.get(number[-1:])
    return not text or compare(value, float(number if unit is None else number[:-1]) * (unit or 1))


def sentence_of(evaluator: RuleEvaluator, rule: Rule, as_of: Instant, start: Instant) -> str:
    """Returns the sentence of the alert that fires then."""
    since = _known_since(rule, start)
    for moment in dict.fromkeys((as_of - rule.for_, as_of)):
        cursor = Cursor("main", "all", as_of=moment, covered_since=since)
        evaluator.apply(evaluator.evaluate(cursor), cursor)
    (alert,) = [alert for alert in evaluator.alerts[rule.name].values() if alert.state == "firing"]
    return sentence(Views(evaluator, Templates()).view(alert))
