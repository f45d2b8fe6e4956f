"""Every answer of the listener tells browsers to be careful, whoever gives it."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from plain_client import connect, exchange, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.config.monitor import Web
from monitor.daemon.http.connections import BUSY
from monitor.daemon.http.guards import Limits
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.http.security_headers import SECURITY_HEADERS
from monitor.runtime.server_certificate import ServerCertificate
from tests.fakes.certificates import write_certificate
from tests.fakes.daemon_reading import AT_ONCE, Reading
from tests.fakes.waiting import guarded

SECRET = "callback-secret-of-the-test"
TOKEN = "the-token-of-the-listener"
HEAD = b"Host: localhost\r\nConnection: close\r\n"
ASKED = (("GET", "text/html"), ("GET", "application/json"), ("HEAD", "text/html"), ("POST", "*/*"), ("DELETE", "*/*"))
JSON = HEAD + b"Content-Type: application/json\r\n"


def is_careful(answer: bytes) -> bool:
    """Returns whether the answer has each of the headers, exactly once."""
    names = [line.partition(":")[0].lower() for line in answer.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]]
    return bool(answer) and [names.count(name) for name in SECURITY_HEADERS] == [1] * len(SECURITY_HEADERS)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def app_of(reading: Reading, **web: object) -> ReloadableApp:
    pipeline = reading.harness.pipeline
    return ReloadableApp(
        Web.model_validate(web), reading.harness.settings.config, pipeline, reading.harness.front, reading.reader
    )


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    secrets = f"application_secret: secret, callback_secret: {SECRET}"
    config = AT_ONCE.replace("application_secret: secret", secrets).replace("web: off\n", "")
    made = Reading(tmp_path / "monitor.db", config=config)
    yield made
    made.harness.store.close()


async def begun(url: str, request: bytes) -> bytes:
    """Returns the head of the answer, also of one that has no end."""
    received = b""
    async with await connect(url) as stream:
        await stream.send_all(request)
        while b"\r\n\r\n" not in received and (piece := await stream.receive_some()):
            received += piece
    return received


@pytest.mark.parametrize("web", [{}, {"token": TOKEN, "protect_reads": True}], ids=["open", "protected"])
async def test_each_route_with_each_method_for_people_and_for_programs(
    reading: Reading, web: dict[str, object]
) -> None:
    await reading.fail()
    app = app_of(reading, **web)
    paths = {re.sub(r"{\w+(:\w+)?}", "x", route.path) for route in app._app.routes}
    asked = product(sorted(paths | {"/nowhere", "/%ff", "//", "/a%00b"}), ASKED)
    seen = set()
    with guarded():
        async with served(app) as url:
            for path, (method, accept) in asked:
                head = f"{method} {path} HTTP/1.1\r\nAccept: {accept}\r\nContent-Length: 0\r\n".encode() + HEAD
                answer = await begun(url, head + b"\r\n")
                assert is_careful(answer), (method, path, answer)
                seen.add(status_of(answer))
    assert {401, 303} <= seen if web else {200, 403, 404, 405, 415} <= seen


async def test_what_is_refused_before_or_beside_the_application(reading: Reading) -> None:
    app, limits = app_of(reading), Limits(body=1000, body_seconds=0.05)
    callback = b"POST /callbacks/routee/%s HTTP/1.1\r\n"
    asked = {
        b"GET /healthz HTTP/1.1\r\nContent-Length: 2\r\n" + HEAD: 200,
        b"GET / HTTP/1.1\r\nHost: elsewhere.example.org\r\nContent-Length: 2\r\nConnection: close\r\n": 403,
        b"POST /api/v2/silences HTTP/1.1\r\nContent-Length: 2000\r\n" + JSON: 413,
        b"POST /api/v2/silences HTTP/1.1\r\nContent-Length: 900\r\n" + JSON: 408,
        b"nonsense\r\n": 400,
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n" + HEAD: 400,
        b"GET / HTTP/1.1\r\nConnection: close\r\n": 400,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n" + HEAD: 431,
        callback % b"main?secret=wrong" + b"Content-Length: 2\r\n" + HEAD: 401,
        callback % b"nobody" + b"Content-Length: 2\r\n" + HEAD: 404,
        callback % f"main?secret={SECRET}".encode() + b"Content-Length: 2\r\n" + HEAD: 400,
    }
    with guarded():
        async with served(app, limits=limits, callbacks=lambda: app.callbacks) as url:
            answers = {
                request: await exchange(url, request + b"\r\n" + b"{]" * (b"Content-Length: 2\r\n" in request))
                for request in asked
            }
    assert {request: status_of(answer) for request, answer in answers.items()} == asked
    assert [request for request, answer in answers.items() if not is_careful(answer)] == []


async def test_a_failure_inside_a_page() -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("inner detail")

    async with served(Starlette(routes=[Route("/", broken)])) as url:
        answer = await exchange(url, b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert (status_of(answer), is_careful(answer)) == (500, True)


async def test_plain_http_where_https_is_spoken_and_a_listener_that_is_full(reading: Reading, tmp_path: Path) -> None:
    certificate = ServerCertificate.load(*write_certificate(tmp_path))
    async with served(app_of(reading), tls=lambda: certificate.context) as url:
        plain = await exchange(url.replace("https", "http"), b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert (status_of(plain), is_careful(plain)) == (400, True)
    assert is_careful(BUSY)
