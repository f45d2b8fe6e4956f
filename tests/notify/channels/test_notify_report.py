"""The morning report in each channel: what a person sees, what a program gets, and that data stays data."""

import io
import json
from typing import Any

import msgspec
import pytest

from monitor.config.monitor.services import SERVICES
from monitor.dispatch.scheduled_report import DueReport, notification
from monitor.model.notification import Digest, Notification, decode, encode
from monitor.notify.channels.console.notifier import ConsoleNotifier
from monitor.notify.channels.protocol import Sent
from monitor.notify.channels.slack.block_kit import WHOLE, message
from monitor.notify.channels.webhook.notifier import WebhookNotifier
from monitor.notify.render import Templates
from monitor.notify.render.context import notification_context
from monitor.runtime.clock import SystemClock, parse_iso
from tests.fakes.requests import problem_texts
from tests.fakes.webhook import webhook

DUE = parse_iso("2026-11-30T06:00:00Z")
TITLE = "SMS delivery, 2026-11-23 08:00 to 2026-11-30 08:00 (Europe/Athens)"
HOSTILE = '<!channel> <b>@here</b> *bold* "quotes" \\ {{ 7*7 }} `x`'
FIELDS = {"pagerduty": {"routing_key": "R" * 32}, "telegram": {"chat_id": "-1001234567890"}}


def digest(data: str = "Cosmote, GR", **more: Any) -> Digest:
    made = Digest(
        title=TITLE,
        summary="95.4% of 178,603 messages delivered (0.3 points less than before), 378 lost in 2 incidents",
        figures=(
            "95.4% delivered: 170,439 of 178,603 with a final status",
            "8,164 failed",
            "378 lost in 2 incidents: 19.34 spent on them",
        ),
        lists=(
            ("Incidents", (f"Operators {data}: 59m lasted, 292 lost, 14.91 spent",)),
            ("Countries", ("GR: 92.6% delivered",)),
        ),
        notes=("Account main was last polled completely at 2026-11-30 04:00 UTC.",),
        text=f"{TITLE}\n\n  95.4% delivered\n  {data}\n",
        document={"total": {"final": 178603}},
        link="https://sms.example.org",
    )
    return msgspec.structs.replace(made, **more)


def report(made: Digest | None = None) -> Notification:
    return notification("ops", DueReport(DUE), made or digest(), DUE, "https://sms.example.org")


def test_the_same_report_has_the_same_key_whenever_it_is_made() -> None:
    late = notification("ops", DueReport(DUE), digest(), DUE + 1)
    assert (late.key, late.episode) == (report().key, report().episode)
    assert notification("other", DueReport(DUE), digest(), DUE).key != late.key
    assert decode(encode(report())) == report()
    assert report().is_report


def test_slack_shows_figures_lists_notes_and_a_link() -> None:
    shown = message(report())
    assert shown["text"].startswith(TITLE)
    kinds = [block["type"] for block in shown["blocks"]]
    assert kinds == ["section", "section", "section", "section", "context", "actions"]
    fields = [field["text"] for field in shown["blocks"][1]["fields"]]
    assert fields[0] == "*95.4%* delivered\n170,439 of 178,603 with a final status"
    assert fields[1] == "*8,164* failed"
    assert shown["blocks"][5]["elements"][0]["url"] == "https://sms.example.org"
    without = message(report(digest(link="", notes=(), lists=())))
    assert [block["type"] for block in without["blocks"]] == ["section", "section"]


def test_slack_shows_data_as_data_within_its_limits() -> None:
    shown = json.dumps(message(report(digest(HOSTILE))), ensure_ascii=False)
    assert "<!channel>" not in shown
    assert "*bold*" not in shown
    long = digest(lists=tuple((f"List {n}", ("x" * 2000,) * 5) for n in range(2)), notes=("n" * 3000,) * 9)
    made = message(report(long))
    assert len(json.dumps(made)) < WHOLE
    assert all(len(block["text"]["text"]) <= 3000 for block in made["blocks"] if "text" in block)


async def test_a_webhook_gets_the_documented_json() -> None:
    async with webhook() as fake:
        notifier = WebhookNotifier(fake.url, clock=SystemClock(), templates=Templates())
        assert isinstance(await notifier.send(report(), None), Sent)
    [asked] = fake.asked
    assert asked.json["kind"] == "report"
    assert asked.json["report"] == {"total": {"final": 178603}}
    assert asked.json["title"] == TITLE
    assert asked.headers["webhook-id"] == report().key
    assert set(asked.json) == {
        "kind",
        "version",
        "receiver",
        "title",
        "summary",
        "figures",
        "notes",
        "externalURL",
        "report",
    }


async def test_a_webhooks_template_can_tell_a_report_and_has_all_of_it() -> None:
    source = '{"report": {{ is_report | tojson }}, "name": {{ name | tojson }}, "all": {{ notification.digest.text | tojson }}, '
    source += '"said": {{ annotations.description | tojson }}}'
    async with webhook() as fake:
        templates = Templates({"own.json.j2": source})
        await WebhookNotifier(fake.url, clock=SystemClock(), templates=templates, template="own.json.j2").send(
            report(), None
        )
    [asked] = fake.asked
    assert asked.json["report"] is True
    assert asked.json["name"] == "DeliveryReport"
    assert asked.json["all"] == digest().text
    assert "8,164 failed" in asked.json["said"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_takes_a_report(name: str) -> None:
    context = notification_context(report(digest(HOSTILE)), FIELDS.get(name, {}))
    sent = Templates().named(name).render(context, whole=True)
    assert problem_texts("opsgenie-create" if name == "opsgenie" else name, sent.encode()) == []
    assert "178,603" in sent


async def test_the_console_shows_the_text() -> None:
    stream = io.StringIO()
    await ConsoleNotifier(stream).send(report(), None)
    assert [line.removeprefix("▌ ").rstrip() for line in stream.getvalue().splitlines()][:3] == [
        TITLE,
        "",
        "  95.4% delivered",
    ]
