"""Rule tests: what passes, what fails and how it says so, and what is wrong with a file."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.model.finding import Unit
from monitor.runtime.errors import InputError
from monitor.simulation.ruletest import junit, load_suites, run_test
from monitor.simulation.ruletest.expectations import parse_wanted

RULES = """
rules:
  - name: OperatorFailureRate
    kind: rate
    match: {status: [Failed, Undelivered]}
    by: [operator, country]
    window: 15m
    levels: [{above: 20%, severity: warning}, {above: 60%, severity: critical}]
    min_messages: 50
    for: 5m
    keep_firing_for: 15m
    labels: {team: sms}
  - name: Queue
    kind: count
    match: {status: [Queued, Sent]}
    search: outbound
    window: 1h
    above: 20
  - name: Surge
    kind: spike
    by: [country]
    window: 10m
    baseline: {window: 1h, ago: 10m}
    above: 3x
    min_messages: 50
    limit: 2
"""

GOOD = """
  - name: an operator starts failing
    start: 2026-11-21T10:00:00Z
    every: 30s
    messages:
      - {at: 0m, during: 60m, rate: 20, operator: Cosmote, country: GR, status: Delivered}
      - {at: 30m, during: 30m, rate: 15, operator: Cosmote, country: GR, status: Undelivered, detailedStatus: Carrier Violation}
    expect:
      - {at: 25m, rule: OperatorFailureRate, alerts: []}
      - at: 50m
        rule: OperatorFailureRate
        alerts: [{status: firing, labels: {operator: Cosmote, country: GR}, value: "> 20%"}]
"""


def suite_of(folder: Path, tests: str, rules: str = RULES) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "rules.yaml").write_text(rules)
    file = folder / "tests.yaml"
    file.write_text(f"rules: [rules/*.yaml]\ntests:{tests}")
    return file


def messages(folder: Path, tests: str, rules: str = RULES) -> list[str]:
    (suite,) = load_suites([str(suite_of(folder, tests, rules))], {})
    return [run_test(suite, number).message for number in range(len(suite.tests))]


def problems(folder: Path, tests: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_suites([str(suite_of(folder, tests))], {})
    assert caught.value.exit_code == 65
    return [f"{problem.line}:{problem.column} {problem.path}: {problem.message}" for problem in caught.value.problems]


def command(*words: str) -> Result:
    return CliRunner().invoke(cli, ["test", *words])


SHIFT_RULES = "rules: [{name: Shifted, kind: shift, by: [operator], learn: 2h}]"
SHIFT = """
  - name: failures become four times as frequent
    start: 2026-11-21T08:00:00Z
    every: 1m
    messages:
      - {at: 0m, during: 180m, rate: 57, status: Delivered, operator: Cosmote}
      - {at: 0m, during: 180m, rate: 3, status: Undelivered, operator: Cosmote}
      - {at: 180m, during: 30m, rate: 48, status: Delivered, operator: Cosmote}
      - {at: 180m, during: 30m, rate: 12, status: Undelivered, operator: Cosmote}
      - {at: 210m, during: 60m, rate: 57, status: Delivered, operator: Cosmote}
      - {at: 210m, during: 60m, rate: 3, status: Undelivered, operator: Cosmote}
    expect:
      - {at: 100m, rule: Shifted, alerts: [], groups: [{state: not_enough_data}]}
      - {at: 175m, rule: Shifted, alerts: [], groups: [{state: inactive, value: [">= 4%", "<= 6%"]}]}
      - at: 200m
        rule: Shifted
        alerts: [{status: firing, labels: {operator: Cosmote}, value: "> 15%"}]
      - {at: 230m, rule: Shifted, alerts: [{status: resolved}]}
