"""Slack's answers are bounded, and no token of Slack's goes where a redirect leads."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.notify.channels.protocol import Retry, Sent
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.client import LARGEST_ANSWER, SlackClient
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.runtime.clock import SystemClock
from tests.fakes.alerts import notification_of, rate
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.slack import APP_TOKEN, TOKEN, slack

GIVE_BACK = b'{"ok": true, "channel": "C0SMSOPS", "ts": "1.2", "url": "ws://127.0.0.1:9/"}'


def notifier(api_url: str, timeout: float = 15.0) -> SlackNotifier:
    return SlackNotifier(
        TOKEN, "#sms-ops", clock=SystemClock(), api_url=api_url, paces=ChannelRateLimits(0.0), timeout=timeout
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_hands_the_token_to_nobody(status: int) -> None:
    asked: list[Asked] = []

    async def stranger(one: Asked) -> Answer:
        asked.append(one)
        return Answer(200, GIVE_BACK)

    async with serving(stranger) as elsewhere, slack() as fake:
        fake.script = [Answer(status, b"", {"Location": f"{elsewhere}/steal"})]
        outcome = await notifier(fake.api_url).send(notification_of(rate()), None)
        assert isinstance(outcome, Retry)
        assert f"Slack answered {status}" in outcome.why
    assert asked == []


async def test_a_redirect_of_the_sockets_address_hands_the_app_token_to_nobody() -> None:
    asked: list[Asked] = []

    async def stranger(one: Asked) -> Answer:
        asked.append(one)
        return Answer(200, GIVE_BACK)

    async with serving(stranger) as elsewhere, slack() as fake:
        fake.script = [Answer(200, b'{"ok": true}'), Answer(302, b"", {"Location": f"{elsewhere}/steal"})]
        checked = SlackNotifier(TOKEN, "#sms-ops", clock=SystemClock(), api_url=fake.api_url, app_token=APP_TOKEN)
        assert "302" in await checked.check()
    assert asked == []


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_without_an_end_is_not_read_to_its_end(status: int) -> None:
    async with slack() as fake:
        fake.script = [Answer(status, b"a" * (LARGEST_ANSWER + 1))]
        outcome = await notifier(fake.api_url).send(notification_of(rate()), None)
    assert isinstance(outcome, Retry)


async def test_the_largest_usual_answer_is_read() -> None:
    async with slack() as fake:
        filling = b" " * (LARGEST_ANSWER - len(GIVE_BACK))
        fake.script = [Answer(200, GIVE_BACK + filling)]
        assert isinstance(await notifier(fake.api_url).send(notification_of(rate()), None), Sent)


@contextmanager
def endless(first: bytes, then: bytes) -> Iterator[str]:
    """A server that sends ``first`` to whoever comes, and ``then`` for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(first)
                    while then:
                        connection.sendall(then)
                    connection.recv(1)
            except OSError:
                return  # the client went away

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api/"
        thread.join()


@pytest.mark.parametrize(
    ("first", "then"), [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 200 OK\r\n", b""), (b"", b"")]
)
def test_an_answer_that_never_ends_is_over_after_the_time_limit(first: bytes, then: bytes) -> None:
    with endless(first, then) as api_url:
        try:
            SlackClient(TOKEN, api_url=api_url, timeout=1).auth_test()
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = type(error).__name__
    assert said


def test_only_http_is_spoken() -> None:
    with pytest.raises(Exception, match="not an http:// or https:// URL"):
        SlackClient(TOKEN, api_url="file:///etc/", timeout=1).auth_test()
