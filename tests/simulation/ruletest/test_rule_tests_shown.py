"""The rule tests that are shown in the documentation, and those of the starter rules, pass; the page lists exactly the keys there are."""

import re
from pathlib import Path

import pytest

from monitor.config.rules import load_rules
from monitor.simulation.ruletest import load_suites, run_test
from monitor.simulation.ruletest.model import (
    BalanceAnswer,
    CampaignAnswer,
    Expectation,
    ExpectedAlert,
    ExpectedGroup,
    Report,
    RuleTest,
    RuleTests,
    Series,
)

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "rule-tests.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHIPPED = sorted((ROOT / "rules" / "tests").glob("*.yaml"))


def failures(file: Path) -> list[str]:
    (suite,) = load_suites([str(file)], {})
    return [message for number in range(len(suite.tests)) if (message := run_test(suite, number).message)]


@pytest.mark.parametrize("text", [text for text in BLOCKS if "\ntests:" in text])
def test_the_tests_of_the_documentation_pass(text: str, tmp_path: Path) -> None:
    for path in (ROOT / "rules").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    folder = tmp_path / "tests"
    folder.mkdir()
    for number, block in enumerate(BLOCKS):
        if "\ntests:" not in block:
            (folder / ("queue.yaml" if "Queue" in block else f"{number}.yaml")).write_text(block, "utf-8")
    (folder / "shown.yaml").write_text(text, "utf-8")
    assert failures(folder / "shown.yaml") == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_tests_of_the_starter_rules_pass(file: Path) -> None:
    assert failures(file) == []


def test_every_starter_rule_has_tests_in_which_it_fires_and_in_which_it_does_not() -> None:
    suites = load_suites([str(ROOT / "rules" / "tests")], {})
    expected = [one for suite in suites for test in suite.tests for one in test.expect]
    for rule in load_rules(sorted((ROOT / "rules").glob("*.yaml"))):
        own = [one for one in expected if one.rule == rule.name]
        assert any(one.alerts for one in own), rule.name
        assert any(one.alerts == () for one in own), rule.name


def words_under(heading: str) -> set[str]:
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return set(re.findall(r"`([^`]+)`", table))


def test_the_documentation_lists_exactly_the_keys_there_are() -> None:
    assert words_under("The file") == set(RuleTests.keys())
    assert words_under("A test") == set(RuleTest.keys())
    assert words_under("A series of messages") == set(Series.keys())
    assert words_under("What Routee answers") == set(BalanceAnswer.keys()) | set(CampaignAnswer.keys())
    assert words_under("What is expected") == set(Expectation.keys()) - {"at", "rule"}
    for model in (Report, ExpectedAlert, ExpectedGroup):
        assert all(f"`{key}`" in PAGE for key in model.keys())  # noqa: SIM118 - a class method, not a mapping's