"""


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    assert messages(tmp_path, GOOD) == [""]


def test_a_shift_rule_is_tested_from_its_learning_to_its_end(tmp_path: Path) -> None:
    assert messages(tmp_path, SHIFT, SHIFT_RULES) == [""]


def test_a_failure_shows_expected_against_actual_value_by_value(tmp_path: Path) -> None:
    wrong = GOOD.replace('"> 20%"', '"> 55%"').replace(
        "country: GR}, value", "country: GR, team: sms}, severity: critical, value"
    )
    (message,) = messages(tmp_path, wrong)
    where = f"at 50m, OperatorFailureRate ({tmp_path}/tests.yaml:11):"
    called = "firing alert {operator: Cosmote, country: GR, team: sms}, severity critical, value > 55%"
    assert message.splitlines() == [
        where,
        f"  {called}: severity is warning, expected critical",
        f"  {called}: value is 42.9%, expected > 55%",
        "    it is: firing {operator: Cosmote, country: GR, team: sms} (warning) for 10m: 42.9% (225 of 525 messages) is above 20%",
    ]


def test_a_missing_alert_is_explained_by_how_its_group_stands(tmp_path: Path) -> None:
    (message,) = messages(tmp_path, GOOD.replace("at: 50m", "at: 38m"))
    assert "missing:" not in message
    assert "it is pending, expected firing" in message
    (message,) = messages(tmp_path, GOOD.replace("at: 50m", "at: 20m"))
    assert "missing: firing alert {operator: Cosmote, country: GR}" in message
    assert "{operator: Cosmote, country: GR} is inactive: 0% (0 of 300 messages) is below 20%" in message
    (message,) = messages(tmp_path, GOOD.replace("labels: {operator: Cosmote", "labels: {operator: Wind"))
    assert "no such group" not in message
    assert "{operator: Wind, country: GR} is not enough data: 0 messages, min_messages is " in message
    assert "not expected: firing {operator: Cosmote, country: GR, team: sms}" in message


def test_a_rule_that_is_switched_off_is_judged_as_if_it_were_on(tmp_path: Path) -> None:
    off = RULES.replace("kind: rate", "kind: rate\n    enabled: false")
    file = suite_of(tmp_path, GOOD, off)
    (suite,) = load_suites([str(file)], {})
    assert run_test(suite, 0).ok
    (suite,) = load_suites([str(suite_of(tmp_path, GOOD.replace('"> 20%"', '"> 55%"'), off))], {})
    assert "value is 42.9%, expected > 55%" in run_test(suite, 0).message


def test_an_alert_that_nobody_expects_fails_the_test(tmp_path: Path) -> None:
    (message,) = messages(tmp_path, GOOD.replace("at: 25m", "at: 45m"))
    assert message.splitlines()[1].startswith("  not expected: firing {operator: Cosmote")


def test_pending_and_resolved_alerts_are_looked_at_where_they_are_asked_for(tmp_path: Path) -> None:
    tests = """
  - name: a short outage
    messages:
      - {at: 0m, during: 2h, rate: 20, operator: A, country: GR}
      - {at: 30m, during: 20m, rate: 20, operator: A, country: GR, status: Failed}
    expect:
      - {at: 37m, rule: OperatorFailureRate, alerts: [{status: pending}]}
      - {at: 37m, rule: OperatorFailureRate, alerts: []}
      - {at: 45m, rule: OperatorFailureRate, alerts: [{severity: warning}]}
      - {at: 100m, rule: OperatorFailureRate, alerts: [{status: resolved, labels: {operator: A}}]}
      - {at: 100m, rule: OperatorFailureRate, alerts: []}
"""
    assert messages(tmp_path, tests.replace("100m", "1h40m")) == [""]


def test_groups_are_expected_in_a_state(tmp_path: Path) -> None:
    tests = """
  - name: states
    messages:
      - {at: 0m, during: 30m, rate: 20, operator: A, country: GR}
      - {at: 0m, during: 30m, rate: 1, operator: B, country: GR, status: Failed}
      - {at: 0m, during: 30m, rate: 20, operator: C, country: GR, status: Failed}
    expect:
      - at: 20m
        rule: OperatorFailureRate
        groups:
          - {labels: {operator: A}, state: inactive, value: "0%"}
          - {labels: {operator: B, country: GR}, state: not_enough_data, value: "= 100%"}
          - {labels: {operator: C}, state: firing, value: [">= 100%", "<= 100%"]}
          - {labels: {operator: D, country: GR}, state: not_enough_data}
"""
    assert messages(tmp_path, tests) == [""]
    (message,) = messages(tmp_path, tests.replace("operator: A}, state: inactive", "operator: A}, state: pending"))
    assert "group {operator: A, country: GR}: it is inactive, expected pending" in message


def test_a_message_can_be_sent_first_and_fare_later(tmp_path: Path) -> None:
    tests = """
  - name: a queue fills and empties
    messages:
      - {at: 0m, count: 30, then: {after: 20m, status: Delivered}}
      - {at: 0m, count: 10, search: outbound, then: [{after: 40m, status: Delivered}, {after: 5m, status: Queued}]}
      - {at: 0m, count: 100, search: other, status: Sent}
    expect:
      - {at: 10m, rule: Queue, alerts: [{value: "= 40"}]}
      - {at: 30m, rule: Queue, groups: [{state: inactive, value: "10"}]}
      - {at: 45m, rule: Queue, groups: [{state: inactive, value: "0"}], alerts: [{status: resolved}]}
