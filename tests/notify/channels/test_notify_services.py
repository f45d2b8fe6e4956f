"""From a configuration to the services: the right place, the right credentials, an incident opened, changed and closed."""

import io
import re
from pathlib import Path

import pytest

from monitor.daemon.validate import load
from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Sent
from monitor.notify.receivers import notifiers
from monitor.runtime.clock import SystemClock
from monitor.runtime.errors import InputError
from tests.fakes.alerts import change, notification_of, over, rate
from tests.fakes.services import CHAT, GENIE_KEY, ROUTING_KEY, TELEGRAM_TOKEN, FakeServices, services

ACCOUNT = "accounts: [{name: main, application_id: a-test-id, application_secret: a-test-secret}]\n"
EPISODE = "5f2a9c1e7b3d4f6a8c0e1d2b"

ENTRIES = {
    "pagerduty": '{template: pagerduty, url: "URL/v2/enqueue", fields: {routing_key: KEY}}',
    "opsgenie": '{template: opsgenie, url: "URL/v2/alerts", headers: {Authorization: "GenieKey GENIE"}}',
    "teams": '{template: teams, url: "URL/workflows/secret/triggers/manual/paths/invoke?sig=secret"}',
    "discord": '{template: discord, url: "URL/api/webhooks/123/discord-token"}',
    "telegram": '{template: telegram, url: "URL/botTOKEN/sendMessage", fields: {chat_id: CHAT}}',
}
VALUES = {"KEY": ROUTING_KEY, "GENIE": GENIE_KEY, "TOKEN": TELEGRAM_TOKEN, "CHAT": CHAT}


def entry_of(name: str, fake: FakeServices) -> str:
    values = VALUES | {"URL": fake.url}
    return re.sub("[A-Z]{3,}", lambda found: values[found[0]], ENTRIES[name])


def config(folder: Path, entry: str) -> Path:
    file = folder / "monitor.yaml"
    file.write_text(f"{ACCOUNT}receivers: [{{name: ops, webhook: [{entry}]}}]\n")
    return file


def notifier(folder: Path, entry: str) -> Notifier:
    loaded = load(config(folder, entry), {})
    (made,) = notifiers(loaded.settings.config, loaded.templates, SystemClock(), io.StringIO()).values()
    return made


def problems(folder: Path, entry: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(config(folder, entry), {})
    assert caught.value.exit_code == 78
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


FIRST = notification_of(episode=EPISODE, key=f"{EPISODE}-1")
WORSE = notification_of(rate(was_severity="warning"), episode=EPISODE, key=f"{EPISODE}-2", reason="escalated")
END = change(
    notification_of(over(rate()), episode=EPISODE, key=f"{EPISODE}-3", reason="all resolved"), status="resolved"
)


async def tell(fake: FakeServices, folder: Path, name: str, *told: object) -> list[Outcome]:
    channel = notifier(folder, entry_of(name, fake))
    return [await channel.send(each, None) for each in told or (FIRST, WORSE, END)]  # type: ignore[arg-type]  # notifications


@pytest.mark.parametrize(
    ("name", "opened", "closed"), [("pagerduty", "trigger", "resolve"), ("opsgenie", "create", "close")]
)
async def test_an_episode_is_one_incident_that_is_closed_when_it_is_over(
    tmp_path: Path, name: str, opened: str, closed: str
) -> None:
    async with services() as fake:
        assert await tell(fake, tmp_path, name, FIRST, WORSE) == [Sent(), Sent()]
        assert fake.open == {EPISODE: "critical" if name == "pagerduty" else "P1"}
        assert await tell(fake, tmp_path, name, END) == [Sent()]
        assert fake.open == {}
        assert fake.history == [(opened, EPISODE), (opened, EPISODE), (closed, EPISODE)]
        assert fake.refused == []


WORDS = ("CRITICAL firing", "escalated", "CRITICAL resolved")


@pytest.mark.parametrize("name", ["teams", "discord", "telegram"])
async def test_a_chat_is_told_each_change(tmp_path: Path, name: str) -> None:
    async with services() as fake:
        assert await tell(fake, tmp_path, name) == [Sent(), Sent(), Sent()]
        assert [word for word, said in zip(WORDS, fake.said, strict=True) if word not in said] == []
        assert fake.refused == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("pagerduty", ROUTING_KEY, "another" + "k" * 25),
        ("opsgenie", GENIE_KEY, "genie-of-someone-else"),
        ("telegram", CHAT, "-42000001"),
        ("telegram", TELEGRAM_TOKEN, "999:another-token"),
    ],
)
async def test_wrong_credentials_are_a_dead_letter_that_does_not_show_them(
    tmp_path: Path, name: str, right: str, wrong: str
) -> None:
    async with services() as fake:
        channel = notifier(tmp_path, entry_of(name, fake).replace(right, wrong))
        outcome = await channel.send(FIRST, None)
        assert isinstance(outcome, Rejected)
        assert wrong not in repr(outcome) + repr(channel)


