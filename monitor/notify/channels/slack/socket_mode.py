"""Socket Mode: Slack reports pressed buttons over a websocket that we open, so that our host need not be reachable.

`listen` keeps one connection until it is stopped: Slack ends each after a few hours and asks for the next. Every envelope is acknowledged before
it is handled, because Slack waits three seconds. The address of a connection, which includes its ticket, is secret.
"""

import http.client
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import trio
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.notify.channels import http as rim
from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Sent, unreachable
from monitor.notify.channels.slack.client import SlackClient
from monitor.notify.channels.slack.errors import socket_reason
from monitor.notify.channels.slack.interaction import ButtonPress, Pressed, envelope_of, press_of
from monitor.notify.channels.slack.websocket import ConnectionClosed, WebSocketConnection, WebsocketUnusable, converse
from monitor.notify.render.escape import slack as escaped
from monitor.notify.render.escape import to_json
from monitor.notify.render.sanitize import clean, clean_lines
from monitor.runtime.backoff import backoff, equal_jitter
from monitor.runtime.certificates import trust
from monitor.runtime.clock import SECOND, Clock, format_duration
from monitor.runtime.proxies import proxies

__all__ = ["Handle", "Pressed", "listen"]

Handle = Callable[[Pressed], Awaitable[str]]
"""Handles a press, and returns the sentence to show to the person who pressed."""

LARGEST: Final = 512 * 1024
"""The largest message in bytes. Slack's contain the message whose button was pressed, about 20 kB."""
PING_INTERVAL: Final = 30 * SECOND
"""How often the connection is pinged."""

_PATIENCE: Final = 10.0
_ACKNOWLEDGED_WITHIN: Final = 3.0
_HANDLED_WITHIN: Final = 30.0
_MOST_AT_ONCE: Final = 16
_REMEMBERED: Final = 256
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_FAILED: Final = "That did not work; the log of routee-monitor says why."
_BUSY: Final = "Too many buttons are pressed at once; try again in a moment."
_OFF: Final = "Socket Mode is switched off for the app: switch it on under Socket Mode in its settings"

log = logging.getLogger(__name__)


class _Unreachable(Exception):
    """No connection could be opened, or it was lost; the text says why."""


async def listen(app_token: str, api_url: str, handle: Handle, clock: Clock) -> None:
    """Passes each press to ``handle`` and shows its answer to the person who pressed, until cancelled. Run one of these for each app.

    Failures outside of the program are logged and tried again after 1 s, 2 s, 4 s … 5 min; exceptions of ``handle`` are logged too.
    """
    async with trio.open_nursery() as nursery:
        listener = _SocketModeApp(app_token, api_url, handle, clock, nursery)
        failures = 0
        while True:
            listener.connected = False
            try:
                await listener.session()
                continue  # Slack asked for a new connection
            except _Unreachable as why:
                failures = 1 if listener.connected else failures + 1
                wait = backoff(failures, equal_jitter)
                log.warning(
                    "Slack's Socket Mode is not connected, tried again after %s: %s", format_duration(wait), why
                )
            await clock.sleep(wait)


