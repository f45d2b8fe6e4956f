"""Socket Mode against a Slack of our own: presses arrive once, are acknowledged at once and answered; the connection comes back."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection

from monitor.notify.channels.slack.interaction import Pressed, envelope_of, press_of
from monitor.notify.channels.slack.socket_mode import LARGEST, listen
from monitor.runtime.clock import TrioClock
from tests.fakes.slack import APP_TOKEN
from tests.fakes.slack_socket import TICKET, FakeSocket, slack_socket
from tests.fakes.waiting import until

FINGERPRINT = "0123456789abcdef"
ACKNOWLEDGED = Pressed("acknowledge", FINGERPRINT, "Ann", 0)
SILENCED = Pressed("silence", FINGERPRINT, "Ann", 3600)


class Desk:
    """Where presses arrive."""

    def __init__(self) -> None:
        self.pressed: list[Pressed] = []
        self.do: Callable[[Pressed], Awaitable[str]] = self._note

    async def __call__(self, pressed: Pressed) -> str:
        self.pressed.append(pressed)
        return await self.do(pressed)

    async def _note(self, pressed: Pressed) -> str:
        return f"{pressed.user} <did> {pressed.action}"


@asynccontextmanager
async def listening(token: str = APP_TOKEN, speed: float = 100.0) -> AsyncIterator[tuple[FakeSocket, Desk]]:
    """``speed``: so many times faster than the world are the pauses between attempts."""
    async with slack_socket() as fake, trio.open_nursery() as nursery:
        desk = Desk()
        nursery.start_soon(listen, token, fake.web.api_url, desk, TrioClock(0, speed))
        yield fake, desk
        nursery.cancel_scope.cancel()


async def test_a_press_is_acknowledged_done_and_answered_to_who_pressed() -> None:
    async with listening() as (fake, desk):
        await fake.connected()
        envelopes = [await fake.press("acknowledge"), await fake.press("silence")]
        await until(lambda: len(fake.web.answers) == 2, "the answers")
        assert sorted(desk.pressed, key=str) == [ACKNOWLEDGED, SILENCED]
        assert fake.acknowledged == envelopes
        said = [each for each in fake.web.answers if "acknowledge" in each["text"]]
        assert said == [
            {"response_type": "ephemeral", "replace_original": False, "text": "Ann &lt;did&gt; acknowledge"}
        ]


async def test_slack_is_not_kept_waiting_by_what_a_press_takes() -> None:
    async with listening() as (fake, desk):
        done = trio.Event()

        async def slowly(pressed: Pressed) -> str:
            await done.wait()
            return "done"

        desk.do = slowly
        await fake.connected()
        envelope = await fake.press()
        await until(lambda: fake.acknowledged == [envelope], "the acknowledgement")
        assert fake.web.answers == []
        done.set()
        await until(lambda: fake.web.answers, "the answer")


async def test_a_press_that_slack_tells_twice_is_done_once() -> None:
    async with listening() as (fake, desk):
        await fake.connected()
        actions = [{"action_id": "silence", "value": FINGERPRINT, "action_ts": "7.7"}]
        envelopes = [await fake.press(actions=actions), await fake.press(actions=actions)]
        await until(lambda: fake.acknowledged == envelopes, "both acknowledgements")
        await until(lambda: fake.web.answers, "the answer")
        assert desk.pressed == [SILENCED]


async def test_what_is_none_of_ours_is_acknowledged_and_left_alone() -> None:
    async with listening() as (fake, desk):
        await fake.connected()
        for message in (
            "no json",
            "[]",
            b"\xff\xfe",
            {"type": "events_api", "envelope_id": "e1", "payload": {"type": "message"}},
            {"type": "interactive", "envelope_id": "e2", "payload": {"type": "view_submission"}},
            {"type": "interactive", "envelope_id": "e3", "payload": None},
            {"type": "slash_commands", "envelope_id": 4},
        ):
            await fake.send(message)
        await fake.press("something_else")
        await fake.press(value="../../etc")
        await fake.press(value=None)
        last = await fake.press()
        await until(lambda: last in fake.acknowledged, "the last acknowledgement")
        await until(lambda: fake.web.answers, "the answer to the press")
        assert fake.acknowledged[:3] == ["e1", "e2", "e3"]
        assert len(fake.acknowledged) == 7
        assert desk.pressed == [ACKNOWLEDGED]
        assert len(fake.connections) == 1


async def test_a_press_that_fails_is_said_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (fake, desk):
        note = desk.do

        async def fail(pressed: Pressed) -> str:
            raise RuntimeError("the store is gone")

        desk.do = fail
        await fake.connected()
        await fake.press()
        await until(lambda: fake.web.answers, "the answer")
        assert fake.web.answers[0]["text"].startswith("That did not work")
        assert "pressed in Slack, failed" in caplog.text
        desk.do = note
        await fake.press()
        await until(lambda: len(fake.web.answers) == 2, "the second answer")


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_slack_gets_the_new_connection_that_it_asks_for(reason: str) -> None:
    async with listening(speed=1.0) as (fake, _desk):
        for number in (1, 2, 3):
            await fake.connected(number)
            await fake.send({"type": "disconnect", "reason": reason})
        await fake.connected(4)
        await fake.press()
        await until(lambda: fake.web.answers, "the answer to the press over the fourth connection")


async def test_a_lost_connection_is_made_again() -> None:
    async with listening() as (fake, _desk):
        await fake.connected()
        await fake.connections[-1].aclose(1011)
        await fake.connected(2)
        await fake.press()
        await until(lambda: fake.web.answers, "the answer to the press")


async def test_a_message_too_large_ends_the_connection_and_not_the_listening() -> None:
    async with listening() as (fake, _desk):
        await fake.connected()
        with trio.move_on_after(5):
            await fake.send("x" * (LARGEST + 10))
        await fake.connected(2)
        assert fake.connections[0].closed
        await fake.press()
        await until(lambda: fake.web.answers, "the answer to the press")


async def test_a_slack_without_a_socket_is_asked_again_with_growing_pauses_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening() as (fake, _desk):
        await fake.connected()
        fake.web.refused["apps.connections.open"] = "missing_scope"
        await fake.connections[-1].aclose()
        await until(lambda: caplog.text.count("not connected") >= 4, "several attempts")
        assert "connections:write" in caplog.text
        del fake.web.refused["apps.connections.open"]
        await fake.connected(2)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda fake: setattr(fake.web, "socket_url", "file:///etc/passwd"), "no address of a websocket"),
        (lambda fake: setattr(fake.web, "socket_url", "ws://127.0.0.1:1/?ticket=" + TICKET), "could not be used"),
        (lambda fake: fake.web.refused.update({"apps.connections.open": "invalid_auth"}), "app-level token (xapp-"),
        (lambda fake: fake.web.refused.update({"apps.connections.open": "internal_error"}), "internal_error"),
        (lambda fake: setattr(fake, "hello", False), ""),
    ],
)
async def test_no_secret_is_ever_logged(
    prepare: Callable[[FakeSocket], object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("trio-websocket").setLevel(logging.WARNING)  # as monitor.runtime.log does
    async with slack_socket() as fake, trio.open_nursery() as nursery:
        prepare(fake)
        nursery.start_soon(listen, APP_TOKEN, fake.web.api_url, Desk(), TrioClock(0, 100))
        await until(lambda: said in caplog.text and fake.web.calls, "the log")
        nursery.cancel_scope.cancel()
    assert APP_TOKEN not in caplog.text
    assert TICKET not in caplog.text


async def test_socket_mode_switched_off_says_where_to_switch_it_on(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (fake, _desk):
        await fake.connected()
        await fake.send({"type": "disconnect", "reason": "link_disabled"})
        await fake.connected(2)
        assert "switch it on under Socket Mode" in caplog.text


async def test_a_slack_that_sends_everybody_away_is_not_hammered(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(speed=0.001) as (fake, _desk):
        fake.hello = False
        await fake.connected()
        await fake.connections[-1].send_message('{"type": "disconnect", "reason": "warning"}')
        await until(lambda: "not connected, tried again after" in caplog.text, "the pause")
        assert len(fake.connections) == 1


async def test_answers_go_to_slack_only() -> None:
    async with listening() as (fake, desk):
        await fake.connected()
        for url in ("https://evil.example/respond/1", "http://127.0.0.1.evil.example/", "https://[", "file:///x", 7):
            await fake.press(response_url=url, user={"id": str(url)})
        await fake.press()
        await until(lambda: len(fake.web.answers) == 1, "the only answer")
        assert len(desk.pressed) == 6


async def test_it_ends_when_it_is_told_to() -> None:
    async with slack_socket() as fake, trio.open_nursery() as nursery:
        nursery.start_soon(listen, APP_TOKEN, fake.web.api_url, Desk(), TrioClock(0))
        await fake.connected()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"what?\r\n\r\n"])
async def test_what_is_no_websocket_is_given_up_and_tried_again(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(answer)
        await stream.aclose()

    async with slack_socket() as fake, trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        fake.web.socket_url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        nursery.start_soon(listen, APP_TOKEN, fake.web.api_url, Desk(), TrioClock(0, 100))
        await until(lambda: caplog.text.count("not connected") >= 2, "two attempts")
        nursery.cancel_scope.cancel()


async def test_a_slack_that_says_goodbye_and_stays_on_the_line_is_left() -> None:
    came = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal came
        came += 1
        server = WSConnection(ConnectionType.SERVER)
        server.receive_data(await stream.receive_some(4096))
        assert list(server.events())
        await stream.send_all(server.send(AcceptConnection()))
        await stream.send_all(server.send(CloseConnection(1000)))
        await trio.sleep_forever()

    async with slack_socket() as fake, trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        fake.web.socket_url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        nursery.start_soon(listen, APP_TOKEN, fake.web.api_url, Desk(), TrioClock(0, 100))
        await until(lambda: came >= 2, "the next connection")
        nursery.cancel_scope.cancel()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["type", "payload", "actions", "user", "action_id", "value", "id", "name", "response_url"])
nearly = st.recursive(
    values | st.sampled_from(["interactive", "block_actions", "acknowledge", "silence", "abc123"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(keys, nearly, max_size=4))
def test_whatever_slack_sends_is_a_press_of_ours_or_nothing(envelope: dict[str, Any]) -> None:
    press = press_of(envelope)
    assert press is None or press.pressed.action in ("acknowledge", "silence")


@given(st.text() | st.binary())
def test_whatever_comes_over_the_wire_is_an_envelope_or_empty(message: str | bytes) -> None:
    assert isinstance(envelope_of(message), dict)
