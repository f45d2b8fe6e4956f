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
    """``hello``: whether a new connection is greeted. ``web`` is the Slack that it belongs to."""

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
        """Until that many connections have been made, all in all."""
        await until(lambda: len(self.connections) >= number, f"connection {number}")

    async def send(self, message: object) -> None:
        """Over the newest connection."""
        await self.connections[-1].send_message(message if isinstance(message, str | bytes) else json.dumps(message))

    async def press(self, action: str = "acknowledge", value: Any = "0123456789abcdef", **more: Any) -> str:
        """Ann presses a button; gives the envelope's id. ``more`` goes over the payload."""
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
    """A Slack with Socket Mode that is up inside the block."""
    async with slack() as web, trio.open_nursery() as nursery:
        fake = FakeSocket(web)
        server = await nursery.start(partial(serve_websocket, fake.serve, "127.0.0.1", 0, None))
        web.socket_url = f"ws://127.0.0.1:{server.port}/link/?ticket={TICKET}"
        yield fake
        nursery.cancel_scope.cancel()
