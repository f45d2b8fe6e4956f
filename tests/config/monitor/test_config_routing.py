"""The routing tree, inhibition, time intervals and Alertmanagers of a configuration, as values."""

from pathlib import Path

import pytest

from monitor.config.monitor import Alertmanager, Config, doubts, every_route, load_config, reachable_receivers
from monitor.routing.inhibition import Inhibition
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import routes_for
from monitor.routing.time_intervals import TimeInterval
from monitor.routing.wall_clock import DailyTime
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, parse_iso
from monitor.runtime.errors import InputError
from tests.fakes.marked import TESTDATA

BEGIN = """
accounts: [{name: main, application_id: a, application_secret: b}]
receivers: [{name: ops}, {name: oncall}, {name: third}]
"""


def config_of(folder: Path, text: str) -> Config:
    (folder / "monitor.yaml").write_text(BEGIN + text)
    return load_config(folder / "monitor.yaml", {})


@pytest.fixture
def full(tmp_path: Path) -> Config:
    (tmp_path / "slack_token").write_text("xoxb-file")
    path = tmp_path / "monitor.yaml"
    path.write_bytes((TESTDATA / "config-good-routing.yaml").read_bytes())
    return load_config(path, {})


def test_what_a_route_leaves_out_is_as_in_the_route_above(full: Config) -> None:
    root = full.route_tree()
    critical, greece = root.routes
    assert (critical.receiver, critical.group_wait, critical.group_interval) == ("oncall", 0, 5 * MINUTE)
    assert (greece.group_wait, greece.group_interval, greece.repeat_interval) == (10 * SECOND, MINUTE, DAY)
    assert all(route.receiver == "greece" and route.repeat_interval == DAY for route in greece.routes)
    assert [route.group_by for route in greece.routes] == [("alertname", "country"), ("alertname", "country"), ("...",)]
    assert (root.repeat_interval, critical.repeat_interval) == (4 * HOUR, 4 * HOUR)


def test_times_in_which_nobody_is_told_are_not_inherited(full: Config) -> None:
    _, greece = full.route_tree().routes
    assert [one.name for one in greece.mute] == ["nights"]
    info, first, second = greece.routes
    assert (info.mute, [one.name for one in info.active]) == ((), ["nights", "first and last days"])
    assert (first.mute, second.active) == ((), ())


def test_each_route_has_a_key_of_its_own(full: Config) -> None:
    keys = [route.key for route in every_route(full.route_tree())]
    below = '{}/{country=~"GR|CY",team!="billing"}'
    assert keys == [
        "{}",
        '{}/{severity="critical"}',
        below,
        below + '/{alertname="RuleError",severity="info"}',
        below + '/{severity="critical"}',
        below + '/{severity="critical"}/1',
    ]


def test_alerts_find_their_routes(full: Config) -> None:
    root = full.route_tree()

    def told(**labels: str) -> list[str]:
        return [route.receiver for route in routes_for(root, labels)]

    assert told() == ["ops"]
    assert told(severity="critical") == ["oncall"]
    assert told(severity="critical", country="GR") == ["oncall", "greece", "greece"]
    assert told(country="CY") == ["greece"]
    assert told(country="CY", team="billing") == ["ops"]


def test_time_intervals_are_read_in_all_their_forms(full: Config) -> None:
    nights, days = full.named_intervals
    both_ends = ((1320, 1440), (0, 360))
    assert nights.intervals[0] == TimeInterval(both_ends, location="Europe/Athens")
    assert nights.intervals[1].weekdays == ((6, 6), (0, 0))
    (found,) = days.intervals
    assert (found.days_of_month, found.months) == (((1, 1), (-3, -1)), ((1, 3), (12, 12)))
    assert (found.years, found.location) == (((2026, 2026), (2027, 2030)), "UTC")
    assert nights.contains(parse_iso("2026-11-24T03:59:00Z"))
    assert not nights.contains(parse_iso("2026-11-24T04:00:00Z"))


def test_inhibition_rules_are_conditions(full: Config) -> None:
    target = parse_matchers('alertname="OperatorFailureRate",severity!="critical"')
    assert full.inhibitions == (Inhibition(parse_matchers("alertname=CountryOutage"), target, ("country",)),)


def test_alertmanagers_are_channels_with_all_their_addresses(full: Config) -> None:
    channels = dict(full.receivers[1].channels)
    assert list(channels) == ["alertmanager/0", "alertmanager/1"]
    one, cluster = channels.values()
    assert isinstance(one, Alertmanager)
    assert isinstance(cluster, Alertmanager)
    assert (one.addresses, one.timeout) == (("http://127.0.0.1:9093/am",), 2 * SECOND)
    assert one.bearer_token is not None
    assert one.bearer_token.get_secret_value() == "xoxb-file"
    assert cluster.addresses == ("http://a:9093", "http://b:9093")
    assert "s3cret" not in repr(cluster)
    assert [name for name, _ in full.receivers[2].channels] == ["webhook/0", "console/0"]


