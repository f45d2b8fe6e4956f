"""The schemas for editors agree with what is loaded."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from monitor.cli.json_schema import config_schema, rule_tests_schema, rules_schema
from monitor.config.yaml.document import read_document
from tests.fakes.marked import TESTDATA

ROOT = Path(__file__).parents[2]
CONFIG, RULES, TESTS = map(Draft202012Validator, (config_schema(), rules_schema(), rule_tests_schema()))
ACCOUNT = {"name": "main", "application_id": "id", "application_secret": "x"}
RULE = {"name": "A", "kind": "rate", "window": "15m", "above": "20%"}


def data(path: Path) -> Any:
    return read_document(path, {"ROUTEE_APPLICATION_ID": "x"}).data


def test_the_schemas_are_schemas() -> None:
    Draft202012Validator.check_schema(config_schema())
    Draft202012Validator.check_schema(rules_schema())
    Draft202012Validator.check_schema(rule_tests_schema())


@pytest.mark.parametrize("path", sorted(TESTDATA.glob("config-good*.yaml")), ids=lambda path: path.name)
def test_a_good_configuration_passes(path: Path) -> None:
    assert [error.message for error in CONFIG.iter_errors(data(path))] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "monitor" / "simulation" / "demo").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_configuration_that_is_shipped_passes(path: Path) -> None:
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)", path.read_text("utf-8")), "https://example.org")
    schema = RULES if path.name == "rules.yaml" else CONFIG
    assert [error.message for error in schema.iter_errors(read_document(path, environ).data)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.yaml")), ids=lambda path: path.name)
def test_every_rule_file_that_is_shipped_passes_and_tells_editors_where_the_schema_is(path: Path) -> None:
    assert [error.message for error in RULES.iter_errors(data(path))] == []
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=../monitor-rules.schema.json\n")


@pytest.mark.parametrize("path", sorted((ROOT / "rules" / "tests").glob("*.yaml")), ids=lambda path: path.name)
def test_every_rule_test_that_is_shipped_passes_and_tells_editors_where_the_schema_is(path: Path) -> None:
    assert [error.message for error in TESTS.iter_errors(data(path))] == []
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=../../monitor-tests.schema.json\n")


def test_the_schemas_to_which_the_files_point_are_made_by_setting_up_and_not_committed() -> None:
    made = set(re.findall(r"schema (\w+) > (\S+)", (ROOT / "Makefile").read_text("utf-8")))
    assert made == {
        ("config", "monitor.schema.json"),
        ("rules", "monitor-rules.schema.json"),
        ("tests", "monitor-tests.schema.json"),
    }
    for path in [*(ROOT / "rules").rglob("*.yaml"), *TESTDATA.glob("rules-*.yaml")]:
        for target in re.findall(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text("utf-8"), re.MULTILINE):
            found = (path.parent / target).resolve()
            assert found.name in {name for _, name in made}
            assert found.parent == ROOT.resolve() or path.parent == TESTDATA
    assert "/monitor*.schema.json" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


SERIES = {"at": "0m", "during": "5m", "rate": 3}
EXPECTED = {"at": "5m", "rule": "A", "alerts": []}


@pytest.mark.parametrize(
    "then",
    [{"after": "5m", "status": "Failed"}, [{"after": "1m", "status": "Sent"}, {"after": "5m", "status": "Failed"}]],
)
def test_one_later_report_or_a_list_of_them(then: object) -> None:
    assert TESTS.is_valid(
        {"rules": ["a.yaml"], "tests": [{"name": "t", "messages": [SERIES | {"then": then}], "expect": [EXPECTED]}]}
    )


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"count": 3}, {}),
        ({"during": None}, {}),
        ({"operater": "Cosmote"}, {}),
        ({"then": {"status": "Failed"}}, {}),
        ({}, {"alerts": [{"status": "fired"}]}),
        ({}, {"groups": [{"state": "quiet"}]}),
        ({}, {"at": True}),
    ],
    ids=str,
)
def test_a_wrong_rule_test_is_refused(series: dict[str, object], expected: dict[str, object]) -> None:
    def valid(series: object, expected: object) -> bool:
        return TESTS.is_valid(
            {"rules": ["a.yaml"], "tests": [{"name": "t", "messages": [series], "expect": [expected]}]}
        )

    assert valid(SERIES, EXPECTED)
    assert not valid(SERIES | series, EXPECTED | expected)


@pytest.mark.parametrize("path", sorted(TESTDATA.glob("rules-good*.yaml")), ids=lambda path: path.name)
def test_good_rules_pass(path: Path) -> None:
    assert [error.message for error in RULES.iter_errors(data(path))] == []


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "latency", "window": "15m", "above": "20%"},
        {"kind": "latency", "window": "15m", "above": 30},
        {"kind": "stuck", "older_than": "15m", "below": 5},
        {"kind": "stuck", "older_than": "15m", "above": "5m"},
        {"kind": "absence", "window": "1h", "above": 3},
        {"kind": "new_value", "window": "1h", "field": "contry"},
        {"kind": "cost", "window": "1h", "above": "20%"},
        {"kind": "distinct", "window": "1h", "above": 5},
        {"kind": "slo", "objective": 0.98},
    ],
    ids=str,
)
def test_a_wrong_rule_of_each_kind_is_refused(rule: dict[str, object]) -> None:
    assert not RULES.is_valid({"rules": [{"name": "A"} | rule]})


def test_bad_files_do_not() -> None:
    assert not CONFIG.is_valid(data(TESTDATA / "config-bad.yaml"))
    assert not RULES.is_valid(data(TESTDATA / "rules-bad.yaml"))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "rte"},
        {"windwo": "1h"},
        {"window": 15},
        {"window": "15 minutes"},
        {"above": 30},
        {"below": "10%"},
        {"by": ["contry"]},
        {"match": {"statuss": "Failed"}},
        {"match": {"status": {"iz": "Failed"}}},
        {"min_messages": "many"},
        {"description": None},
        {"labels": {"a b": "c"}},
    ],
    ids=str,
)
def test_a_wrong_rule_is_refused(change: dict[str, object]) -> None:
    assert RULES.is_valid({"rules": [RULE]})
    assert not RULES.is_valid({"rules": [RULE | change]})


@pytest.mark.parametrize(
    "change",
    [
        {"accounts": []},
        {"accounts": [{"name": "main"}]},
        {"accounts": [ACCOUNT | {"application_secret_file": "x"}]},
        {"serches": []},
        {"searches": [{"name": "a", "every": 30}]},
        {"retention": "soon"},
        {"log": {"level": "loud"}},
        {"web": "on"},
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused(change: dict[str, object]) -> None:
    assert CONFIG.is_valid({"accounts": [ACCOUNT]})
    assert not CONFIG.is_valid({"accounts": [ACCOUNT]} | change)


@pytest.mark.parametrize(
    "webhook",
    [
        {"template": "pagerduty", "fields": {"routing_key": "x", "n": 3}},
        {"template": "opsgenie.json.j2", "headers": {"Authorization": "GenieKey x"}},
        {"template": "pagerduty", "url_file": "place", "fields_file": "pairs"},
        {"url": "https://example.org", "url_resolved": "https://example.org/{episode}"},
    ],
    ids=str,
)
def test_a_webhook_needs_an_address_that_may_be_its_services(webhook: dict[str, object]) -> None:
    assert CONFIG.is_valid({"accounts": [ACCOUNT], "receivers": [{"name": "a", "webhook": [webhook]}]})


@pytest.mark.parametrize(
    "receiver",
    [
        {"webhook": [{"template": "discord"}]},
        {"webhook": [{"template": "pagerduty", "url": "https://a.b", "url_file": "c"}]},
        {"webhook": [{"url": "https://a.b", "headers": "A: b"}]},
        {"apprise": [{"timeout": "3s"}]},
    ],
    ids=str,
)
def test_a_wrong_receiver_is_refused(receiver: dict[str, object]) -> None:
    assert not CONFIG.is_valid({"accounts": [ACCOUNT], "receivers": [{"name": "a"} | receiver]})


def test_variables_may_stand_for_numbers_and_durations() -> None:
    account = ACCOUNT | {"concurrency": "${N:-4}"}
    assert CONFIG.is_valid({"accounts": [account], "retention": "${KEEP}"})


def test_every_key_is_described() -> None:
    for schema in (config_schema(), rules_schema(), rule_tests_schema()):
        for name, definition in (("", schema), *schema["$defs"].items()):
            for key, entry in definition.get("properties", {}).items():
                described = name == "Match" or "$ref" in entry or entry.get("description")
                assert described, (name, key)