"""
    assert messages(tmp_path, tests) == [""]


def test_texts_are_taken_in_turn_and_numbered(tmp_path: Path) -> None:
    tests = """
  - name: a thousand groups of two messages raise nothing
    every: 5m
    messages:
      - {at: 0m, count: 1000, operator: "op{n}", country: [GR, DE], status: Failed}
      - {at: 1m, count: 1000, operator: "op{n}", country: [GR, DE], status: Failed}
    expect:
      - at: 10m
        rule: OperatorFailureRate
        alerts: []
        groups: [{labels: {operator: op999, country: GR}, state: not_enough_data}]
"""
    assert messages(tmp_path, tests) == [""]


def test_history_before_the_start_counts_and_can_be_unknown(tmp_path: Path) -> None:
    tests = """
  - name: known
    messages:
      - {at: -2h, during: 2h, rate: 10, country: GR}
      - {at: 0m, during: 10m, rate: 60, country: GR}
    expect: [{at: 10m, rule: Surge, alerts: [{labels: {country: GR}, value: ">= 590"}]}]
  - name: a fresh start
    history: 0s
    messages:
      - {at: 0m, during: 10m, rate: 60, country: GR}
    expect: [{at: 10m, rule: Surge, alerts: [], groups: [{state: not_enough_data}]}]
"""
    assert messages(tmp_path, tests) == ["", ""]


def test_every_problem_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    tests = """
  - name: wrong
    start: yesterday
    evry: 30s
    messages:
      - {at: 0m, rate: 20, operator: A}
      - {at: 0m, count: 2, status: Deliverd}
      - {at: soon, count: 2, colour: red}
    expect: [{at: 5m, rule: Queue}]
"""
    assert problems(tmp_path, tests) == [
        "5:5 tests[0].evry: unknown key; did you mean 'every'?",
        "9:30 tests[0].messages[2].colour: unknown key; did you mean 'country'?",
        "4:12 tests[0].start: 'yesterday' is not a date and time; write it like 2026-11-21T10:00:00Z",
        "7:9 tests[0].messages[0]: needs during: how long messages come at that rate",
        "8:36 tests[0].messages[1].status: 'Deliverd' is not a status; did you mean 'Delivered'? (letter case counts)",
        "9:14 tests[0].messages[2].at: should be a time after the start, like 0m, 25m or 1h30m (or before it: -2h)",
        "10:14 tests[0].expect[0]: expects nothing: write alerts (`alerts: []` for none) or groups",
    ]


def test_what_the_rules_cannot_give_is_an_error(tmp_path: Path) -> None:
    tests = """
  - name: wrong
    expect:
      - {at: 5m, rule: OperatorFailRate, alerts: []}
      - {at: 5m, rule: OperatorFailureRate, alerts: [{labels: {operatr: A}, value: "> 20", severity: critcal}]}
      - {at: 5m, rule: Queue, alerts: [{value: "> 20%"}]}
"""
    found = problems(tmp_path, tests)
    assert found == [
        "6:64 tests[0].expect[1].alerts[0].labels.operatr: the rule's alerts have no label 'operatr'; did you mean 'operator'?",
        "5:24 tests[0].expect[0].rule: there is no rule 'OperatorFailRate' in the files under `rules`; did you mean 'OperatorFailureRate'?",
        "6:84 tests[0].expect[1].alerts[0].value: the rule's values are shares: write 20%, or another percentage",
        "6:102 tests[0].expect[1].alerts[0].severity: OperatorFailureRate has no level of the severity 'critcal'; did you mean 'critical'?",
        "7:48 tests[0].expect[2].alerts[0].value: '20%' does not fit the rule's values; write it like \">= 50\"",
    ]


def test_what_is_wrong_with_one_test_does_not_hide_what_is_wrong_with_another(tmp_path: Path) -> None:
    twice = """
  - name: twice
    expect: [{at: 5m, rule: Que, alerts: []}]
  - name: twice
    expect: [{at: 5m, rule: Queue, alerts: []}]