async def test_the_address_is_never_made_from_message_data(tmp_path: Path) -> None:
    evil = "../../x?y=z#{episode}/%2e%2e/\r\nHost: evil"
    labels = dict.fromkeys(("alertname", "operator", "severity"), evil)
    told = change(
        notification_of(over(rate(labels=labels)), episode=EPISODE, reason="all resolved"),
        group_key=evil, group_labels=labels, common_labels=labels, status="resolved",
    )  # fmt: skip
    async with services() as fake:
        assert await tell(fake, tmp_path, "opsgenie", told) == [Sent()]
        assert fake.history == [("close", EPISODE)]


async def test_any_webhook_can_be_told_ends_elsewhere_with_headers_of_its_own(tmp_path: Path) -> None:
    from tests.fakes.webhook import webhook

    (tmp_path / "my_headers").write_text("# of the gateway\nX-Api-Key: k3y: with colon\nuser-agent: me\n")
    async with webhook() as fake:
        entry = '{url: "URL", url_resolved: "URL/{episode}/end", headers_file: my_headers}'.replace("URL", fake.url)
        channel = notifier(tmp_path, entry)
        assert [await channel.send(told, None) for told in (FIRST, END)] == [Sent(), Sent()]
        assert [asked.target.rpartition("very-secret-path")[2] for asked in fake.asked] == ["", f"/{EPISODE}/end"]
        for asked in fake.asked:
            assert asked.headers["x-api-key"] == "k3y: with colon"
            assert asked.headers["user-agent"] == "me"


async def test_own_templates_get_fields_too(tmp_path: Path) -> None:
    from tests.fakes.webhook import webhook

    (tmp_path / "own.json.j2").write_text('{"team": "{{ fields.team }}", "n": {{ fields.n | int }}}')
    async with webhook() as fake:
        file = tmp_path / "monitor.yaml"
        file.write_text(
            f"{ACCOUNT}templates: [own.json.j2]\nreceivers:\n  - name: ops\n    webhook:\n"
            f"      - url: {fake.url}\n        template: own.json.j2\n        fields: {{team: 'a\"b', n: 3}}\n"
        )
        loaded = load(file, {})
        (channel,) = notifiers(loaded.settings.config, loaded.templates, SystemClock(), io.StringIO()).values()
        assert await channel.send(FIRST, None) == Sent()
        assert fake.asked[0].json == {"team": 'a"b', "n": 3}
    (tmp_path / "own.json.j2").write_text('\n{"team": "{{ fields.taem }}"}')
    with pytest.raises(InputError) as caught:
        load(file, {})
    assert str(caught.value).endswith("own.json.j2:2:1: there is no 'taem' here; did you mean 'team'?")