def test_the_watchdog_is_off_unless_written(full: Config, tmp_path: Path) -> None:
    assert full.watchdog is not None
    assert (full.watchdog.receiver, full.watchdog.every) == ("oncall", 10 * MINUTE)
    assert config_of(tmp_path, "route: {receiver: ops}").watchdog is None
    usual = config_of(tmp_path, "route: {receiver: ops}\nwatchdog: {receiver: oncall}").watchdog
    assert usual is not None
    assert usual.every == 5 * MINUTE


def test_a_tree_in_which_everything_has_an_effect_leaves_no_doubts(full: Config) -> None:
    root = full.route_tree()
    assert list(doubts(root)) == []
    assert reachable_receivers(root) == {"ops", "oncall", "greece"}


@pytest.mark.parametrize(
    ("routes", "never", "told"),
    [
        ("[{receiver: oncall}, {matchers: [a=b], receiver: third}]", '{}/{a="b"}', {"oncall"}),
        ("[{receiver: oncall, continue: true}, {matchers: [a=b], receiver: third}]", None, {"oncall", "third"}),
        ("[{matchers: [a=b]}, {matchers: [c=d, a=b], receiver: third}]", '{}/{a="b",c="d"}', {"ops"}),
        ("[{matchers: [a=b]}, {matchers: [a=b], receiver: third}]", '{}/{a="b"}/1', {"ops"}),
        ("[{matchers: [a=b], receiver: oncall, routes: [{receiver: third}]}]", None, {"ops", "third"}),
        ("[{matchers: [a=b, c=d]}, {matchers: [a=b], receiver: third}]", None, {"ops", "third"}),
    ],
)
def test_routes_that_can_never_be_reached_are_doubted(
    tmp_path: Path, routes: str, never: str | None, told: set[str]
) -> None:
    root = config_of(tmp_path, f"route: {{receiver: ops, routes: {routes}}}").route_tree()
    said = list(doubts(root))
    assert len(said) == (never is not None)
    assert all(f"the route {never} is never reached" in one for one in said)
    assert reachable_receivers(root) == told


def test_the_only_receiver_is_that_of_the_first_route_also_where_it_has_routes_below(tmp_path: Path) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_text(BEGIN.split("receivers")[0] + "receivers: [{name: x}]\nroute: {routes: [{matchers: [a=b]}]}\n")
    assert [route.receiver for route in every_route(load_config(path, {}).route_tree())] == ["x", "x"]


def test_the_report_is_off_unless_written_and_its_times_are_those_of_its_zone(tmp_path: Path) -> None:
    assert config_of(tmp_path, "route: {receiver: ops}").report is None
    usual = config_of(tmp_path, "route: {receiver: ops}\nreport: {receiver: ops}").report
    assert usual is not None
    assert (usual.at, usual.weekdays, usual.time_zone, usual.since) == ("08:00", (), "UTC", None)
    text = "report: {receiver: ops, at: 22:30, weekdays: [monday:friday, sunday], time_zone: Europe/Athens, since: 1d}"
    written = config_of(tmp_path, f"route: {{receiver: ops}}\n{text}").report
    assert written is not None
    assert written.times == DailyTime(22 * 60 + 30, ((1, 5), (0, 0)), "Europe/Athens")
    assert written.since == 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("section", "where", "message"),
    [
        ("{receiver: nobody}", "report.receiver", "no receiver is named 'nobody'"),
        ("{receiver: ops, at: 8}", "report.at", "is not a time of day"),
        ("{receiver: ops, at: '24:00'}", "report.at", "write 00:00"),
        ("{receiver: ops, weekdays: [mondey]}", "report.weekdays[0]", "did you mean 'monday'"),
        ("{receiver: ops, weekdays: []}", "report.weekdays", "at least"),
        ("{receiver: ops, time_zone: Athens}", "report.time_zone", "Europe/Athens"),
        ("{receiver: ops, since: 60d}", "report.since", "30d"),
        ("{receiver: ops, every: 1d}", "report.every", "unknown key"),
        ("{at: '08:00'}", "report.receiver", "is missing"),
    ],
)
def test_what_is_wrong_with_a_report_is_said_with_its_place(
    tmp_path: Path, section: str, where: str, message: str
) -> None:
    with pytest.raises(InputError) as error:
        config_of(tmp_path, f"route: {{receiver: ops}}\nreport: {section}")
    [problem] = error.value.problems
    assert (problem.path, message in problem.message) == (where, True), problem
