"""What `check` warns of: matchers that no alert can meet, and severities that no route asks for."""

import re
import time
from contextlib import closing
from pathlib import Path

import pytest
from cli_folder import Folder

from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite


def warnings(folder: Folder) -> list[str]:
    outcome = folder.invoke("check")
    assert outcome.exit_code == 0, outcome.stderr
    return [line.removeprefix("warning: ") for line in outcome.stderr.splitlines()]


def routed(folder: Folder, routes: str, more: str = "") -> list[str]:
    folder.replace(folder.config, "route: {receiver: ops}", f"route: {{receiver: ops, routes: [{routes}]}}{more}")
    return warnings(folder)


@pytest.mark.parametrize(
    ("matcher", "why"),
    [
        ("severity=critcal", "no alert can match severity=\"critcal\"; did you mean 'critical'?"),
        ("severity=page", 'no alert can match severity="page"; severity is one of critical, warning'),
        (
            "alertname=OperatrFailureRate",
            "no alert can match alertname=\"OperatrFailureRate\"; did you mean 'OperatorFailureRate'?",
        ),
        (
            "operater=Cosmote",
            'no alert can match operater="Cosmote": no alert has a label operater; did you mean operator?',
        ),
        ('operator=""', None),
        ("operator=Cosmote", None),
        ('team=""', None),
        ("search=outbound", None),
        ("alertname=NotificationFailing", None),
        ("severity=~crit.*", None),
        ("severity!=critical", None),
        ("alertname=SwitchedOff", None),
    ],
)
def test_a_route_that_no_alert_can_come_to_is_named(folder: Folder, matcher: str, why: str | None) -> None:
    found = [one for one in routed(folder, f"{{matchers: ['{matcher}'], receiver: hook}}") if "never taken" in one]
    assert [one.partition(" is never taken: ")[2] for one in found] == ([why] if why else [])


def test_matchers_that_only_different_alerts_can_meet_are_named_together(folder: Folder) -> None:
    (found,) = routed(folder, "{matchers: [alertname=ManyMessages, severity=critical], receiver: hook}")
    assert found.endswith('no alert can match all of alertname="ManyMessages", severity="critical"')


def test_a_route_below_another_only_gets_what_that_one_takes(folder: Folder) -> None:
    below = "{matchers: [alertname=ManyMessages], receiver: hook, routes: [{matchers: [severity=critical]}]}"
    (found,) = routed(folder, below)
    assert found.startswith('the route {}/{alertname="ManyMessages"}/{severity="critical"} is never taken')


def test_an_inhibition_that_can_never_act_is_named(folder: Folder) -> None:
    rule = "\ninhibit_rules: [{source_matchers: [alertname=CountryOutage], target_matchers: [alertname=ManyMessages]}]"
    found = routed(folder, "{matchers: [severity=critical], receiver: hook}", rule)
    assert found == [
        'inhibit_rules[0] never applies, because of its source_matchers: no alert can match alertname="CountryOutage"'
    ]


def test_a_severity_that_no_route_asks_for_is_named(folder: Folder) -> None:
    folder.replace(folder.rules, "severity: critical", "severity: page")
    found = routed(folder, "{matchers: [severity=critical], receiver: hook}")
    assert found == ["rule OperatorFailureRate: no route asks for the severity 'page'"]
    folder.replace(folder.rules, "severity: page", "severity: warnin")
    assert "rule OperatorFailureRate: no route asks for the severity 'warnin'; did you mean 'warning'?" in warnings(
        folder
    )


def test_a_label_to_group_by_that_no_alert_has_is_named(folder: Folder) -> None:
    folder.replace(
        folder.config, "route: {receiver: ops}", "route: {receiver: ops, group_by: [alertnam, country, account, site]}"
    )
    assert [one for one in warnings(folder) if "no route leads" not in one] == [
        "group_by: no alert has a label 'alertnam'; did you mean 'alertname'?",
        "group_by: no alert has a label 'site'",
    ]
    folder.replace(folder.config, "[alertnam, country, account, site]", '["..."]')
    assert "group_by" not in str(warnings(folder))


