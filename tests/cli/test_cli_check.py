"""`check`: what it finds, every problem with its place, and whether the other side answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cli_folder import Folder


def test_right_files_are_shown(folder: Folder) -> None:
    outcome = folder.invoke("check")
    assert outcome.exit_code == 0
    for word in (
        "main",
        "outbound",
        "direction is Outbound",
        "OperatorFailureRate",
        "above 20%",
        "critical",
        "body.json.j2",
    ):
        assert word in outcome.stdout
    assert "nothing: no route leads here" in outcome.stdout
    assert "monitor.yaml: good. 2 rules, 2 receivers, 1 warning. " in outcome.stdout.splitlines()[-1], (
        "seen however long the tables are"
    )
    assert "cli-test-secret" not in outcome.output
    assert "secret-path" not in outcome.output


OTHERS = """\
rules:
  - {name: Slo, kind: slo, objective: 98%}
  - {name: Silence, kind: absence, window: 45m}
  - {name: Newcomer, kind: new_value, field: country, window: 1h}
  - {name: Money, kind: balance, levels: [{lasts_below: 2d, severity: warning}, {lasts_below: 6h, severity: critical}]}
  - {name: Spent, kind: cost, window: 1h, above: 100}
  - {name: Campaigns, kind: campaign, failure_above: 20%, stalled_for: 30m, ended: report}
"""


def test_of_every_kind_it_is_shown_when_it_fires(folder: Folder) -> None:
    folder.rules.write_text(OTHERS)
    fires = {line.split("  ")[0].strip(): line for line in folder.invoke("check").stdout.splitlines() if line}
    assert "objective 98% over 7d" in fires["Slo"]
    assert "no messages for 45m" in fires["Silence"]
    assert "new country" in fires["Newcomer"]
    assert "lasts below 2d / 6h" in fires["Money"]
    assert "above 100 " in fires["Spent"]
    assert "failed above 20%, stalled for 30m, ended" in fires["Campaigns"]


def test_it_says_which_rules_have_incidents_in_common(folder: Folder) -> None:
    folder.rules.write_text(
        "rules:\n"
        "  - {name: A, kind: count, window: 1h, above: 1, incident: {}}\n"
        "  - {name: B, kind: count, window: 1h, above: 1, incident: {by: [country]}}\n"
        "  - {name: C, kind: count, window: 1h, above: 1, incident: {name: queue, by: []}}\n"
    )
    said = folder.invoke("check").stdout
    assert "Incidents: delivery, by country: 2 rules" in said
    assert "Incidents: queue, all together: 1 rule" in said


def test_the_same_as_json(folder: Folder) -> None:
    found = json.loads(folder.invoke("check", "--json").stdout)
    assert [rule["name"] for rule in found["rules"]] == ["OperatorFailureRate", "ManyMessages", "SwitchedOff"]
    assert found["rules"][2]["enabled"] is False
    assert found["receivers"][1] == {"name": "hook", "channels": ["webhook/0"]}
    assert found["problems"] == []


def test_every_error_of_every_file_is_told_at_once(folder: Folder) -> None:
    folder.replace(folder.config, "every: 30s", "evry: 30s")
    folder.replace(folder.rules, "value | percent", "vale | percent")
    folder.replace(
        folder.rules, "kind: count\n    window: 1h\n    above: 100", "kind: count\n    widow: 1h\n    above: 100"
    )
    outcome = folder.invoke("check")
    assert outcome.exit_code == 78
    assert "did you mean 'every'" in outcome.stderr
    assert "rules[0].annotations.summary: there is no 'vale' here; did you mean 'value'?" in outcome.stderr
    assert "did you mean 'window'" in outcome.stderr
    assert "Traceback" not in outcome.output


def test_bad_rules_alone_are_65(folder: Folder) -> None:
    folder.replace(folder.rules, "kind: rate", "kind: rat")
    outcome = folder.invoke("check")
    assert outcome.exit_code == 65
    assert f"{folder.rules}:3:11:" in outcome.stderr


def test_problems_as_json(folder: Folder) -> None:
    folder.replace(folder.rules, "kind: rate", "kind: rat")
    outcome = folder.invoke("check", "--json")
    (problem,) = json.loads(outcome.stdout)["problems"]
    assert (problem["line"], problem["column"], problem["path"]) == (3, 11, "rules[0].kind")


def test_a_missing_configuration_says_where_it_was_looked_for(folder: Folder) -> None:
    folder.config.unlink()
    outcome = folder.invoke("check")
    assert outcome.exit_code == 78
    assert str(folder.config) in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_what_is_hardly_meant_is_warned_of(folder: Folder) -> None:
    folder.replace(folder.config, "every: 30s,", "every: 30s, resweep: [{back: 5m, every: 1m}],")
    folder.replace(folder.config, "sqlite:monitor.db", "sqlite:nowhere/monitor.db")
    outcome = folder.invoke("check")
    assert outcome.exit_code == 0
    assert "rule OperatorFailureRate looks 15m back" in outcome.stderr
    assert "the daemon does not start" in outcome.stderr


ODD = """\
rules:
  - {name: Backwards, kind: count, window: 1h, levels: [{above: 10, severity: warning}, {above: 5, severity: critical}]}
  - {name: Own, kind: count, window: 1h, levels: [{above: 5, severity: page}, {above: 10, severity: critical}]}
  - {name: Seldom, kind: count, window: 15m, above: 10, every: 1d}
