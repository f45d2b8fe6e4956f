"""`routes`: the tree drawn, and where an alert would go."""

import json

import pytest
from cli_folder import Folder
from click.testing import CliRunner

from monitor.cli import cli

ROUTING = """
receivers:
  - {name: ops, console: [{}]}
  - {name: oncall, console: [{}]}
  - {name: greece, console: [{}]}
route:
  receiver: ops
  group_wait: 10s
  routes:
    - {matchers: [severity="critical"], receiver: oncall, group_wait: 0s, continue: true}
    - matchers: ['country=~"GR|CY"']
      receiver: greece
      group_by: [alertname, country]
      mute_time_intervals: [nights]
inhibit_rules:
  - source_matchers: [alertname="CountryOutage"]
    target_matchers: [alertname="OperatorFailureRate"]
    equal: [country]
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}], location: Europe/Athens}]
"""

DRAWN = """\
everything → ops  (by alertname; wait 10s; interval 5m; repeat 4h)
├── {severity="critical"} → oncall  (wait 0s; continue)
└── {country=~"GR|CY"} → greece  (by alertname, country; mute nights)
"""


@pytest.fixture
def routed(folder: Folder) -> Folder:
    """The folder's accounts and rules with a tree of routes."""
    text = folder.config.read_text()
    folder.config.write_text(text[: text.index("receivers:")] + ROUTING)
    return folder


def test_the_tree_is_drawn_with_what_each_route_changes(routed: Folder) -> None:
    outcome = routed.invoke("routes", "show")
    assert outcome.exit_code == 0
    assert outcome.stdout == DRAWN


def test_a_route_that_does_not_put_incidents_together_says_so(routed: Folder) -> None:
    text = routed.config.read_text()
    routed.config.write_text(
        text.replace("receiver: oncall, group_wait", "receiver: oncall, group_incidents: false, group_wait")
    )
    assert "→ oncall  (wait 0s; incidents not together; continue)" in routed.invoke("routes", "show").stdout
    tree = json.loads(routed.invoke("routes", "show", "--json").stdout)
    assert (tree["group_incidents"], tree["routes"][0]["group_incidents"]) == (True, False)


def test_the_tree_as_json_has_everything_filled_in(routed: Folder) -> None:
    tree = json.loads(routed.invoke("routes", "show", "--json").stdout)
    greece = tree["routes"][1]
    assert (tree["route"], greece["route"]) == ("{}", '{}/{country=~"GR|CY"}')
    assert (greece["group_wait"], greece["repeat_interval"]) == ("10s", "4h")
    assert greece["mute_time_intervals"] == ["nights"]


def test_an_alert_is_followed_to_everybody_who_would_be_told(routed: Folder) -> None:
    labels = ("alertname=OperatorFailureRate", "country=GR", 'severity="critical"')
    outcome = routed.invoke("routes", "test", *labels, "--at", "2026-11-21T12:00:00Z")
    assert outcome.exit_code == 0
    head, first, second, _, inhibited = outcome.stdout.splitlines()
    assert head.split()[:3] == ["RECEIVER", "GROUP", "WAIT"]
    assert first.split() == [
        "oncall",
        "alertname=OperatorFailureRate",
        "0s",
        "5m",
        "4h",
        "no",
        '{}/{severity="critical"}',
    ]
    assert "alertname=OperatorFailureRate, country=GR  10s" in second
    assert inhibited == 'Inhibited while an alert fires that matches {alertname="CountryOutage"} and has country="GR".'


def test_the_alert_of_a_rule_with_an_incident_is_grouped_by_that(routed: Folder) -> None:
    routed.replace(routed.rules, "    min_messages: 30\n", "    min_messages: 30\n    incident: {}\n")
    routed.replace(routed.config, "group_by: [alertname, country]", "group_by: [alertname, country, severity]")
    labels = ("alertname=OperatorFailureRate", "country=GR", "severity=warning")
    assert "incident (delivery, by country), severity=warning  10s" in routed.invoke("routes", "test", *labels).stdout
    (route,) = json.loads(routed.invoke("routes", "test", *labels, "--json").stdout)["routes"]
    assert route["incident"] == {"name": "delivery", "by": ["country"]}
    assert route["group_labels"] == {"severity": "warning"}
    (other,) = json.loads(routed.invoke("routes", "test", "alertname=ManyMessages", "--json").stdout)["routes"]
    assert (other["incident"], other["group_labels"]) == (None, {"alertname": "ManyMessages"})
    said = "Alerts of 1 rule are grouped by incident instead of by name and message fields."
    assert routed.invoke("routes", "show").stdout.splitlines()[-1] == said
    text = routed.config.read_text()
    routed.config.write_text(text.replace("  group_wait: 10s\n", "  group_wait: 10s\n  group_incidents: false\n"))
    assert said not in routed.invoke("routes", "show").stdout
    assert "alertname=OperatorFailureRate" in routed.invoke("routes", "test", *labels).stdout