"""
    found = [line.partition(": ")[0] for line in problems(tmp_path, twice)]
    assert found == ["4:29 tests[0].expect[0].rule", "5:11 tests[1].name"]
    swapped = """
  - name: wrong
    evry: 3s
    expect: [{at: 5m, rule: Queue, alerts: []}]
  - name: right but for the rule
    expect: [{at: 5m, rule: Que, alerts: []}]
"""
    found = [line.partition(": ")[0] for line in problems(tmp_path, swapped)]
    assert found == ["4:5 tests[0].evry", "7:29 tests[1].expect[0].rule"]


def test_a_rule_file_that_is_taken_for_a_test_file_is_told_apart(tmp_path: Path) -> None:
    suite_of(tmp_path, GOOD)
    result = command(str(tmp_path / "rules" / "rules.yaml"))
    assert result.exit_code == 65
    (line,) = result.stderr.splitlines()
    assert "this file holds rules, not tests" in line


def test_of_a_folder_of_rules_the_tests_in_it_are_run(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, GOOD)
    (tmp_path / "rules" / "tests").mkdir()
    suite.rename(tmp_path / "rules" / "tests" / suite.name)
    moved = tmp_path / "rules" / "tests" / suite.name
    moved.write_text(moved.read_text().replace("rules/*.yaml", "../*.yaml"))
    for folder in ("rules", "rules/tests", "."):
        result = command(str(tmp_path / folder))
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed"), result.stderr


def test_wrong_rules_and_missing_files_are_errors(tmp_path: Path) -> None:
    file = suite_of(tmp_path, GOOD, RULES.replace("window: 10m", "windw: 10m"))
    result = command(str(file), str(tmp_path / "nothing.yaml"))
    assert result.exit_code == 65
    assert "did you mean 'window'?" in result.stderr
    assert "matches no file" in result.stderr
    file.write_text("rules: [nowhere/*.yaml]\ntests: [{name: a, expect: [{at: 0m, rule: A, alerts: []}]}]")
    result = command(str(file))
    assert result.exit_code == 65
    assert "rules[0]: 'nowhere/*.yaml' matches no file" in result.stderr


def test_the_command_gives_json_junit_and_its_exit_code(tmp_path: Path) -> None:
    tests = GOOD + GOOD.replace("an operator starts failing", "a <wrong> one").replace("> 20%", "> 90%")
    file = suite_of(tmp_path, tests)
    result = command(str(file), "--json", "--junit", str(tmp_path / "junit.xml"))
    found = json.loads(result.stdout)
    assert (result.exit_code, found["passed"], found["failed"]) == (1, 1, 1)
    assert [(test["name"], test["ok"]) for test in found["tests"]] == [
        ("an operator starts failing", True),
        ("a <wrong> one", False),
    ]
    assert "expected > 90%" in found["tests"][1]["message"]
    root = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes())
    assert root.attrib["tests"] == "2"
    assert [case.attrib["name"] for case in root.iter("testcase")] == ["an operator starts failing", "a <wrong> one"]
    assert "expected > 90%" in (root.findtext(".//failure") or "")


def test_tests_are_chosen_by_name(tmp_path: Path) -> None:
    file = suite_of(tmp_path, GOOD + GOOD.replace("an operator starts failing", "another"))
    result = command(str(file), "--run", "^an .*failing$")
    assert result.exit_code == 0
    assert "1 passed, 0 failed" in result.stdout
    assert "another" not in result.stdout
    assert "no test has a name that matches" in command(str(file), "--run", "nothing").stderr
    assert "not a regular expression" in command(str(file), "--run", "(").stderr


def test_junit_of_nothing_is_still_xml() -> None:
    assert ElementTree.fromstring(junit([])).attrib["tests"] == "0"


@pytest.mark.parametrize(
    ("text", "unit", "good", "bad"),
    [
        ("> 20%", "share", 0.21, 0.2),
        ("20.0%", "share", 0.2004, 0.2006),
        ("= 43%", "share", 0.4286, 0.4351),
        ("!= 3", "count", 4.0, 3.0),
        (">=50", "count", 50.0, 49.9),
        ("<= 1m30s", "seconds", 90.0, 90.1),
        ("< 250ms", "seconds", 0.2, 0.25),
        ("= 3.5s", "seconds", 3.54, 3.56),
        ("> 99.50", "money", 99.51, 99.5),
    ],
)
def test_values_are_compared_in_the_unit_of_the_rule(text: str, unit: Unit, good: float, bad: float) -> None:
    wanted = parse_wanted(text, unit)
    assert wanted.holds(good)
    assert not wanted.holds(bad)
    assert not wanted.holds(None)


ASKING = """
rules:
  - {name: Left, kind: balance, below: 50}
  - {name: Course, kind: campaign, stalled_for: 30m, min_messages: 1}