def test_an_annotation_that_is_nearly_one_that_messages_show_is_named(folder: Folder) -> None:
    folder.replace(folder.rules, "{summary: ", "{dashboard_url: x, sumary: ")
    assert [one for one in warnings(folder) if "no route leads" not in one] == [
        "rule OperatorFailureRate: no message shows the annotation 'sumary'; did you mean 'summary'?"
    ]


def test_a_stored_silence_that_hides_nothing_is_named_while_it_lasts(folder: Folder) -> None:
    now = time.time_ns() // 1000
    matchers = (Matcher("alertname", "=", "Gone"),)
    lasting = Silence("aa", matchers, now - HOUR, now + HOUR, "Ann", "x", now)
    over = Silence("bb", matchers, now - 2 * HOUR, now - HOUR, "Ann", "x", now)
    good = Silence("cc", (Matcher("operator", "=", "Cosmote"),), now - HOUR, now + HOUR, "Ann", "x", now)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(silences=[lasting, over, good]))
    assert [one for one in warnings(folder) if "silence" in one] == [
        'the silence aa hides nothing: no alert can match alertname="Gone"'
    ]


def test_the_shipped_rules_with_the_shipped_defaults_are_warned_of_nothing(folder: Folder) -> None:
    rules = Path(__file__).parent.parent.parent / "rules"
    folder.replace(folder.config, "rules: [rules.yaml]", f"rules: ['{rules}']")
    folder.replace(
        folder.config,
        "route: {receiver: ops}",
        "route: {receiver: ops, routes: [{matchers: [severity=critical], receiver: hook}]}",
    )
    assert warnings(folder) == []


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            "kind: absence, window: 30m, expected: 1",
            "rule Odd: expected: 1 is too few: by chance none comes in 37% of the times in which 1 is expected; 14 is usual",
        ),
        ("kind: absence, window: 30m, expected: 14", None),
        (
            "kind: absence, window: 30m, expected: 1000000",
            "rule Odd: expected: 1,000,000 within 30m has no effect in groups with less traffic than that; 14 is usual",
        ),
        (
            "kind: shift, to: 1.01x",
            "rule Odd: to: 1.01x is so small a change that it takes very long to find; 3x is usual",
        ),
        ("kind: shift, to: 1.5x", None),
    ],
)
def test_a_number_that_cannot_be_meant_is_named(folder: Folder, rule: str, why: str | None) -> None:
    folder.rules.write_text(f"rules:\n  - {{name: Odd, {rule}}}\n")
    said = [line for line in warnings(folder) if line.startswith("rule Odd: ")]
    assert said == ([] if why is None else [why])


def test_a_receiver_that_cannot_show_a_report_or_keeps_it_open_is_named(folder: Folder) -> None:
    receivers = '  - {name: am, alertmanager: [{url: "http://127.0.0.1:9093"}]}\n'
    receivers += (
        '  - {name: pager, webhook: [{url: "http://127.0.0.1:9/x", template: pagerduty, fields: {routing_key: r}}]}\n'
    )
    folder.replace(folder.config, "route:", f"{receivers}report: {{receiver: ops}}\nroute:")
    folder.config.write_text(folder.config.read_text().replace(receivers, ""))
    folder.replace(folder.config, "  - {name: ops", f"{receivers}  - {{name: ops")
    assert not [line for line in warnings(folder) if line.startswith("report:")]
    folder.replace(folder.config, "report: {receiver: ops}", "report: {receiver: am}")
    assert "report: alertmanager/0 of receiver am knows alerts only, and gets no report" in warnings(folder)
    folder.replace(folder.config, "report: {receiver: am}", "report: {receiver: pager}")
    [kept] = [line for line in warnings(folder) if line.startswith("report:")]
    assert "may keep the report open" in kept


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://10.0.0.1:8080", "10.0.0.1"),
        ("http://routee.example.org", "routee.example.org"),
        ("http://127.0.0.1:9480", ""),
        ("http://[::1]:9480", ""),
        ("http://localhost", ""),
        ("https://routee.example.org", ""),
    ],
)
@pytest.mark.parametrize("key", ["api_url", "auth_url"])
def test_an_account_that_is_asked_in_clear_text_is_named(folder: Folder, key: str, url: str, host: str) -> None:
    text = re.sub(rf"{key}: .*", f'{key}: "{url}"', folder.config.read_text())
    folder.config.write_text(text)
    found = [one for one in warnings(folder) if "unencrypted" in one]
    assert len(found) == bool(host)
    assert all(one.startswith(f"account main: {key} is http://: ") and f" to {host};" in one for one in found)