def test_without_the_name_of_a_rule_it_says_what_is_missing(routed: Folder) -> None:
    shown = routed.invoke("routes", "test", "country=GR").stdout
    assert "no alertname, so it is of no rule and of no incident" in shown
    assert "alertname=OperatorFailureRate" in shown
    shown = routed.invoke("routes", "test", "alertname=OperatorFailureRat").stdout
    assert shown.endswith("There is no rule 'OperatorFailureRat'; did you mean 'OperatorFailureRate'?\n")
    assert "rule" not in routed.invoke("routes", "test", "alertname=MonitorBlind").stdout
    json.loads(routed.invoke("routes", "test", "country=GR", "--json").stdout)


def test_whether_it_is_muted_depends_on_the_time(routed: Folder) -> None:
    for moment, muted in (("2026-11-21T19:59:00Z", []), ("2026-11-21T20:00:00Z", ["nights"])):
        answer = json.loads(routed.invoke("routes", "test", "country=CY", "--at", moment, "--json").stdout)
        assert [route["muted_by"] for route in answer["routes"]] == [muted]


def test_what_no_route_takes_goes_to_the_first(routed: Folder) -> None:
    for labels in ((), ("severity=",), ("country=XX",)):
        answer = json.loads(routed.invoke("routes", "test", *labels, "--json").stdout)
        assert [route["receiver"] for route in answer["routes"]] == ["ops"]


def test_a_script_can_hold_it_to_what_it_expects(routed: Folder) -> None:
    assert (
        routed.invoke("routes", "test", "severity=critical", "country=GR", "--expect", "greece, oncall").exit_code == 0
    )
    outcome = routed.invoke("routes", "test", "country=GR", "--expect", "oncall")
    assert outcome.exit_code == 1
    assert "expected oncall, but these would be notified: greece" in outcome.stderr
    outcome = routed.invoke("routes", "test", "country=GR", "--expect", "oncal")
    assert (outcome.exit_code, outcome.stderr) == (1, "there is no receiver 'oncal'; did you mean 'oncall'?\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["severity"], "'severity' is not a label of an alert; write it like severity=critical"),
        (["severity!=x"], "is not a label of an alert"),
        (["severity=~x"], "is not a label of an alert"),
        (["=x"], "is not a label of an alert"),
        (["a=b", "--at", "noon"], "'noon' is not a time"),
    ],
)
def test_a_wrong_command_line_is_2(routed: Folder, arguments: list[str], said: str) -> None:
    outcome = routed.invoke("routes", "test", *arguments)
    assert outcome.exit_code == 2
    assert said in outcome.stderr


def test_the_configuration_may_be_named_before_the_subcommand_too(routed: Folder) -> None:
    outcome = CliRunner().invoke(cli, ["routes", "--config", str(routed.config), "show"])
    assert outcome.stdout == DRAWN


def test_a_bad_configuration_is_78(routed: Folder) -> None:
    routed.replace(routed.config, "receiver: greece", "receiver: grece")
    outcome = routed.invoke("routes", "show")
    assert outcome.exit_code == 78
    assert "no receiver is named 'grece'; did you mean 'greece'?" in outcome.stderr


def test_check_counts_the_routing_and_says_who_gets_what(routed: Folder) -> None:
    outcome = routed.invoke("check")
    assert "Routing: 3 routes, 1 inhibition rule, 1 time interval" in outcome.stdout
    assert "what its routes take" in outcome.stdout
    assert outcome.stderr.splitlines() == [
        'warning: inhibit_rules[0] never applies, because of its source_matchers: no alert can match alertname="CountryOutage"'
    ]
    found = json.loads(routed.invoke("check", "--json").stdout)
    assert (found["routes"], found["inhibit_rules"], found["time_intervals"]) == (3, 1, ["nights"])


def test_check_warns_of_what_has_no_effect(routed: Folder) -> None:
    routed.replace(routed.config, "continue: true", "continue: false")
    routed.replace(routed.config, "matchers: ['country=~\"GR|CY\"']", 'matchers: [country="GR", severity="critical"]')
    routed.replace(routed.config, "mute_time_intervals: [nights]", "repeat_interval: 1h")
    outcome = routed.invoke("check")
    assert outcome.exit_code == 0
    assert "warning: no route leads to the receiver 'greece'" in outcome.stderr
    assert "warning: no route refers to the time interval 'nights'" in outcome.stderr
    assert 'warning: the route {}/{country="GR",severity="critical"} is never reached' in outcome.stderr
