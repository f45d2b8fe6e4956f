"""The webhook notifier against a server of our own: what is sent, how it is signed, and what each answer means."""

import base64
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import trio
from standardwebhooks import Webhook
from trio.testing import MockClock

from monitor.notify.channels.http import outcome_of
from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent
from monitor.notify.channels.webhook.notifier import WebhookNotifier, key_of
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.templates import Templates
from monitor.runtime.clock import MINUTE, SECOND, SystemClock
from monitor.runtime.retry_after import retry_after
from tests.fakes.alerts import NOW, notification_of, rate
from tests.fakes.http import Answer
from tests.fakes.webhook import FakeWebhook, webhook

Maker = Callable[[str], WebhookNotifier]


def address(fake: FakeWebhook) -> str:
    """The part of its URL that is shown."""
    return f"http://127.0.0.1:{urlsplit(fake.url).port}"


def to(
    fake: FakeWebhook,
    *,
    secret: str | None = None,
    template: str | None = None,
    source: str = "",
    content_type: str | None = None,
    within: float = 5.0,
) -> WebhookNotifier:
    return WebhookNotifier(
        fake.url,
        clock=SystemClock(),
        templates=Templates({template: source} if template else {}),
        template=template,
        content_type=content_type,
        secret=secret,
        timeout=within,
    )


async def test_alertmanagers_payload_is_sent_by_default() -> None:
    async with webhook() as fake:
        assert await to(fake).send(notification_of(), None) == Sent()
        (asked,) = fake.asked
        assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
        assert asked.json == alertmanager(notification_of())
        assert asked.headers["webhook-id"] == "key-1"
        assert "webhook-signature" not in asked.headers


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"k" * 24).decode(), "a plain password, with spaces"])
async def test_the_signature_holds_and_the_id_stays_over_retries(secret: str) -> None:
    async with webhook(Answer(503)) as fake:
        channel = to(fake, secret=secret)
        assert isinstance(await channel.send(notification_of(), None), Retry)
        assert await channel.send(notification_of(), None) == Sent()
        for asked in fake.asked:
            Webhook(key_of(secret)).verify(asked.body, asked.headers)
        assert [asked.headers["webhook-id"] for asked in fake.asked] == ["key-1", "key-1"]


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"k" * 24).decode(), "a plain password, with spaces"])
async def test_an_answer_that_repeats_the_signing_secret_shows_nothing_of_it(secret: str) -> None:
    async with webhook(
        Answer(403, f"bad key {secret} or {secret.removeprefix('whsec_').rstrip('=')}.".encode())
    ) as fake:
        outcome = await to(fake, secret=secret).send(notification_of(), None)
    assert isinstance(outcome, Rejected)
    assert "answered 403: bad key … or ….;" in outcome.why


async def test_the_signature_is_that_of_a_templates_body_too_and_of_what_goes_to_another_address() -> None:
    async with webhook() as fake:
        channel = WebhookNotifier(
            fake.url,
            clock=SystemClock(),
            templates=Templates({"body.json.j2": '{"é": "{{ labels.operator }}", "team": "{{ fields.team }}"}'}),
            template="body.json.j2",
            secret="s",
            url_resolved=f"{fake.url}/{{episode}}",
            headers={"X-Team": "a", "user-agent": "b"},
            fields={"team": "ops"},
        )
        over = notification_of(rate(labels={"operator": "\ud800ß"}), status="resolved", episode="a/b?c")
        assert [await channel.send(told, None) for told in (notification_of(), over)] == [Sent(), Sent()]
        for asked in fake.asked:
            Webhook(key_of("s")).verify(asked.body, asked.headers)
            assert (asked.headers["x-team"], asked.headers["user-agent"]) == ("a", "b")
            assert asked.json["team"] == "ops"
        assert [asked.target for asked in fake.asked] == ["/hook/very-secret-path", "/hook/very-secret-path/a%2Fb%3Fc"]


async def test_an_answer_that_repeats_headers_or_fields_is_not_shown_with_them() -> None:
    async with webhook(Answer(403, b"GenieKey k3y-of-ops, k3y-of-ops, chat -1001 of you")) as fake:
        channel = WebhookNotifier(
            fake.url,
            clock=SystemClock(),
            templates=Templates(),
            headers={"Authorization": "GenieKey k3y-of-ops"},
            fields={"chat_id": "-1001"},
        )
        outcome = await channel.send(notification_of(), None)
        assert isinstance(outcome, Rejected)
        assert outcome.why.startswith(f"{address(fake)} answered 403: …, …, chat … of you")


