"""The configuration as Alertmanager's tools are shown it."""

from pathlib import Path

import yaml

from monitor.daemon.http.routing_yaml import routing_as_yaml
from monitor.routing.inhibition import Inhibition
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import Route
from monitor.routing.time_intervals import NamedInterval, TimeInterval
from tests.fakes.alertmanager import amtool_fails, needs_alertmanager

NIGHT = NamedInterval(
    "night", (TimeInterval(times=((0, 420), (1320, 1440)), weekdays=((1, 5),), location="Europe/Athens"),)
)
TREE = Route(
    "ops",
    group_by=("alertname", "country"),
    group_wait=10_000_000,
    routes=(
        Route("oncall", key='{}/{severity="critical"}', matchers=parse_matchers('severity="critical"'), continue_=True),
        Route("quiet", key='{}/{team="a \\"b\\""}', matchers=parse_matchers('team="a \\"b\\""'), mute=(NIGHT,)),
    ),
)
RULES = (Inhibition(parse_matchers("alertname=A"), parse_matchers("alertname=~B.*"), ("country",)),)


def test_it_says_what_the_tree_says() -> None:
    shown = yaml.safe_load(routing_as_yaml(TREE, ["ops", "oncall", "quiet"], RULES))
    assert shown["route"]["group_wait"] == "10s"
    assert shown["route"]["repeat_interval"] == "4h"
    assert [route["receiver"] for route in shown["route"]["routes"]] == ["oncall", "quiet"]
    assert shown["route"]["routes"][0]["matchers"] == ['severity="critical"']
    assert shown["inhibit_rules"][0]["equal"] == ["country"]
    assert shown["time_intervals"][0]["time_intervals"][0] == {
        "times": [
            {"start_time": "00:00", "end_time": "07:00"},
            {"start_time": "22:00", "end_time": "24:00"},
        ],
        "weekdays": ["monday:friday"],
        "location": "Europe/Athens",
    }


async def test_amtool_takes_it_for_a_configuration_of_its_own(tmp_path: Path) -> None:
    needs_alertmanager()
    file = tmp_path / "alertmanager.yml"
    file.write_text(routing_as_yaml(TREE, ["ops", "oncall", "quiet"], RULES))
    code, out, err = await amtool_fails("http://127.0.0.1:9", "check-config", str(file))
    assert code == 0, (out, err)
    assert "3 receivers" in out
    code, out, err = await amtool_fails(
        "http://127.0.0.1:9", "config", "routes", "test", f"--config.file={file}", "severity=critical", 'team=a \\"b\\"'
    )
    assert (code, out.strip()) == (0, "oncall,quiet"), err