"""


def test_what_routee_answers_is_known_from_then_on(tmp_path: Path) -> None:
    tests = """
  - name: answers
    every: 1m
    messages: [{at: 0m, count: 10, campaignTrackingId: c-1}]
    balance: [{at: 10m, during: 10m, amount: 40}, {at: -1h, amount: 60}, {at: 40m, amount: -5.5}]
    campaigns: [{at: 50m, campaignTrackingId: c-1, state: Paused}, {at: 0m, campaignTrackingId: c-1, state: Running, recipients: 20}]
    expect:
      - {at: 0m, rule: Left, alerts: [], groups: [{state: inactive, value: "60"}]}
      - {at: 9m, rule: Left, alerts: [], groups: [{state: not_enough_data}]}
      - {at: 10m, rule: Left, alerts: [{value: "40"}]}
      - {at: 40m, rule: Left, alerts: [{value: "-5.5"}]}
      - {at: 29m, rule: Course, alerts: []}
      - {at: 30m, rule: Course, alerts: [{labels: {problem: stalled}}]}
      - {at: 50m, rule: Course, alerts: [{status: resolved}]}
"""
    (suite,) = load_suites([str(suite_of(tmp_path, tests, ASKING))], {})
    assert run_test(suite, 0).message == ""


WATCHDOG = """
rules:
  - {name: Watch, kind: campaign, failure_above: 20%, stalled_for: 20m}
"""
SENT = "messages: [{at: 0m, during: 10m, rate: 50, campaignTrackingId: c-1, campaign: Sale, then: {after: 5h, status: Failed}}]"


def _of_watchdog(folder: Path, value: str, labels: str = "problem: stalled") -> Path:
    expect = f"[{{at: 1h, rule: Watch, alerts: [{{labels: {{{labels}}}, value: {value}}}]}}]"
    return suite_of(folder, f"\n  - name: stalls\n    every: 1m\n    {SENT}\n    expect: {expect}\n", WATCHDOG)


@pytest.mark.parametrize("labels", ["problem: stalled", "campaign: Sale"])
def test_each_problem_of_a_campaign_is_compared_in_its_own_unit(labels: str, tmp_path: Path) -> None:
    (suite,) = load_suites([str(_of_watchdog(tmp_path, '"> 30m"', labels))], {})
    assert run_test(suite, 0).message == ""
    (suite,) = load_suites([str(_of_watchdog(tmp_path, "50m1s", labels))], {})
    assert run_test(suite, 0).message == ""
    (suite,) = load_suites([str(_of_watchdog(tmp_path, '"< 45m"', labels))], {})
    assert "value is 50m1s, expected < 45m" in run_test(suite, 0).message


def test_an_alert_of_another_unit_is_not_the_expected_one(tmp_path: Path) -> None:
    (suite,) = load_suites([str(_of_watchdog(tmp_path, "20%", "campaign: Sale"))], {})
    assert "value is 50m1s, expected = 20%" in run_test(suite, 0).message


@pytest.mark.parametrize(
    ("labels", "value", "message"),
    [
        ("problem: stalled", "20%", "the rule's values are times: write them like"),
        ("problem: failing", "30m", "'30m' does not fit the rule's values; write it like \"> 20%\""),
        ("campaign: Sale", "many", "neither the shares nor the times"),
    ],
)
def test_a_value_of_a_unit_that_the_problem_does_not_have_is_an_error(
    labels: str, value: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load_suites([str(_of_watchdog(tmp_path, value, labels))], {})
    (problem,) = caught.value.problems
    assert (problem.path, message in problem.message) == ("tests[0].expect[0].alerts[0].value", True), problem.message


STALLS = """
rules:
  - {name: Campaigns, kind: campaign, failure_above: 20%, stalled_for: 30m, min_messages: 50}
