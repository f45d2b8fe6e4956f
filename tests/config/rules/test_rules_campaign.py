"""The kinds campaign and balance: what their files say, and what is wrong in them."""

import pytest
from jsonschema import Draft202012Validator

from monitor.cli.json_schema import rules_schema
from monitor.config.rules import Level, load_rules
from monitor.config.rules.balance import Balance
from monitor.config.rules.campaign import Campaign
from monitor.runtime.clock import DAY, HOUR
from monitor.runtime.errors import InputError
from tests.fakes.marked import TESTDATA, assert_as_marked

GOOD = {rule.name: rule for rule in load_rules([TESTDATA / "rules-good-campaign.yaml"], {})}
RULES = Draft202012Validator(rules_schema())


def test_every_problem_of_a_bad_file_is_listed_with_its_line() -> None:
    path = TESTDATA / "rules-bad-campaign.yaml"
    with pytest.raises(InputError) as caught:
        load_rules([path], {})
    assert caught.value.exit_code == 65
    assert_as_marked(path, caught.value.problems)


def test_a_report_is_informational_and_the_problems_have_the_rules_severity() -> None:
    assert [level.severity for level in GOOD["Watchdog1"].levels_] == ["warning"]
    assert [level.severity for level in GOOD["Everything"].levels_] == ["info", "critical"]
    assert [level.severity for level in GOOD["Reports"].levels_] == ["info"]


def test_recipients_are_compared_only_where_whole_campaigns_are_taken() -> None:
    everything, reports = GOOD["Everything"], GOOD["Reports"]
    assert isinstance(everything, Campaign)
    assert isinstance(reports, Campaign)
    assert (everything.takes_whole_campaigns, reports.takes_whole_campaigns) == (True, False)
    assert everything.problems == ("failing", "stalled", "short", "ended")


def test_a_balance_is_money_or_a_span_and_looks_a_day_back() -> None:
    money, levels = GOOD["LowBalance"], GOOD["BalanceLevels"]
    assert isinstance(money, Balance)
    assert isinstance(levels, Balance)
    assert (money.is_span, money.reach, money.levels_) == (False, DAY, (Level("warning", 50.0),))
    assert (levels.is_span, levels.comparison) == (True, "below")
    assert levels.levels_ == (Level("warning", 2 * 86400.0), Level("critical", 6 * 3600.0))
    assert GOOD["BalanceOfOne"].reach == 12 * HOUR


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "campaign"},
        {"kind": "campaign", "failure_above": 30},
        {"kind": "campaign", "ended": "yes"},
        {"kind": "campaign", "stalled_for": "30m", "by": ["country"]},
        {"kind": "balance"},
        {"kind": "balance", "below": 50, "lasts_below": "2d"},
        {"kind": "balance", "below": 50, "where": {"country": "GR"}},
        {"kind": "balance", "levels": [{"severity": "a"}]},
        {"kind": "balance", "levels": [{"below": 1, "lasts_below": "1d", "severity": "a"}]},
    ],
    ids=str,
)
def test_the_schema_refuses_wrong_rules(rule: dict[str, object]) -> None:
    assert not RULES.is_valid({"rules": [{"name": "A"} | rule]})