class _SocketModeApp:
    """The state that all connections of one app share. Presses are handled in ``nursery``, which outlives each connection."""

    def __init__(self, app_token: str, api_url: str, handle: Handle, clock: Clock, nursery: trio.Nursery) -> None:
        self._client = SlackClient(
            api_url=api_url, timeout=round(_PATIENCE), trusted=trust(), proxy=proxies().of(api_url)
        )
        self._app_token = app_token
        self._api_url = api_url
        self._handle = handle
        self._clock = clock
        self._nursery = nursery
        self._under_way = 0
        self._seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self.connected = False

    async def session(self) -> None:
        """Runs one connection until Slack asks for a new one. Raises _Unreachable for every other end."""
        url = await self._address()
        try:
            end = await converse(url, _PATIENCE, LARGEST, self._run_connection)
        except WebsocketUnusable as error:
            raise _Unreachable(str(error)) from None
        if end:
            raise _Unreachable(end)

    async def _address(self) -> str:
        try:
            with trio.fail_after(_PATIENCE):
                answer = await trio.to_thread.run_sync(
                    lambda: self._client.apps_connections_open(app_token=self._app_token), abandon_on_cancel=True
                )
        except trio.TooSlowError:
            raise _Unreachable(f"Slack gave no answer within {_PATIENCE:g} s") from None
        except SlackApiError as error:
            raise _Unreachable(socket_reason(error)) from None
        except (OSError, http.client.HTTPException, SlackClientError, ValueError) as error:
            raise _Unreachable(unreachable("Slack", error).why) from None
        url = str(answer.get("url") or "")
        # A connection without TLS is only allowed if the API has none either, as in tests.
        if not url.startswith(("wss://",) if self._api_url.startswith("https://") else ("wss://", "ws://")):
            raise _Unreachable("Slack gave no address of a websocket that could be trusted")
        return url

    async def _run_connection(self, connection: WebSocketConnection) -> str:
        """Reads until the connection ends; returns why it ended, empty if Slack asks for a new one."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ping_regularly, connection, name="socket mode heartbeat")
            end = await self._read(connection)
            nursery.cancel_scope.cancel()
        return end

    async def _ping_regularly(self, connection: WebSocketConnection) -> None:
        """Pings the connection, and closes it if it no longer answers, which ends the reading."""
        while True:
            await self._clock.sleep(PING_INTERVAL)
            try:
                with trio.fail_after(_PATIENCE):
                    await connection.ping()
            except (ConnectionClosed, trio.TooSlowError):
                with trio.move_on_after(1.0):
                    await connection.aclose()
                return

    async def _read(self, connection: WebSocketConnection) -> str:
        try:
            while True:
                envelope = envelope_of(await connection.get_message())
                if envelope.get("type") == "hello" and not self.connected:
                    self.connected = True
                    log.info("Slack's Socket Mode is connected")
                if envelope.get("type") == "disconnect":
                    return self._on_disconnect(envelope)
                await self._acknowledge(connection, envelope)
                press = press_of(envelope)
                if press is not None:
                    self._begin(press)
        except ConnectionClosed as closed:
            return f"the connection was closed ({closed.reason.code if closed.reason else 'broken'})"
        except trio.TooSlowError:
            return "the connection took no acknowledgement"

    def _on_disconnect(self, envelope: Mapping[str, Any]) -> str:
        if envelope.get("reason") == "link_disabled":
            return _OFF
        # Slack could end each connection before its hello; reconnecting at once would then loop without a pause.
        return "" if self.connected else "Slack ended the connection at once"

    async def _acknowledge(self, connection: WebSocketConnection, envelope: Mapping[str, Any]) -> None:
        """Acknowledges any envelope; Slack sends those again that are not acknowledged."""
        envelope_id = envelope.get("envelope_id")
        if isinstance(envelope_id, str):
            with trio.fail_after(_ACKNOWLEDGED_WITHIN):
                await connection.send_message(to_json({"envelope_id": envelope_id}))

    def _begin(self, press: ButtonPress) -> None:
        if press.identity in self._seen:
            return
        self._seen[press.identity] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        if self._under_way >= 2 * _MOST_AT_ONCE:
            log.warning("A button press in Slack was dropped: %d others are in progress", self._under_way)
            return
        self._under_way += 1
        self._nursery.start_soon(self._deal_with, press, name="a press in Slack")

    async def _deal_with(self, press: ButtonPress) -> None:
        try:
            await self._answer(press, await self._done(press.pressed))
        finally:
            self._under_way -= 1

    async def _done(self, pressed: Pressed) -> str:
        if self._under_way > _MOST_AT_ONCE:
            return _BUSY
        log.info("%s pressed %s in Slack for the alert %s", pressed.user, pressed.action, pressed.fingerprint)
        try:
            with trio.fail_after(_HANDLED_WITHIN):
                return await self._handle(pressed)
        except trio.TooSlowError:
            log.error("%s of %s took longer than %g s", pressed.action, pressed.fingerprint, _HANDLED_WITHIN)
        # A press that fails must not stop the listening; the person who pressed gets a message.
        except Exception:
            log.exception("%s of %s, pressed in Slack, failed", pressed.action, pressed.fingerprint)
        return _FAILED

    async def _answer(self, press: ButtonPress, said: str) -> None:
        """Shows an answer to the person who pressed, and to nobody else."""
        if not said or not self._is_slacks(press.response_url):
            return
        text = escaped(clean_lines(said, 1000))
        body = to_json({"response_type": "ephemeral", "replace_original": False, "text": text}).encode(errors="replace")
        outcome = await rim.post(press.response_url, body, _JSON, _PATIENCE, self._clock.now())
        if not isinstance(outcome, Sent):
            log.warning("The answer to a button press in Slack could not be sent: %s", clean(outcome.why, 300))

    def _is_slacks(self, url: str) -> bool:
        """Returns whether a URL belongs to Slack; answers go nowhere else, whatever an envelope names."""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        slacks = url.startswith("https://") and host.endswith((".slack.com", ".slack-gov.com"))
        return slacks or origin(url) == origin(self._api_url)