def test_services_with_one_address_for_all_need_none(tmp_path: Path) -> None:
    made = notifier(tmp_path, "{template: pagerduty, fields: {routing_key: KEY}}")
    assert repr(made) == "WebhookNotifier(https://events.pagerduty.com)"
    made = notifier(tmp_path, '{template: opsgenie.json.j2, headers: {authorization: "GenieKey x"}}')
    assert repr(made) == "WebhookNotifier(https://api.opsgenie.com)"
    (problem,) = problems(tmp_path, "{template: discord}")
    assert problem == "receivers[0].webhook[0].url: is missing: write url or url_file"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "{template: pagerduty}",
            "template: the template pagerduty needs the field routing_key: write it under fields",
        ),
        ("{template: pagerduty, fields: {routing_kye: x}}", "; did you write 'routing_kye' for it?"),
        (
            "{template: pagerduty, fields: {routing_key: x, sorce: y}}",
            "does not use the field 'sorce'; did you mean 'source'?",
        ),
        (
            "{template: opsgenie}",
            "the template opsgenie needs the header Authorization: write headers: {Authorization: GenieKey KEY}",
        ),
        (
            '{template: pagrduty, url: "http://a"}',
            "no template file named 'pagrduty' under templates; did you mean 'pagerduty'?",
        ),
        ('{url: "http://a", fields: {a: b}}', "fields: is for a template, and none is named"),
        ('{url: "http://a", fields_file: pairs}', "fields_file: is for a template, and none is named"),
        ('{url: "http://a", headers: {Host: b}}', "headers.Host: is written by routee-monitor itself"),
        ('{url: "http://a", headers: {content-type: b}}', "take it out; write content_type"),
        ('{url: "http://a", headers: {A: b, a: c}}', "headers.a: is listed twice"),
        ('{url: "http://a", headers: {"A b": c}}', "is not a header's name"),
        ('{url: "http://a", headers: {A: "b\\r\\nC: d"}}', "headers.A: is not a header's value"),
        ('{url: "http://a", headers: {A: "ä"}}', "headers.A: is not a header's value"),
        ('{url: "http://a", headers: {A: ""}}', "headers.A: must not be empty"),
        ('{url: "http://a", headers: "A: s3cret"}', "headers: should be a mapping"),
        ('{url: "http://a", headers: {A: b}, headers_file: pairs}', "write either headers or headers_file, not both"),
        ('{url: "http://a", headers_file: nothing}', "headers_file: the file nothing cannot be read"),
        ('{url: "http://a", headers_file: broken}', "headers_file: line 2 of the file is not of the form name: value"),
        ('{url: "http://a", headers_file: twice}', "headers_file: line 2 of the file names what an earlier line names"),
        ('{url: "http://a", template: teams, fields: {"a b": c}}', "is not a field's name"),
        ('{url: "http://a", url_resolved: "nowhere"}', "url_resolved: is not an address"),
    ],
)
def test_what_is_missing_or_wrong_is_said_without_any_secret(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "pairs").write_text("a: b")
    (tmp_path / "broken").write_text("a: b\ns3cret")
    (tmp_path / "twice").write_text("a: b\na: s3cret")
    found = problems(tmp_path, entry)
    assert any(said in problem for problem in found), found
    assert "s3cret" not in "".join(found)


def test_the_fields_of_a_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text(f"routing_key: {ROUTING_KEY}\n\n# where from\nsource: sms\n")
    assert notifier(tmp_path, "{template: pagerduty, fields_file: pairs}")


def test_a_configuration_shows_no_value_of_headers_and_fields(tmp_path: Path) -> None:
    from monitor.daemon.hidden_secrets import hide_secrets
    from monitor.runtime import log

    entry = '{url: "http://a", template: telegram, fields: {chat_id: hidden-chat}, headers: {X: "Bearer hidden-key"}}'
    loaded = load(config(tmp_path, entry), {})
    assert "hidden" not in repr(loaded.settings.config)
    hide_secrets(loaded.settings.config)
    assert log.mask("hidden-chat, hidden-key, Bearer hidden-key") == "***, ***, ***"