@pytest.mark.parametrize(
    ("channel", "key"),
    [
        ('slack: [{webhook_url: "http://HOST/services/T0/B0/x"}]', "webhook_url"),
        ('slack: [{token: xoxb-1, channel: "#ops", api_url: "http://HOST/api"}]', "api_url"),
        ('webhook: [{url: "http://HOST:8080/hook-4711"}]', "url"),
        ('webhook: [{url: "https://hooks.example.org/1", url_resolved: "http://HOST/over"}]', "url_resolved"),
        ('alertmanager: [{url: "http://HOST:9093", bearer_token: t}]', "url"),
        ('alertmanager: [{urls: ["https://a.example.org", "http://HOST:9093"], username: u, password: p}]', "urls"),
    ],
)
@pytest.mark.parametrize(
    ("host", "is_named"), [("hooks.example.org", True), ("10.0.0.1", True), ("127.0.0.1", False), ("localhost", False)]
)
def test_a_receiver_whose_secret_goes_in_clear_text_is_named(
    folder: Folder, channel: str, key: str, host: str, is_named: bool
) -> None:
    kind = channel.partition(":")[0]
    folder.replace(
        folder.config, "  - {name: ops", f"  - {{name: open, {channel.replace('HOST', host)}}}\n  - {{name: ops"
    )
    said = f"receiver open: {key} of {kind}/0 is http://: its secret and all notifications go unencrypted to {host}; write https://"
    assert [one for one in warnings(folder) if "unencrypted" in one] == ([said] if is_named else [])


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise imports it
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("json://u:pass@hooks.example.org/x", ("json", "jsons")),
        ("JSON://hooks.example.org", ("JSON", "jsons")),
        ("mailto://u:pass@example.org", ("mailto", "mailtos")),
        ("gotify://push.example.org/A1b2C3d4E5f6G7h", ("gotify", "gotifys")),
        ("toot://Abc123@social.example.org/@ops", ("toot", "toots")),
        ("ntfy://u:pass@ntfy.example.org/ops", ("ntfy", "ntfys")),
        ("ntfy://ops-4711", None),
        ("json://127.0.0.1:8080/x", None),
        ("json://localhost/x", None),
        ("jsons://hooks.example.org/x", None),
        ("mailtos://u:pass@example.org", None),
        ("mailto://u:pass@gmail.com", None),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops", None),
    ],
)
def test_a_service_that_apprise_reaches_in_clear_text_is_named(
    folder: Folder, url: str, said: tuple[str, str] | None
) -> None:
    pytest.importorskip("apprise", reason="the extra apprise is not installed")
    folder.replace(folder.config, "  - {name: ops", f'  - {{name: open, apprise: [{{url: "{url}"}}]}}\n  - {{name: ops')
    found = [one for one in warnings(folder) if "unencrypted" in one]
    expected = "receiver open: url of apprise/0 is {}://: what it holds and all notifications go unencrypted; write {}:// if the server can"
    assert found == ([] if said is None else [expected.format(*said)])


def test_an_alertmanager_without_a_secret_and_a_web_address_with_tls_are_not_named(folder: Folder) -> None:
    channels = 'alertmanager: [{url: "http://alertmanager:9093"}], webhook: [{url: "https://hooks.example.org/1"}]'
    folder.replace(folder.config, "  - {name: ops", f"  - {{name: open, {channels}}}\n  - {{name: ops")
    assert [one for one in warnings(folder) if "unencrypted" in one] == []


@pytest.mark.parametrize("secret", ["//[pass", "//se℀cret", "http://words.example.org"])
def test_a_secret_that_looks_like_an_address_is_not_taken_for_one(folder: Folder, secret: str) -> None:
    channels = f'alertmanager: [{{url: "https://am.example.org", username: u, password: "{secret}"}}]'
    folder.replace(folder.config, "  - {name: ops", f"  - {{name: open, {channels}}}\n  - {{name: ops")
    outcome = folder.invoke("check")
    assert (outcome.exit_code, "unencrypted" in outcome.output, secret in outcome.output) == (0, False, False)
