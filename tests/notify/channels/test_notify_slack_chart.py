"""The picture in the thread: beside the alert, never before it, and never at its cost."""

import pytest
import trio

from monitor.notify.channels.protocol import Sent
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.chart_upload import worth_showing
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.notify.render.chart import NoPictures
from monitor.runtime.clock import SystemClock
from tests.fakes.alerts import change, notification_of, over, rate, spike
from tests.fakes.slack import TOKEN, FakeSlack, slack
from tests.fakes.waiting import until

OVER = notification_of(over(rate()), key="key-3", reason="all resolved", status="resolved")


def notifier(fake: FakeSlack) -> SlackNotifier:
    return SlackNotifier(
        TOKEN, "#sms-ops", clock=SystemClock(), api_url=fake.api_url, paces=ChannelRateLimits(0.0), chart=True
    )


async def test_a_picture_goes_into_the_thread_when_it_begins_and_when_it_is_over() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(notification_of(), None)
        assert isinstance(first, Sent)
        await until(lambda: len(fake.shared) == 1, "the first picture")
        assert await channel.send(OVER, first.receipt) == first
        await until(lambda: len(fake.shared) == 2, "the second picture")
        where = first.receipt["channel"], first.receipt["ts"]
        assert [(shared["channel"], shared["thread_ts"]) for shared in fake.shared] == [where, where]
        assert {shared["title"] for shared in fake.shared} == {"OperatorFailureRate"}
        assert all(picture.startswith(b"\x89PNG") for picture in fake.uploads.values())


def test_only_what_a_picture_says_more_about_gets_one() -> None:
    assert worth_showing(notification_of(spike(), rate())) == rate()
    assert worth_showing(notification_of(reason="new alerts")) is None
    assert worth_showing(notification_of(reason="eased")) is None
    assert worth_showing(notification_of(change(rate(), history=()))) is None


async def test_a_test_waits_for_its_picture_because_its_command_ends() -> None:
    async with slack() as fake:
        assert isinstance(await notifier(fake).send(notification_of(reason="test"), None), Sent)
        assert len(fake.shared) == 1


async def test_a_missing_scope_costs_the_picture_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with slack() as fake:
        fake.scopes = "chat:write"
        channel = notifier(fake)
        for number in range(3):
            sent = await channel.send(notification_of(key=f"key-{number}", episode=f"e{number}", reason="test"), None)
            assert isinstance(sent, Sent)
        assert len(fake.main) == 3
        assert caplog.text.count("without its chart") == 1
        assert "missing_scope (needs files:write); add the scope" in caplog.text
        fake.scopes = "chat:write,files:write"
        await channel.send(notification_of(key="key-4", reason="test"), None)
        fake.scopes = "chat:write"
        await channel.send(notification_of(key="key-5", reason="test"), None)
        assert caplog.text.count("without its chart") == 2, "it is news again"


async def test_without_pillow_alerts_go_out_without_pictures(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object) -> bytes:
        raise NoPictures("Pillow is not installed")

    monkeypatch.setattr("monitor.notify.channels.slack.chart_upload.png", missing)
    async with slack() as fake:
        assert isinstance(await notifier(fake).send(notification_of(reason="test"), None), Sent)
        assert "Pillow is not installed" in caplog.text
        assert "files.getUploadURLExternal" not in fake.methods()


async def test_a_picture_that_cannot_be_drawn_is_not_the_alerts_loss(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("monitor.notify.channels.slack.chart_upload.png", broken)
    async with slack() as fake:
        assert isinstance(await notifier(fake).send(notification_of(reason="test"), None), Sent)
        assert "could not be drawn (ZeroDivisionError)" in caplog.text


async def test_an_upload_that_hangs_delays_no_alert() -> None:
    """A storm of pictures that never get through: every message is out at once, and only a few pictures wait."""
    async with slack() as fake:
        channel = notifier(fake)
        fake.hanging = trio.Event()
        for number in range(8):
            sent = await channel.send(notification_of(key=f"key-{number}", episode=f"e{number}"), None)
            assert isinstance(sent, Sent)
        assert len(fake.main) == 8
        assert fake.methods().count("files.getUploadURLExternal") <= 1
        fake.hanging.set()
        await until(lambda: len(fake.shared) == 4, "those that waited")


async def test_check_asks_for_the_scope_and_for_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    async with slack() as fake:
        assert await notifier(fake).check() == ""
        fake.scopes = "chat:write"
        assert "lacks the scope files:write" in await notifier(fake).check()
        fake.scopes = "chat:write,files:write"
        monkeypatch.setattr("monitor.notify.channels.slack.chart_upload.problem", lambda: "Pillow is not installed")
        assert await notifier(fake).check() == "Pillow is not installed"
