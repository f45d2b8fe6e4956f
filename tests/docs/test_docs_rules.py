"""The pages about kinds of rules: their examples hold, number by number, and so does the sentence that they quote."""

import re
from pathlib import Path

import pytest

from monitor.config.rules import Rule
from monitor.config.rules.absence import Absence
from monitor.config.rules.cost import Cost
from monitor.config.rules.distinct import Distinct
from monitor.config.rules.latency import Latency
from monitor.config.rules.new_value import NewValue
from monitor.config.rules.shift import Shift
from monitor.config.rules.slo import Slo
from monitor.config.rules.stuck import Stuck
from monitor.runtime.clock import parse_iso
from monitor.simulation.ruletest import load_suites, run_test
from tests.fakes.worked_example import evaluate_at, fits, read_page, sentence_of

PAGES = sorted((Path(__file__).parents[2] / "docs" / "rules").glob("*.md"))
PAGES = [page for page in PAGES if page.stem != "starter-pack"]  # about rules, not about a kind


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_worked_example_of_a_page_comes_out_as_it_says(path: Path, tmp_path: Path) -> None:
    page = read_page(path, tmp_path)
    assert {rule.kind for rule in page.rules.values()} == {path.stem}
    said = []
    for test in page.tests:
        for expected in test["expect"]:
            rule = page.rules[expected["rule"]]
            evaluator, as_of, found = evaluate_at(page, test, expected)
            assert len(found) == len(expected["alerts"]), found
            for alert in expected["alerts"]:
                assert any(fits(rule, finding, alert) for finding in found), found
            if found:
                said.append(sentence_of(evaluator, rule, as_of, parse_iso(test["start"])))
    assert said == [page.said]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_worked_example_passes_where_somebody_copies_it(path: Path, tmp_path: Path) -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    rules = next(text for text in shown if text.startswith("rules:"))
    tests = [text for text in shown if text.startswith("tests:")]
    (tmp_path / "rules.yaml").write_text(rules, "utf-8")
    for number, text in enumerate(tests):
        (tmp_path / f"{number}.yaml").write_text(f"rules: [rules.yaml]\n{text}", "utf-8")
    suites = load_suites([str(tmp_path / f"{number}.yaml") for number in range(len(tests))], {})
    messages = [run_test(suite, number).message for suite in suites for number in range(len(suite.tests))]
    assert messages == [""] * len(messages) != []


def test_every_page_is_about_a_kind_with_an_example() -> None:
    kinds = {"latency", "stuck", "absence", "new_value", "cost", "distinct", "shift", "slo", "campaign", "balance"}
    assert {path.stem for path in PAGES} >= kinds


@pytest.mark.parametrize("kind", [Latency, Stuck, Absence, NewValue, Cost, Distinct, Shift, Slo])
def test_a_page_lists_exactly_the_keys_of_its_kind(kind: type[Rule]) -> None:
    page = next(path for path in PAGES if path.stem == re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower())
    first_cells = [line.split("|")[1] for line in page.read_text().splitlines() if line.startswith("| ")]
    without_use = {name for name, field in kind.model_fields.items() if field.annotation is type(None)}
    listed = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    assert listed - {"severity"} == set(kind.keys()) - set(Rule.keys()) - without_use
