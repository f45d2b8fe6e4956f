"""What docs/routing.md says of its examples is so."""

import re
from pathlib import Path

import pytest

from monitor.config.monitor import Config, doubts, load_config
from monitor.routing.inhibition import inhibited
from monitor.routing.matchers import parse_matcher
from monitor.routing.route import group_labels, routes_for
from monitor.routing.time_intervals import muting
from monitor.runtime.clock import DAY, SECOND, parse_iso

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text("utf-8")
ACCOUNT = "accounts: [{name: main, application_id: a, application_secret: b}]\n"


@pytest.fixture
def shown(tmp_path: Path) -> list[Config]:
    """The page's configurations, in their order."""
    for name in re.findall(r"_file: (\w+)", PAGE):
        (tmp_path / name).write_text("https://example.org/hook")
    found = []
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / "monitor.yaml").write_text(ACCOUNT + text)
        found.append(load_config(tmp_path / "monitor.yaml", {}))
    return found


def test_the_tree_takes_alerts_as_it_is_told(shown: list[Config]) -> None:
    root = shown[0].route_tree()
    assert list(doubts(root)) == []
    greek = {"alertname": "OperatorFailureRate", "operator": "Cosmote", "country": "GR", "severity": "critical"}
    oncall, ops = routes_for(root, greek)
    assert (oncall.receiver, oncall.group_wait) == ("oncall", 0)
    assert (ops.receiver, ops.group_wait) == ("ops", 10 * SECOND)
    assert group_labels(ops, greek) == {"alertname": "OperatorFailureRate", "country": "GR"}
    (billing,) = routes_for(root, greek | {"team": "billing"})
    assert (billing.receiver, billing.repeat_interval) == ("billing", DAY)


@pytest.mark.parametrize(
    ("severity", "at", "muted"),
    [
        ("info", "2026-11-23T07:00:00Z", ()),
        ("info", "2026-11-23T15:00:00Z", ("office hours",)),
        ("info", "2026-11-22T10:00:00Z", ("office hours",)),
        ("warning", "2026-11-23T19:59:00Z", ()),
        ("warning", "2026-11-23T20:00:00Z", ("nights",)),
        ("warning", "2026-11-24T04:00:00Z", ()),
        ("warning", "2026-12-23T12:00:00Z", ()),
        ("warning", "2026-12-24T12:00:00Z", ("end of year",)),
        ("critical", "2026-12-24T23:00:00Z", ()),
    ],
)
def test_the_times_are_as_they_are_told(shown: list[Config], severity: str, at: str, muted: tuple[str, ...]) -> None:
    (route,) = routes_for(shown[1].route_tree(), {"severity": severity})
    assert muting(route.mute, route.active, parse_iso(at)) == muted


def test_the_inhibition_is_as_it_is_told(shown: list[Config]) -> None:
    firing = {
        "outage": {"alertname": "CountryOutage", "country": "GR"},
        "slow": {"alertname": "SlowDelivery", "country": "GR"},
        "elsewhere": {"alertname": "SlowDelivery", "country": "CY"},
        "worse": {"alertname": "Spending", "severity": "critical"},
        "milder": {"alertname": "Spending", "severity": "warning"},
    }
    assert inhibited(shown[2].inhibitions, firing) == {"slow": "outage", "milder": "worse"}


def test_the_matchers_of_the_table_mean_what_stands_beside_them() -> None:
    rows = re.findall(r"^\| `(.+?)` \| .* \|$", PAGE, re.MULTILINE)
    equal, other, some, none = (parse_matcher(text.replace("\\|", "|")) for text in rows)
    assert (equal.matches({"severity": "critical"}), equal.matches({})) == (True, False)
    assert (other.matches({"severity": "info"}), other.matches({})) == (False, True)
    assert (some.matches({"operator": "Nova"}), some.matches({"operator": "Nova2"})) == (True, False)
    assert (none.matches({"operator": "Test 1"}), none.matches({})) == (False, True)
