"""`render`: what a receiver would be told, of a sample or of an alert in the store; nothing is sent, and no secret is shown."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_folder import Folder
from terminal import on_terminal

from monitor.notify.render import sample_notification, sample_view
from monitor.store.protocol import Commit, Pending
from monitor.store.sqlite import open_sqlite

RECEIVERS = """\
receivers:
  - name: ops
    console: [{}]
  - name: hook
    webhook: [{url: "http://127.0.0.1:9/secret-path", template: body.json.j2}]
  - name: oncall
    webhook:
      - {template: pagerduty, fields: {routing_key: s3cret-routing-key}}
      - {template: opsgenie, headers: {Authorization: GenieKey s3cret-genie}}
      - {url: "http://127.0.0.1:9/secret-path", secret: s3cret-signing-key, max_alerts: 5}
    slack: [{channel: "#ops", token: s3cret-token}]
route: {receiver: ops}
"""


@pytest.fixture
def folder(folder: Folder) -> Folder:
    text = folder.config.read_text()
    start, end = text.index("receivers:"), text.index("store:")
    folder.config.write_text(text[:start] + RECEIVERS + text[end:])
    return folder


def shown(folder: Folder, *arguments: str) -> list[dict[str, Any]]:
    outcome = folder.invoke("render", *arguments, "--json")
    assert outcome.exit_code == 0, outcome.output
    assert "s3cret" not in outcome.output
    assert "secret-path" not in outcome.output
    data: list[dict[str, Any]] = json.loads(outcome.stdout)
    return data


def test_the_routes_receiver_and_an_example_are_what_is_shown_by_default(folder: Folder) -> None:
    outcome = folder.invoke("render")
    assert outcome.exit_code == 0
    assert outcome.stdout.startswith("── ops console/0\n")
    assert "34.2% of 1,204 messages to Cosmote (GR) failed" in outcome.stdout


def test_a_sample_of_a_rule_through_a_template(folder: Folder) -> None:
    (made,) = shown(folder, "hook", "--alert", "OperatorFailureRate", "--sample")
    assert (made["receiver"], made["channel"], made["address"]) == ("hook", "webhook/0", "http://127.0.0.1:9/…")
    assert made["headers"]["Content-Type"] == "application/json"
    assert made["body"]["text"].startswith("OperatorFailureRate: 34.2%")
    (made,) = shown(folder, "hook", "--alert", "OperatorFailureRate", "--sample", "--resolved")
    assert made["body"]["text"].startswith("OperatorFailureRate resolved after 5m: 10% of 1,204")
    assert "at worst 34.2%" in made["body"]["text"]


def test_every_channel_is_shown_without_what_is_secret(folder: Folder) -> None:
    slack, pagerduty, opsgenie, plain = shown(folder, "oncall", "--alert", "OperatorFailureRate", "--sample")
    assert slack["address"] == "#ops"
    assert slack["body"]["text"].startswith("CRITICAL firing: OperatorFailureRate: 34.2%")
    assert pagerduty["address"] == "https://events.pagerduty.com/…"
    assert pagerduty["body"]["routing_key"] == "***"
    assert pagerduty["body"]["payload"]["severity"] == "critical"
    assert opsgenie["headers"]["Authorization"] == "***"
    assert plain["body"]["version"] == "4"
    assert plain["body"]["alerts"][0]["annotations"]["summary"] == "Cosmote: 34.2%"
    assert plain["headers"]["webhook-id"] == "sample"
    assert plain["headers"]["webhook-signature"] == "v1,***"


def test_for_people_slacks_blocks_are_their_texts(folder: Folder) -> None:
    outcome = folder.invoke("render", "oncall", "--channel", "slack/0")
    assert outcome.exit_code == 0
    head, sentence, *rest = outcome.stdout.splitlines()
    assert head == "── oncall slack/0 #ops"
    assert (
        sentence
        == "*INFO firing*  *TestNotification*: *34.2%* of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%"
    )
    assert any(line.startswith("Since ") for line in rest)
    assert "Carrier Violation" in outcome.stdout


def test_for_people_a_webhook_is_its_headers_and_its_body(folder: Folder) -> None:
    outcome = folder.invoke("render", "oncall", "--channel", "webhook/2")
    head, body = outcome.stdout.split("\n\n", 1)
    assert head.splitlines()[0] == "── oncall webhook/2 http://127.0.0.1:9/…"
    assert "webhook-timestamp: (when it is sent)" in head.splitlines()
    assert json.loads(body)["version"] == "4"


def test_an_alert_of_the_store_is_shown_as_it_was_last_told(polled: Folder) -> None:
    (alert, _) = json.loads(polled.invoke("alerts", "--json").stdout)
    by_rule = shown(polled, "hook", "--alert", "OperatorFailureRate")
    assert by_rule[0]["body"]["text"].startswith("OperatorFailureRate: 40% of 100 messages to Cosmote (GR) failed")
    for name in (alert["fingerprint"], alert["ownFingerprint"], alert["fingerprint"][:4], alert["ownFingerprint"][:6]):
        assert shown(polled, "hook", "--alert", name) == by_rule
    assert by_rule[0]["headers"]["webhook-id"].endswith("-1")
    assert by_rule[0]["headers"]["webhook-id"] != "sample"


def test_one_that_was_never_told_is_shown_as_it_stands(polled: Folder) -> None:
    (made,) = shown(polled, "hook", "--alert", "ManyMessages")
    assert made["body"]["text"].startswith("ManyMessages: 16")
    (made,) = shown(polled, "hook", "--alert", "ManyMessages", "--resolved")
    assert "resolved" in made["body"]["text"]


SAYS_BOTH = (
    """'{% if status == "firing" %}It fails.{% else %}It works again after {{ duration | duration }}.{% endif %}'"""
)


@pytest.mark.parametrize("sample", [("--sample",), ()])
def test_what_is_over_is_shown_in_the_words_of_its_end(polled: Folder, tmp_path: Path, sample: tuple[str, ...]) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    folder.replace(folder.rules, 'summary: "{{ labels.operator }}: {{ value | percent }}"', f"summary: {SAYS_BOTH}")
    text = folder.config.read_text()
    start, end = text.index("receivers:"), text.index("store:")
    folder.config.write_text(text[:start] + RECEIVERS + text[end:])
    arguments = ("oncall", "--alert", "OperatorFailureRate", *sample)
    resolved = shown(folder, *arguments, "--resolved")
    assert "It works again after" in folder.invoke("render", *arguments, "--resolved").stdout
    for firing, over in zip(shown(folder, *arguments, "--sample"), resolved, strict=True):
        assert "It fails." not in json.dumps(over)
        assert "Carrier Violation" not in json.dumps(over), "what explains it is told while it fires"
        assert firing["channel"] == over["channel"]
    slack, _, _, payload = resolved
    assert "It works again after" in json.dumps(slack["body"])
    assert (payload["body"]["status"], payload["body"]["alerts"][0]["status"]) == ("resolved", "resolved")
    assert payload["body"]["commonAnnotations"]["summary"].startswith("It works again after")


def test_one_that_is_over_is_found_in_what_was_told(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    over = msgspec.structs.replace(
        sample_view("LongGone", "rate", ("operator",)),
        status="resolved",
        ends_at=1_795_290_000_000_000,
        fingerprint="f" * 16,
    )
    notification = msgspec.structs.replace(sample_notification([over], "hook"), key="gone-2", status="resolved")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(outbox=[Pending("webhook/0", notification)]))
    for name in ("LongGone", "f" * 16):
        (made,) = shown(folder, "hook", "--alert", name)
        assert made["body"]["text"].startswith("LongGone resolved after")
        assert made["headers"]["webhook-id"] == "gone-2"


def test_what_was_told_of_an_incident_is_shown_whole(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    views = [sample_view("Cause", "rate", ("operator",)), sample_view("Effect", "rate", ("country",))]
    sent = msgspec.structs.replace(
        sample_notification(views, "oncall"), group_labels={"incident": "9f5d"}, incident="9f5d", reason="new alerts"
    )
    other = msgspec.structs.replace(sent, receiver="ops", key="ops-1", alerts=sent.alerts[:1])
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(outbox=[Pending("webhook/2", sent)]))
        store.commit(Commit(outbox=[Pending("console/0", other)]))
    text = folder.config.read_text()
    start, end = text.index("receivers:"), text.index("store:")
    folder.config.write_text(text[:start] + RECEIVERS + text[end:])
    for arguments, status in ((), "firing"), (("--resolved",), "resolved"):
        (made,) = shown(folder, "oncall", "--alert", "Effect", "--channel", "webhook/2", *arguments)
        body = made["body"]
        assert (body["groupLabels"], body["status"]) == ({"incident": "9f5d"}, status)
        assert [(one["labels"]["alertname"], one["status"]) for one in body["alerts"]] == [
            ("Cause", status),
            ("Effect", status),
        ]


def test_what_steers_a_terminal_is_not_printed(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    evil = sample_view("Evil", "rate", labels={"operator": "\x9b2J\x1b[2J\u202e"})
    folder.template.write_text('{"text": {{ labels.operator | tojson }}}')
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(outbox=[Pending("webhook/0", sample_notification([evil], "hook"))]))
    outcome = folder.invoke("render", "hook", "--alert", "Evil")
    assert outcome.exit_code == 0
    assert not {"\x9b", "\x1b", "\u202e"} & set(outcome.stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("opps",), "there is no receiver 'opps'; did you mean 'ops'?"),
        (("oncall", "--channel", "slack/1"), "there is no channel 'slack/1'; did you mean 'slack/0'?"),
        (("ops", "--alert", "OperatorFailureRat", "--sample"), "there is no rule 'OperatorFailureRat'; did you mean"),
    ],
)
def test_unknown_names_are_1(folder: Folder, arguments: tuple[str, ...], said: str) -> None:
    outcome = folder.invoke("render", *arguments)
    assert outcome.exit_code == 1
    assert said in outcome.stderr


def test_an_alert_that_the_store_does_not_know_is_1_and_no_store_69(polled: Folder, folder: Folder) -> None:
    outcome = polled.invoke("render", "--alert", "SwitchedOff")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "--sample" in outcome.stderr
    outcome = polled.invoke("render", "--alert", "ManyMesages")
    assert "did you mean 'ManyMessages'?" in outcome.stderr
    assert folder.invoke("render", "--alert", "ManyMessages").exit_code == 69


def test_on_a_terminal_the_body_is_wrapped_at_words_and_elsewhere_it_is_what_is_sent(folder: Folder) -> None:
    words = "a rather long sentence about messages which do not fit into forty columns of any terminal"
    folder.template.write_text('{"text": "' + words + '"}')
    shown = on_terminal(["render", "hook", "--config", str(folder.config)], folder.path, 40)
    assert set(words.split()[1:-1]) <= set(shown.text.split())
    assert all(len(row) <= 40 for row in shown.text.splitlines())
    assert f'  "text": "{words}"' in folder.invoke("render", "hook").stdout.splitlines()