"""
STALLED = """
  - name: a campaign makes no progress
    history: 1d
    every: 1m
    messages:
      - {at: 0m, during: 10m, rate: 40, campaign: Sale, campaignTrackingId: c-1}
    campaigns:
      - {at: 0m, campaignTrackingId: c-1, state: Running, recipients: 900}
    expect:
      - at: 50m
        rule: Campaigns
        alerts: [{labels: {campaign: Sale, problem: stalled}, value: ["> 30m", "< 41m"]}]
        groups: [{labels: {problem: failing}, state: inactive, value: 0%}]
"""


def test_a_stall_is_compared_as_a_time_and_a_failure_as_a_share(tmp_path: Path) -> None:
    file = suite_of(tmp_path, STALLED, STALLS)
    (suite,) = load_suites([str(file)], {})
    assert run_test(suite, 0).message == ""
    (suite,) = load_suites([str(suite_of(tmp_path, STALLED.replace("> 30m", "> 2h"), STALLS))], {})
    assert "value is 40m1s, expected > 2h" in run_test(suite, 0).message


def test_answers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    expect = "expect: [{at: 0m, rule: Queue, alerts: []}]"
    said = problems(
        tmp_path,
        f"""
  - name: wrong
    balance: [{{at: 0m}}, {{at: 0m, amount: much}}, {{at: 0m, amount: 1, curency: EUR}}]
    campaigns: [{{at: 0m, state: Running}}, {{at: 0m, campaignTrackingId: c-1}}]
    {expect}
  - name: too many
    balance: [{{at: 0m, during: 4000d, amount: 1}}]
    {expect}
""",
    )
    for words in (
        "tests[0].balance[0]",
        "should be a number",
        "curency",
        "tests[0].campaigns[0]",
        "tests[0].campaigns[1]",
        "at most 100,000 can be given",
    ):
        assert any(words in one for one in said), (words, said)


def test_an_answer_about_a_campaign_without_messages_is_a_slip(tmp_path: Path) -> None:
    tests = """
  - name: slip
    messages: [{at: 0m, count: 1, campaignTrackingId: sale-1}]
    campaigns: [{at: 0m, campaignTrackingId: sale-l, state: Running}]
    expect: [{at: 0m, rule: Queue, alerts: []}]
  - name: numbered
    messages: [{at: 0m, count: 2, campaignTrackingId: "sale-{n}"}]
    campaigns: [{at: 0m, campaignTrackingId: sale-2, state: Running}]
    expect: [{at: 0m, rule: Queue, alerts: []}]
"""
    (said,) = problems(tmp_path, tests)
    assert "no message of this test has the tracking id 'sale-l'" in said
    assert "did you mean 'sale-1'" in said


SPENDING = """
rules:
  - {name: Spending, kind: cost, window: 10m, above: 45}
"""


def test_messages_without_prices_begin_no_alert_about_money_and_end_none(tmp_path: Path) -> None:
    tests = """
  - name: no message has a price
    messages: [{at: 1m, count: 1000}]
    expect: [{at: 2m, rule: Spending, alerts: [], groups: [{state: not_enough_data}]}]
  - name: it fires, and then Routee leaves the prices out
    messages: [{at: 1m, count: 1000, price: 0.06}, {at: 12m, count: 1000}]
    expect:
      - {at: 2m, rule: Spending, alerts: [{value: "60.00"}]}
      - {at: 11m, rule: Spending, alerts: [{status: firing}]}
      - {at: 15m, rule: Spending, alerts: [{status: firing}]}
  - name: it fires, and prices show that it is over
    messages: [{at: 1m, count: 1000, price: 0.06}, {at: 12m, count: 1000, price: 0.01}]
    expect: [{at: 12m, rule: Spending, alerts: [{status: resolved}]}]
"""
    (suite,) = load_suites([str(suite_of(tmp_path, tests, SPENDING))], {})
    assert [run_test(suite, number).message for number in range(3)] == ["", "", ""]


def test_money_lasts_for_an_unknown_time_where_prices_are_missing(tmp_path: Path) -> None:
    rules = "rules: [{name: Left, kind: balance, lasts_below: 2d, window: 1h}]"
    tests = """
  - name: prices, then none, then some
    every: 1m
    messages:
      - {at: 0m, during: 70m, rate: 10, price: 0.05}
      - {at: 70m, during: 2h, rate: 20}
      - {at: 190m, during: 2h, rate: 10, price: 0.0001}
    balance: [{at: 0m, amount: 40}, {at: 50m, amount: 40}, {at: 100m, amount: 40}, {at: 150m, amount: 40}]
    expect:
      - {at: 65m, rule: Left, alerts: [{status: firing}]}
      - {at: 150m, rule: Left, alerts: [{status: firing}]}
      - {at: 185m, rule: Left, alerts: [{status: firing}]}