def test_secrets_behind_whsec_are_base64_with_or_without_padding() -> None:
    assert key_of("whsec_YWI=") == key_of("whsec_YWI") == b"ab"
    assert key_of("ab") == b"ab"
    assert key_of("whsec_") == b"whsec_"


async def test_a_template_makes_the_whole_body() -> None:
    async with webhook() as fake:
        source = '{"text": "{{ labels.operator }}: {{ value | percent }}", "n": {{ alerts | length }}}'
        await to(fake, template="body.json.j2", source=source).send(
            notification_of(rate(labels={"operator": 'A"B'})), None
        )
        await to(fake, template="body.txt", source="{{ name }}", content_type="text/plain").send(
            notification_of(), None
        )
        await to(fake, template="body.xml", source="<a/>", content_type="application/xml").send(notification_of(), None)
        first, second, third = fake.asked
        assert first.json == {"text": 'A"B: 34.2%', "n": 1}
        assert [asked.headers["content-type"] for asked in fake.asked] == [
            "application/json",
            "text/plain",
            "application/xml",
        ]
        assert (second.body, third.body) == (b"OperatorFailureRate", b"<a/>")


@pytest.mark.parametrize("content_type", [None, "application/vnd.ours+json; charset=utf-8"])
async def test_values_are_escaped_for_json_whatever_the_template_is_called(content_type: str | None) -> None:
    async with webhook() as fake:
        channel = to(fake, template="body.j2", source='{"text": "{{ labels.operator }}"}', content_type=content_type)
        assert await channel.send(notification_of(rate(labels={"operator": 'A"B\\C\nD <b>&'})), None) == Sent()
        (asked,) = fake.asked
        assert asked.headers["content-type"] == (content_type or "application/json")
        assert asked.json == {"text": 'A"B\\C\nD <b>&'}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", 'A"B & <b>\n'),
        ("text/html; charset=utf-8", "A&#34;B &amp; &lt;b&gt;\n"),
        ("application/xml", "A&#34;B &amp; &lt;b&gt;\n"),
        ("application/x-www-form-urlencoded", "A%22B+%26+%3Cb%3E%0A"),
    ],
)
async def test_values_are_escaped_for_the_content_type_that_is_sent(content_type: str, body: str) -> None:
    async with webhook() as fake:
        channel = to(fake, template="body.json.j2", source="{{ labels.operator }}", content_type=content_type)
        assert await channel.send(notification_of(rate(labels={"operator": 'A"B & <b>\n'})), None) == Sent()
        assert (fake.asked[0].body.decode(), fake.asked[0].headers["content-type"]) == (body, content_type)


async def test_a_body_that_is_no_json_under_a_json_type_is_told_in_the_built_in_text() -> None:
    async with webhook() as fake:
        for source in ("{{ name }}", '{"n": {{ value }}, }', '{"n": NaN}'):
            assert await to(fake, template="body.j2", source=source).send(notification_of(), None) == Sent()
        for asked in fake.asked:
            assert asked.headers["content-type"] == "application/json"
            assert "34.2% of 1,204 messages" in asked.json["text"]
            assert "The template body.j2 failed: line 1: the text is not JSON" in asked.json["error"]


