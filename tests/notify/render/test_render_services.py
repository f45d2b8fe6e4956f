"""The templates of services: every body as the service documents it, within its limits, with data shown as data."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.monitor.services import SERVICES
from monitor.model.notification import AlertView, Cause, Link, Notification
from monitor.notify.render import Templates
from monitor.notify.render.context import notification_context
from tests.fakes.alerts import change, notification_of, over, rate, spike
from tests.fakes.requests import Shown, problem_texts

TEMPLATES = Templates()
FIELDS = {
    "pagerduty": {"routing_key": "R" * 32},
    "telegram": {"chat_id": "-1001234567890"},
}
HOSTILE = '</b>@everyone<!channel><@123>[click](http://evil.example/x)"}],\\"{{ 7*7 }}<script>*_`~||\u202e\x00\n'
MANY = tuple(change(rate(), fingerprint=f"{number:016x}") for number in range(60))


def body(name: str, notification: Notification, **fields: str) -> bytes:
    context = notification_context(notification, FIELDS.get(name, {}) | fields)
    return TEMPLATES.named(name).render(context, whole=True).encode(errors="replace")


def taken(name: str, notification: Notification) -> Any:
    """The body as data; the service would take it."""
    sent = body(name, notification)
    closing = name == "opsgenie" and notification.status == "resolved"
    schema = {"opsgenie": "opsgenie-close" if closing else "opsgenie-create"}.get(name, name)
    assert problem_texts(schema, sent) == []
    return json.loads(sent)


def spoiled(view: AlertView, text: str, length: int = 0) -> AlertView:
    """Every text that data can get into holds this."""
    said = (text * length)[:length] if length else text
    return change(
        view,
        labels={**dict.fromkeys(("operator", "country", "from", "campaign", "severity"), said), "alertname": view.name},
        annotations={"summary": said, "description": said},
        why=said,
        breakdown=tuple(Cause("from", said, 0.5, 3) for _ in range(9)),
        samples=tuple(change(sample, message_id=said, operator=said) for sample in view.samples) * 9,
    )


def monsters(text: str) -> Notification:
    views = [spoiled(change(view, fingerprint=f"{n:016x}"), text, 300) for n, view in enumerate((rate(), spike()) * 12)]
    links = tuple(Link(text[:1] * 900 or "x", "https://wiki.example.org/" + "y" * 480) for _ in range(9))
    views[0] = change(views[0], links=links)
    told = notification_of(*views, truncated=123_456, receiver="r" * 100, reason="escalated")
    return change(told, common_labels={f"label{n}": text * 100 for n in range(60)})


SITUATIONS = {
    "firing": notification_of(),
    "several": notification_of(rate(), spike(), over(spike(fingerprint="1" * 16)), reason="some resolved"),
    "escalated": notification_of(rate(was_severity="warning"), reason="escalated"),
    "resolved": notification_of(over(rate()), over(spike()), status="resolved", reason="all resolved"),
    "truncated": notification_of(*MANY, truncated=7),
    "repeated": notification_of(reason="repeat"),
    "a test": notification_of(reason="test"),
    "an incident": notification_of(
        rate(), spike(), incident="9f5da26216ac", head=spike().fingerprint, place={"country": "GR"}, reason="reopened"
    ),
    "nothing left": change(notification_of(over(rate()), status="resolved"), alerts=()),
    "without a value": notification_of(
        rate(value=None, threshold=None, kind="builtin", why="", labels={}, severity="")
    ),
    "without an address": notification_of(external_url=""),
    "one's own severity": notification_of(rate(severity="catastrophe")),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", SERVICES)
def test_every_body_is_as_the_service_documents_it(name: str, situation: str) -> None:
    taken(name, SITUATIONS[situation])


@pytest.mark.parametrize("text", ["x", "😀", "<", "[", '"', "\\", "&", "@everyone ", "://", HOSTILE, "\ud800", "é́"])
@pytest.mark.parametrize("name", SERVICES)
def test_monstrous_alerts_stay_within_the_limits(name: str, text: str) -> None:
    taken(name, monsters(text))
    taken(name, change(monsters(text), status="resolved", alerts=tuple(map(over, monsters(text).alerts))))


@settings(max_examples=40)
@given(text=st.text(max_size=60), name=st.sampled_from(sorted(SERVICES)))
def test_no_text_breaks_a_body(text: str, name: str) -> None:
    views = spoiled(rate(), text), spoiled(spike(), text)
    taken(name, notification_of(*views))
    taken(name, notification_of(*views, incident="9f5da26216ac", head=spike().fingerprint, place={"country": text}))


@pytest.mark.parametrize("name", SERVICES)
def test_of_an_incident_the_place_and_the_alert_that_names_it_come_first(name: str) -> None:
    sent = body(name, SITUATIONS["an incident"]).decode()
    assert "Country GR: UndeliveredSpike" in sent.replace("\\u2060", "")


@pytest.mark.parametrize("name", SERVICES)
def test_how_many_more_there_are_is_said(name: str) -> None:
    sent = body(name, notification_of(*MANY, truncated=7)).decode()
    assert any(f"+{more} more" in sent for more in range(40, 67)) or '"more alerts": 47' in sent


def test_pagerduty_knows_an_episode_by_one_key_which_no_data_gets_into() -> None:
    first = taken("pagerduty", notification_of())
    worse = taken(
        "pagerduty", notification_of(spoiled(rate(was_severity="warning"), HOSTILE), key="key-2", reason="escalated")
    )
    end = taken("pagerduty", notification_of(over(rate()), key="key-3", reason="all resolved"))
    assert {event["dedup_key"] for event in (first, worse, end)} == {"episode-1"}
    assert [event["event_action"] for event in (first, worse, end)] == ["trigger", "trigger", "resolve"]


@pytest.mark.parametrize(
    ("severity", "pagerduty", "opsgenie"),
    [
        ("critical", "critical", "P1"),
        ("page", "critical", "P1"),
        ("error", "error", "P2"),
        ("high", "error", "P2"),
        ("Warning", "warning", "P3"),
        ("info", "info", "P5"),
        ("catastrophe", "info", "P5"),
        ("", "info", "P5"),
    ],
)
def test_severities_are_said_in_the_services_words(severity: str, pagerduty: str, opsgenie: str) -> None:
    told = notification_of(rate(severity=severity))
    assert taken("pagerduty", told)["payload"]["severity"] == pagerduty
    assert taken("opsgenie", told)["priority"] == opsgenie


def test_pagerduty_gets_the_source_that_is_written() -> None:
    assert taken("pagerduty", notification_of())["payload"]["source"] == "routee-monitor"
    assert json.loads(body("pagerduty", notification_of(), source="sms"))["payload"]["source"] == "sms"


def test_telegram_shows_data_as_it_is_and_mentions_nobody() -> None:
    shown = Shown(taken("telegram", notification_of(spoiled(rate(), HOSTILE)))["text"])
    assert shown.tags == {"b", "a"}
    assert "</b>@\u2060everyone<!channel>" in shown.text
    assert all(link.startswith("https://") and "evil" not in link for link in shown.links)
    plain = Shown(taken("telegram", notification_of(rate(links=())))["text"])
    assert "34.2% of 1,204 messages to Cosmote (GR) failed in 15m" in plain.text


def test_telegram_writes_into_a_topic_and_tells_ends_without_a_sound() -> None:
    assert json.loads(body("telegram", notification_of(), message_thread_id="42"))["message_thread_id"] == 42
    assert taken("telegram", notification_of(over(rate())))["disable_notification"] is True


def test_discord_shows_no_markup_no_link_and_nobodys_name() -> None:
    sent = taken("discord", notification_of(spoiled(rate(), HOSTILE), spoiled(spike(), HOSTILE)))
    said = sent["content"] + sent["embeds"][0]["description"]
    assert "\\[click\\]\\(http:\u2060//evil" in said
    assert "@everyone" not in said
    assert "@\u2060everyone" in said
    for sign in "<[*`|":
        assert sign not in said.replace(f"\\{sign}", "").replace("**", "")
    assert sent["allowed_mentions"] == {"parse": []}


def test_teams_shows_data_in_plain_runs_only() -> None:
    card = taken("teams", notification_of(spoiled(rate(), HOSTILE)))["attachments"][0]["content"]
    assert "[click](http://evil" in json.dumps(card)
    assert all(action["url"].startswith("https://") and "evil" not in action["url"] for action in card["actions"])


def test_opsgenie_gets_no_brackets_that_it_would_take_for_html() -> None:
    sent = taken("opsgenie", notification_of(spoiled(rate(), HOSTILE)))
    assert "<" not in json.dumps(sent)
    assert "‹/b›@everyone‹!channel›" in sent["description"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_test_is_said_to_be_one(name: str) -> None:
    assert "test" in body(name, notification_of(reason="test")).decode().lower().replace("latest", "")
    assert (
        "TEST" in body(name, notification_of(reason="test")).decode()
        or "Test: " in body(name, notification_of(reason="test")).decode()
    )


def test_every_template_that_is_shipped_is_a_services_and_the_other_way_round() -> None:
    from monitor.config.monitor.services import TEMPLATES as FOLDER

    assert {path.name for path in FOLDER.iterdir()} == {service.template for service in SERVICES.values()}


def test_a_file_of_the_configurations_wins_over_the_programs() -> None:
    own = Templates({"pagerduty.json.j2": '{"own": true}', "teams": "mine"})
    assert own.named("pagerduty").render({}) == own.named("pagerduty.json.j2").render({}) == '{"own": true}'
    assert own.named("teams").render({}) == "mine"
    assert own.find("discord") == "discord.json.j2"
    assert own.find("nothing") is None
    extended = Templates({"body.json.j2": '{% include "discord.json.j2" %}'})
    context = notification_context(notification_of())
    assert extended.named("body.json.j2").render(context) == TEMPLATES.named("discord").render(context)


def test_the_samples_cover_what_notifications_can_be() -> None:
    reasons = {told.reason for told in SITUATIONS.values()}
    assert reasons >= {"first", "some resolved", "escalated", "all resolved", "repeat", "test"}
    assert msgspec.structs.asdict(SITUATIONS["nothing left"])["alerts"] == ()
