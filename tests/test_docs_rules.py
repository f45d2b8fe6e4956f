"""The pages about kinds of rules: their examples hold, number by number, and so does the sentence that they quote."""

from pathlib import Path

import pytest
from fakes.worked_example import fits, judge_at, read_page, sentence_of

from monitor.clock import parse_iso

PAGES = sorted((Path(__file__).parent.parent / "docs" / "rules").glob("*.md"))
PAGES = [page for page in PAGES if page.stem != "starter-pack"]  # about rules, not about a kind


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_worked_example_of_a_page_comes_out_as_it_says(path: Path, tmp_path: Path) -> None:
    page = read_page(path, tmp_path)
    assert {rule.kind for rule in page.rules.values()} == {path.stem}
    said = []
    for test in page.tests:
        for expected in test["expect"]:
            rule = page.rules[expected["rule"]]
            judge, as_of, found = judge_at(page, test, expected)
            assert len(found) == len(expected["alerts"]), found
            for alert in expected["alerts"]:
                assert any(fits(rule, finding, alert) for finding in found), found
            if found:
                said.append(sentence_of(judge, rule, as_of, parse_iso(test["start"])))
    assert said == [page.said]


def test_every_page_is_about_a_kind_with_an_example() -> None:
    assert {path.stem for path in PAGES} >= {
        "latency",
        "stuck",
        "absence",
        "new_value",
        "cost",
        "distinct",
        "slo",
        "campaign",
        "balance",
    }