async def test_a_template_that_fails_loses_nothing() -> None:
    async with webhook() as fake:
        text = to(fake, template="body.txt", source="\n{{ labels.nope }}", content_type="text/plain")
        assert await text.send(notification_of(), None) == Sent()
        assert (
            await to(fake, template="body.json.j2", source='{"a": "{{ labels.nope }}"}').send(notification_of(), None)
            == Sent()
        )
        assert b"34.2% of 1,204 messages" in fake.asked[0].body
        assert b"The template body.txt failed: line 2: there is no 'nope' here" in fake.asked[0].body
        body = json.loads(fake.asked[1].body)
        assert "34.2% of 1,204 messages" in body["text"]
        assert "line 1: there is no 'nope' here" in body["error"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_sent(status: int) -> None:
    async with webhook(Answer(status)) as fake:
        assert await to(fake).send(notification_of(), None) == Sent()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_these_are_tried_again(status: int) -> None:
    async with webhook(Answer(status, b"later", {"Retry-After": "7"})) as fake:
        outcome = await to(fake).send(notification_of(), None)
        assert outcome == Retry(f"{address(fake)} answered {status}: later", 7 * SECOND)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_these_a_person_has_to_look_at(status: int) -> None:
    async with webhook(Answer(status, b"no\nsuch\x1b[2J thing")) as fake:
        outcome = await to(fake).send(notification_of(), None)
        assert isinstance(outcome, Rejected)
        assert outcome.why.startswith(f"{address(fake)} answered {status}: no such[2J thing; ")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async with webhook(Answer(status, b"", {"Location": "/elsewhere"})) as fake:
        outcome = await to(fake).send(notification_of(), None)
        assert isinstance(outcome, Rejected)
        assert "put the final URL into the configuration" in outcome.why
        assert len(fake.asked) == 1


@pytest.mark.parametrize("fault", ["hang", "drip", "reset"])
async def test_connections_that_hang_or_break_are_tried_again_in_bounded_time(
    fault: str, autojump_clock: MockClock
) -> None:
    async with webhook(Answer(500, fault=fault)) as fake:  # type: ignore[arg-type]  # the parameter is one of the literals
        began = trio.current_time()
        assert isinstance(await to(fake, within=30).send(notification_of(), None), Retry)
        assert trio.current_time() - began <= 30


async def test_nobody_can_make_us_read_a_huge_answer() -> None:
    async with webhook(Answer(400, b"x" * 5_000_000)) as fake:
        outcome = await to(fake).send(notification_of(), None)
        assert isinstance(outcome, Rejected)
        assert len(outcome.why) < 400


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/secret-path", Retry),
        ("http://does-not-exist.invalid/secret-path", Retry),
        ("ftp://example.org/secret-path", Rejected),
        ("http://[::1/secret-path", Rejected),
        ("secret-path", Rejected),
        ("http://127.0.0.1:99999/secret-path", Retry),
    ],
)
async def test_what_cannot_be_reached_shows_nothing_of_the_url(url: str, kind: type[Outcome]) -> None:
    channel = WebhookNotifier(url, clock=SystemClock(), templates=Templates(), timeout=5.0)
    outcome = await channel.send(notification_of(), None)
    assert isinstance(outcome, kind)
    assert "secret-path" not in repr(outcome) + repr(channel) + await channel.check()


async def test_an_answer_that_repeats_the_url_is_not_shown_with_it() -> None:
    async with webhook(Answer(404, b"nothing at /hook/very-secret-path here")) as fake:
        assert "very-secret-path" not in repr(await to(fake).send(notification_of(), None))


async def test_a_content_type_that_is_no_header_is_rejected() -> None:
    async with webhook() as fake:
        assert isinstance(await to(fake, content_type="a\r\nb: c").send(notification_of(), None), Rejected)
        assert isinstance(await to(fake, content_type="schön").send(notification_of(), None), Rejected | Sent)


async def test_check_finds_what_can_be_seen_without_telling() -> None:
    async with webhook() as fake:
        assert await to(fake).check() == ""
        missing = WebhookNotifier(fake.url, clock=SystemClock(), templates=Templates(), template="nope.j2")
        assert "there is no template 'nope.j2'" in await missing.check()
        assert (
            "http://… or https://…"
            in await WebhookNotifier("example.org", clock=SystemClock(), templates=Templates()).check()
        )
        assert fake.asked == []


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("30", 30 * SECOND),
        ("0", 0),
        ("1.5", SECOND * 3 // 2),
        ("99999999", 86_400 * SECOND),
        ("Sat, 21 Nov 2026 17:08:04 GMT", MINUTE),
        ("Sat, 21 Nov 2026 17:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(header: str | None, asked: int | None) -> None:
    assert retry_after(header, NOW) == asked


def test_of_a_url_only_scheme_and_host_are_shown() -> None:
    assert origin("https://user:pw@example.org:8443/a/b?c=d#e") == "https://example.org:8443"
    assert origin("https://user:pw@example.org/a/b?c=d#e") == "https://example.org"
    assert origin("http://[2001:db8::1]:8080/a") == "http://[2001:db8::1]:8080"
    assert origin("http://:8080/a") == "http://"
    assert origin("http://example.org:secret/a") == "an unreadable URL"
    assert "secret" not in origin("http://[::1/secret")
    assert outcome_of("https://x", 302, None, "", NOW) == Rejected(
        "https://x answered 302; redirects are not followed: put the final URL into the configuration"
    )
