"""Every answer of the listener is counted by its status, whoever gives it."""

import pytest
import trio
from plain_client import ask, exchange, parse, served

from monitor.daemon.health import Health
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.connections import BUSY, OpenConnections
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import SystemClock
from tests.daemon.test_metrics import samples
from tests.fakes.alert_actions import FakeAlertActions

TOKEN = "a-web-token-of-many-letters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def post(path: str, body: bytes, *more: str, length: int | None = None) -> bytes:
    size = f"Content-Length: {len(body) if length is None else length}"
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", size, "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


SILENCES = "/api/v2/silences"
JSON, TOKEN_SHOWN = "Content-Type: application/json", f"Authorization: Bearer {TOKEN}"
REFUSED = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "a head that can be understood in two ways": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "an endless head": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "no token": (post(SILENCES, b"{}", JSON), 401),
    "a wrong token": (post(SILENCES, b"{}", JSON, "Authorization: Bearer guess"), 401),
    "no JSON": (post(SILENCES, b"{", JSON, TOKEN_SHOWN), 400),
    "another kind of body": (post(SILENCES, b"a=b", TOKEN_SHOWN), 415),
    "too large": (post(SILENCES, b"", JSON, TOKEN_SHOWN, length=1024 * 1024 + 1), 413),
    "no such page": (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    "another method": (post("/metrics", b""), 405),
    "another name": (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_is_refused_is_counted(kind):
    metrics, clock = Metrics(SystemClock()), SystemClock()
    request, status = REFUSED[kind]
    api = AlertmanagerApi(FakeAlertActions([]), ApiStatus("1", (), "", since=clock.now()), clock, TOKEN, list)
    app = make_app(Health(), metrics, token=TOKEN, apis=api.routes())
    async with served(app, answered=metrics.answered) as url:
        assert parse(await exchange(url, request)).status == status
        assert (await ask(url, "/healthz")).status == 200
    assert samples(metrics, "http_answers_total") == {("200",): 1, (str(status),): 1}


def waiting_for_its_turn(counted):
    """One connection that may be open, whose request waits for its turn, and the client's end of it."""
    ours, client = trio.socket.socketpair()
    connections = OpenConnections(1, counted.append)
    connection = connections.admit(trio.SocketStream(ours))
    connection.asks()
    return connections, connection, trio.SocketStream(client)


async def test_who_is_told_to_come_back_is_counted_once():
    counted = []
    connections, connection, client = waiting_for_its_turn(counted)
    async with client:
        assert connections.make_room()
        connections.end(connection)  # as its task does once it is cancelled
        assert b"".join([piece async for piece in client]) == BUSY
    assert counted == [503]


async def test_who_has_gone_is_not_counted_as_told():
    counted = []
    connections, connection, client = waiting_for_its_turn(counted)
    await client.aclose()
    assert connections.make_room()
    connections.end(connection)
    assert counted == []