"""


def test_of_a_rule_what_is_hardly_meant_is_warned_of(folder: Folder) -> None:
    folder.rules.write_text(ODD)
    outcome = folder.invoke("check")
    assert outcome.exit_code == 0
    warnings = [line for line in outcome.stderr.splitlines() if "resweep" not in line and "no route" not in line]
    assert warnings == [
        "warning: rule Backwards: the severity gets milder as the value gets worse: critical then warning",
        "warning: rule Seldom is evaluated every 1d and looks 15m back: it never sees the messages in between",
    ]


def test_a_family_of_incidents_that_one_rule_alone_has_by_a_typo_is_warned_of(folder: Folder) -> None:
    names = {
        "One": "delivry",
        "Two": "slience",
        "Three": "silence",
        "Four": "silence",
        "Five": "partners",
        "Six": "delivery",
    }
    written = [
        f"  - {{name: {rule}, kind: count, window: 15m, above: 10, incident: {{name: {name}}}}}"
        for rule, name in names.items()
    ]
    folder.rules.write_text("\n".join(["rules:", *written]))
    outcome = folder.invoke("check")
    assert outcome.exit_code == 0
    assert [line for line in outcome.stderr.splitlines() if "incidents named" in line] == [
        "warning: rule One: no other rule has incidents named 'delivry'; did you mean 'delivery'?",
        "warning: rule Two: no other rule has incidents named 'slience'; did you mean 'silence'?",
    ]


@contextmanager
def listening(folder: Folder) -> Iterator[None]:
    """Somebody listens where the webhook is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        folder.replace(folder.config, "http://127.0.0.1:9/", f"http://127.0.0.1:{server.getsockname()[1]}/")
        yield


def test_online_asks_routee_and_the_receivers(folder: Folder) -> None:
    with listening(folder):
        outcome = folder.invoke("check", "--online")
    assert outcome.exit_code == 0
    assert "✓ account main: Routee accepts the credentials" in outcome.stdout
    assert "✓ search outbound of account main" in outcome.stdout
    assert "✓ receiver hook webhook/0: a connection opens; nothing is posted" in outcome.stdout
    assert "monitor.yaml: good. " in outcome.stdout.splitlines()[-1], "once all have answered"


def test_online_opens_a_connection_to_webhooks(folder: Folder) -> None:
    outcome = folder.invoke("check", "--online")
    assert outcome.exit_code == 69
    assert "✗ receiver hook webhook/0: http://127.0.0.1:9 could not be reached: " in outcome.stdout
    assert "secret-path" not in outcome.output


def test_online_with_a_wrong_secret_is_69_and_does_not_show_it(folder: Folder) -> None:
    folder.replace(folder.config, "cli-test-secret", "wrong-secret-of-test")
    with listening(folder):
        outcome = folder.invoke("check", "--online", "--json")
    assert outcome.exit_code == 69
    (bad,) = [answer for answer in json.loads(outcome.stdout)["online"] if not answer["ok"]]
    assert bad["what"] == "account main"
    assert bad["why"].startswith("Routee does not accept the credentials"), "its account is named beside it"
    assert "wrong-secret-of-test" not in outcome.output


def test_online_with_nobody_there_is_69(folder: Folder) -> None:
    folder.ask_nobody()
    outcome = folder.invoke("check", "--online")
    assert outcome.exit_code == 69
    assert "✗ account main:" in outcome.stdout
    assert "monitor.yaml: good, but 2 questions failed: see ✗. " in outcome.stdout.splitlines()[-1]
