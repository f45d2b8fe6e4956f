"""Slack's side of Socket Mode: issues a websocket, sends envelopes over it, and records the acknowledgements."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from tests.fakes.slack import FakeSlack, slack
from tests.fakes.waiting import until

TICKET = "ticket-secret"


@dataclass
class FakeSocket:
    """Serves websockets. If ``hello``, it greets new connections. ``web`` is the Slack to which it belongs."""

    web: FakeSlack
    hello: bool = True
    connections: list[WebSocketConnection] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))

    @property
    def acknowledged(self) -> list[str]:
        return [each["envelope_id"] for each in self.received]

    async def serve(self, request: WebSocketRequest) -> None:
        connection = await request.accept()
        self.connections.append(connection)
        try:
            if self.hello:
                await connection.send_message(json.dumps({"type": "hello", "num_connections": 1}))
            while True:
                self.received.append(json.loads(await connection.get_message()))
        except ConnectionClosed:
            return

    async def connected(self, number: int = 1) -> None:
        """Waits until that many connections have been made in total."""
        await until(lambda: len(self.connections) >= number, f"connection {number}")

    async def send(self, message: object) -> None:
        """Sends a message over the newest connection."""
        await self.connections[-1].send_message(message if isinstance(message, str | bytes) else json.dumps(message))

    async def press(self, action: str = "acknowledge", value: Any = "0123456789abcdef", **more: Any) -> str:
        """Sends a button press by Ann; returns the envelope's id. ``more`` overrides fields of the payload."""
        number = next(self._numbers)
        payload = {
            "type": "block_actions",
            "user": {"id": "U1", "username": "ann", "name": "Ann"},
            "response_url": f"{self.web.url}/respond/{number}",
            "actions": [{"type": "button", "action_id": action, "value": value, "action_ts": f"1.{number}"}],
        }
        envelope = f"envelope-{number}"
        await self.send({"type": "interactive", "envelope_id": envelope, "payload": payload | more})
        return envelope


@asynccontextmanager
async def slack_socket() -> AsyncIterator[FakeSocket]:
    """Yields a running Slack with Socket Mode."""
    async with slack() as web, trio.open_nursery() as nursery:
        fake = FakeSocket(web)
        server = await nursery.start(partial(serve_websocket, fake.serve, "127.0.0.1", 0, None))
        web.socket_url = f"ws://127.0.0.1:{server.port}/link/?ticket={TICKET}"
        yield fake
        nursery.cancel_scope.cancel()