"""
    (suite,) = load_suites([str(suite_of(tmp_path, tests, rules))], {})
    assert run_test(suite, 0).message == ""


REMINDERS = """
rules:
  - {name: Surge, kind: spike, by: [country], window: 30m, baseline: {same_hour: 7d}, above: 5x, min_messages: 100}
  - {name: Drop, kind: spike, by: [country], window: 30m, baseline: {same_hour: 7d}, below: 0.5x, min_baseline: 100}
"""
MORNINGS = """
  - name: reminders at ten o'clock in Athens, before and after summer time ends
    start: 2026-10-25T00:00:00Z
    every: 5m
    time_zone: Europe/Athens
    messages:
{}
      - {{at: 8h, during: 20m, rate: 15, country: GR}}
      - {{at: 32h, during: 20m, rate: 15, country: GR}}
    expect:
      - {{at: 7h25m, rule: Drop, alerts: []}}
      - {{at: 8h20m, rule: Drop, alerts: []}}
      - {{at: 8h20m, rule: Surge, alerts: [], groups: [{{labels: {{country: GR}}, state: inactive, value: 300}}]}}
      - {{at: 32h20m, rule: Surge, alerts: [], groups: [{{labels: {{country: GR}}, state: inactive, value: 300}}]}}
"""


def test_the_same_hour_is_that_of_the_clock_in_the_tests_time_zone(tmp_path: Path) -> None:
    before = [f"      - {{at: -{24 * day - 7}h, during: 20m, rate: 15, country: GR}}" for day in range(1, 9)]
    tests = MORNINGS.format("\n".join(before))
    assert messages(tmp_path, tests, REMINDERS) == [""]
    (wrong,) = messages(tmp_path, tests.replace("Europe/Athens", "UTC"), REMINDERS)
    assert wrong.count("not expected: firing") == 4, "by UTC the reminders are missing at seven, and too many at eight"


def test_the_command_takes_the_accounts_time_zone_and_says_by_whose_clock_it_judged(tmp_path: Path) -> None:
    before = [f"      - {{at: -{24 * day - 7}h, during: 20m, rate: 15, country: GR}}" for day in range(1, 9)]
    tests = MORNINGS.format("\n".join(before)).replace("    time_zone: Europe/Athens\n", "")
    file, config = str(suite_of(tmp_path, tests, REMINDERS)), tmp_path / "monitor.yaml"
    account = "{name: NAME, application_id: id, application_secret: secret, time_zone: ZONE}"
    athens = account.replace("NAME", "main").replace("ZONE", "Europe/Athens")
    config.write_text(f"accounts: [{athens}]\nrules: []\nreceivers: [{{name: ops, console: [{{}}]}}]\n")
    assert command(file, "--config", str(config)).exit_code == 0
    failed = command(file)
    assert failed.exit_code == 1
    assert "the same hour was taken by the clock of UTC" in failed.output
    other = account.replace("NAME", "other").replace("ZONE", "Asia/Tokyo")
    config.write_text(config.read_text().replace(athens, f"{athens}, {other}"))
    refused = command(file, "--config", str(config))
    assert "different time zones (Asia/Tokyo, Europe/Athens)" in " ".join(refused.output.split())


YOUNG = """
  - name: an account that sends its first messages
    messages:
      - {at: 30m, during: 2h, rate: 5, country: GR}
    expect:
      - {at: 1h, rule: New, groups: [{labels: {country: GR}, state: STATE}]}
"""
NEW = """
rules:
  - {name: New, kind: new_value, field: country, seen_in: 7d, window: 1h}
"""


def test_an_account_is_as_old_as_its_first_message_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    assert messages(tmp_path, YOUNG.replace("STATE", "not_enough_data"), NEW) == [""]
    older = YOUNG.replace("    messages:", "    history: 8d\n    messages:")
    assert messages(tmp_path, older.replace("STATE", "firing"), NEW) == [""]
    listed = YOUNG.replace("    expect:", "      - {at: -8d, count: 1, country: DE}\n    expect:")
    assert messages(tmp_path, listed.replace("STATE", "firing"), NEW) == [""]
