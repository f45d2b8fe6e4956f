"""A secret that stands in a wrong place, as ``${NAME}``: no error, warning or table shows more of it than the name."""

import pytest
from cli_folder import Folder

VALUE = "xoxb-secret-of-the-environment"
PLACES = [
    ("name: main", 'name: "${LEAKED}"'),
    ("every: 30s", "every: '${LEAKED}'"),
    ("is: Outbound", "'${LEAKED}': Outbound"),
    ("{field: direction, is: Outbound}", "{field: '${LEAKED}', is: Outbound}"),
    ("rules: [rules.yaml]", "rules: ['${LEAKED}']"),
    ("templates: [templates]", "templates: ['${LEAKED}/x']"),
    ("name: hook", "name: '${LEAKED}'"),
    ("template: body.json.j2", "template: '${LEAKED}'"),
    ('"http://127.0.0.1:9/secret-path"', "'${LEAKED}'"),
    ("receiver: ops", "receiver: '${LEAKED}'"),
    ("store: sqlite:monitor.db", "store: '${LEAKED}'"),
    ("store: sqlite:monitor.db", "store: 'sqlite:${LEAKED}.db'"),
    ('listen: "127.0.0.1:0"', "listen: '${LEAKED}'"),
    ("requests_per_second: 100", "requests_per_second: '${LEAKED}'"),
    ("console: [{}]", "console: ['${LEAKED}']"),
    ("route: {receiver: ops}", "route: {receiver: ops, group_by: ['${LEAKED}'], routes: [{matchers: ['${LEAKED}']}]}"),
    ("route: {receiver: ops}", "route: {receiver: ops, routes: [{matchers: ['a=~\"${LEAKED}(\"']}]}"),
    (
        "route: {receiver: ops}",
        "route: {receiver: ops, routes: [{matchers: ['severity=\"${LEAKED}\"'], receiver: hook}]}",
    ),
]
RULES = [
    ("name: ManyMessages", "name: ${LEAKED}"),
    ("kind: count", "kind: ${LEAKED}"),
    ("above: 20%", "above: ${LEAKED}"),
    ("by: [operator, country]", "by: ['${LEAKED}']"),
    ("severity: critical", "severity: ${LEAKED}"),
    ("{{ value | percent }}", "{{ ${LEAKED} | percent }}"),
]


@pytest.mark.parametrize(("old", "new"), PLACES)
@pytest.mark.parametrize("words", [("check",), ("check", "--json"), ("routes", "show"), ("render", "ops", "--sample")])
def test_of_the_configuration(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], old: str, new: str
) -> None:
    monkeypatch.setenv("LEAKED", VALUE)
    folder.replace(folder.config, old, new)
    outcome = folder.invoke(*words)
    assert VALUE not in outcome.output
    assert outcome.exit_code in (0, 65, 78)


@pytest.mark.parametrize(
    "value",
    [
        "xoxb-Secret-Of-The-Environment",
        "Secret:Of-The-Environment",
        "Secret-Of-The-Environment-" * 9,
        "it's\\Secret-Of-The-Environment",
    ],
)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "route: {receiver: ops}",
            "time_intervals: [{name: a, time_intervals: [{weekdays: ['${LEAKED}']}]}]\nroute: {receiver: ops}",
        ),
        (
            "route: {receiver: ops}",
            "time_intervals: [{name: a, time_intervals: [{months: ['${LEAKED}']}]}]\nroute: {receiver: ops}",
        ),
        ("requests_per_second: 100", 'requests_per_second: "${LEAKED}"'),
        ("every: 30s", 'every: "${LEAKED}"'),
        ("name: hook", 'name: "${LEAKED}"'),
        ("name: main", 'name: main, time_zone: "${LEAKED}"'),
    ],
)
def test_a_value_that_was_changed_cut_or_quoted(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, old: str, new: str, value: str
) -> None:
    monkeypatch.setenv("LEAKED", value)
    folder.replace(folder.config, old, new)
    outcome = folder.invoke("check")
    assert "secret" not in outcome.output.lower().replace("secret:", "").replace("application_secret", "").replace(
        "/secret-path", ""
    )
    assert outcome.exit_code in (0, 65, 78)


def test_a_host_in_small_letters(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "SeCrEtOfTheEnvironment")
    folder.replace(folder.config, "http://127.0.0.1:9/secret-path", "http://${LEAKED}.invalid:1/x")
    for words in (("check",), ("send-test", "hook"), ("render", "hook", "--sample")):
        assert "secretoftheenvironment" not in folder.invoke(*words).output.lower()


@pytest.mark.parametrize(("old", "new"), RULES)
def test_of_the_rules(folder: Folder, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.setenv("LEAKED", VALUE)
    folder.replace(folder.rules, old, new)
    outcome = folder.invoke("check")
    assert VALUE not in outcome.output
    assert outcome.exit_code in (65, 78) or "${LEAKED}" in outcome.output
    tried = folder.invoke("backtest", "--set", f"OperatorFailureRate.above={VALUE}")
    assert VALUE not in tried.stdout


def test_a_short_value_and_a_path_are_shown_as_they_are(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "ops")
    monkeypatch.setenv("FOLDER", str(folder.path))
    folder.replace(folder.config, "receiver: ops", "receiver: '${SHORT}'")
    folder.replace(folder.config, "rules: [rules.yaml]", "rules: ['${FOLDER}/rules.yaml']")
    assert "${" not in folder.invoke("check").output
