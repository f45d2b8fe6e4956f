"""Apprise itself, told to post JSON to a server of our own: what arrives, what each failure means, what is never said."""

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from monitor.daemon.validate import load
from monitor.notify.channels import ChannelContext, make_notifier
from monitor.notify.channels.protocol import Rejected, Retry, Sent
from monitor.notify.render import Templates
from monitor.runtime.clock import SystemClock
from monitor.runtime.errors import InputError
from tests.fakes.alerts import notification_of, over, rate
from tests.fakes.http import Answer
from tests.fakes.waiting import GUARD, until
from tests.fakes.webhook import FakeWebhook, webhook

pytest.importorskip("apprise", reason="the extra apprise is not installed")
from monitor.config.monitor import Apprise
from monitor.notify.channels.apprise.notifier import AppriseNotifier
from monitor.notify.channels.apprise.service import content

# Apprise imports a module of the standard library that Python 3.13 has not any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

ACCOUNT = "accounts: [{name: main, application_id: a-test-id, application_secret: a-test-secret}]\n"


def to(fake: FakeWebhook, within: float = 10.0) -> AppriseNotifier:
    return AppriseNotifier(fake.url.replace("http://", "json://user:p4ssword@"), timeout=within)


async def test_the_service_gets_title_body_and_how_bad_it_is() -> None:
    async with webhook() as fake:
        channel = to(fake)
        told = (
            notification_of(),
            notification_of(rate(severity="warning")),
            notification_of(over(rate()), status="resolved", reason="all resolved"),
        )
        assert [await channel.send(each, None) for each in told] == [Sent(), Sent(), Sent()]
        got = [asked.json for asked in fake.asked]
        assert [each["type"] for each in got] == ["failure", "warning", "success"]
        assert got[0]["title"].startswith(
            "CRITICAL firing: OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR)"
        )
        assert "92% Carrier Violation" in got[0]["message"]
        assert got[2]["title"].startswith("CRITICAL resolved: OperatorFailureRate after")


@pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(fault="reset")])
async def test_what_it_does_not_take_is_tried_again(answer: Answer) -> None:
    async with webhook(answer) as fake:
        channel = to(fake)
        outcome = await channel.send(notification_of(), None)
        assert outcome == Retry("json:// did not take it; `apprise -vv ADDRESS -b test` tells why")
        assert await channel.send(notification_of(), None) == Sent()


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with webhook() as elsewhere, webhook(Answer(status, b"", {"Location": elsewhere.url})) as fake:
        assert isinstance(await to(fake).send(notification_of(), None), Retry)
        assert elsewhere.asked == []


async def test_one_that_hangs_is_left_in_time() -> None:
    async with webhook(Answer(fault="hang")) as fake:
        outcome = await to(fake, within=0.3).send(notification_of(), None)
        assert isinstance(outcome, Retry)
        assert "0.3 s" in outcome.why, "our own patience, not that of Apprise"


async def test_interim_answers_without_end_are_no_answer() -> None:
    async def send_without_end(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, send_without_end, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        outcome = await AppriseNotifier(f"json://127.0.0.1:{port}/", timeout=GUARD).send(notification_of(), None)
        assert outcome == Retry("json:// did not take it; `apprise -vv ADDRESS -b test` tells why")
        nursery.cancel_scope.cancel()


async def test_one_that_hangs_holds_up_no_other() -> None:
    outcomes = []
    async with webhook(Answer(fault="hang")) as hanging, webhook() as fake, trio.open_nursery() as nursery:

        async def hang() -> None:
            outcomes.append(await to(hanging, within=GUARD).send(notification_of(), None))

        nursery.start_soon(hang)
        await until(lambda: hanging.asked, "the request that hangs")
        assert await to(fake).send(notification_of(), None) == Sent()
        assert outcomes == []
        nursery.cancel_scope.cancel()


async def test_nothing_is_said_of_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "apprise")
    async with webhook(Answer(404, b"p4ssword very-secret-path")) as fake:
        channel = to(fake)
        said = repr(await channel.send(notification_of(), None)) + repr(channel) + await channel.check()
        assert "p4ssword" not in said
        assert "very-secret" not in said
    assert "p4ssword" not in caplog.text
    assert "very-secret" not in caplog.text
    assert not logging.getLogger("apprise").isEnabledFor(logging.CRITICAL)


async def test_an_address_that_it_does_not_know_is_rejected_and_found_by_a_check() -> None:
    channel = AppriseNotifier("nothing-of-that-kind://p4ssword@host")
    assert "is not an address that Apprise can use" in await channel.check()
    outcome = await channel.send(notification_of(), None)
    assert isinstance(outcome, Rejected)
    assert "p4ssword" not in outcome.why


def test_a_configuration_is_checked_with_apprise(tmp_path: Path) -> None:
    file = tmp_path / "monitor.yaml"
    (tmp_path / "address").write_text("json://localhost/p4ssword\n")
    good = ACCOUNT + "receivers: [{name: ops, apprise: [{url_file: address}]}]\n"
    file.write_text(good)
    config = load(file, {}).settings.config
    ((channel, entry),) = config.receivers[0].channels
    assert channel == "apprise/0"
    assert isinstance(entry, Apprise)
    assert "p4ssword" not in repr(config)
    channel_context = ChannelContext(SystemClock(), Templates(), None)  # type: ignore[arg-type]  # no console here
    assert repr(make_notifier("apprise", entry, channel_context)) == "AppriseNotifier(json://)"
    (tmp_path / "address").write_text("jsonn://localhost/p4ssword\n")
    with pytest.raises(InputError) as caught:
        load(file, {})
    assert "receivers[0].apprise[0].url_file: is not an address that Apprise can use" in str(caught.value)
    assert "p4ssword" not in str(caught.value)


def test_long_alerts_are_cut_to_what_a_service_takes() -> None:
    made = content(notification_of(*[rate(annotations={"summary": "x" * 1900}, fingerprint=str(n)) for n in range(20)]))
    assert len(made["title"]) <= 250
    assert len(made["body"]) == 16_000
