"""The listener speaks TLS."""

import ssl
from functools import partial

import pytest
import trio
from plain_client import Reply, ask, connect, exchange, parse, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from monitor.cli.listener_request import NothingHeard
from monitor.cli.listener_request import ask as ask_daemon
from monitor.daemon.http.guards import Limits
from monitor.runtime.server_certificate import ServerCertificate
from tests.fakes.certificates import write_certificate
from tests.fakes.waiting import guarded

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def about(request: Request) -> Response:
    return JSONResponse([request.url.scheme, len(await request.body())])


async def huge(_: Request) -> Response:
    return PlainTextResponse(b"x" * 5_000_000)


APP = Starlette(routes=[Route("/", about, methods=["GET", "POST"]), Route("/healthz", about), Route("/huge", huge)])


@pytest.fixture
def certificate(tmp_path) -> ServerCertificate:
    return ServerCertificate.load(*write_certificate(tmp_path))


def speaking(certificate: ServerCertificate, **options):
    return served(APP, tls=lambda: certificate.context, **options)


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def secure(url: str, context: ssl.SSLContext | None = None) -> trio.SSLStream[trio.SocketStream]:
    plain = await connect(url)
    stream = trio.SSLStream(plain, context or trusting(), server_hostname="localhost", https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError:
        await plain.aclose()
        raise
    return stream


async def answer_on(stream: trio.SSLStream[trio.SocketStream]) -> Reply:
    """Returns the next answer; its head and its body come in pieces."""
    received = b""
    while not received.endswith(b"]"):
        received += await stream.receive_some()
    return parse(received)


async def ask_securely(url: str, request: bytes, context: ssl.SSLContext | None = None) -> Reply:
    async with await secure(url, context) as stream:
        await stream.send_all(request)
        return parse(b"".join([bytes(piece) async for piece in stream]))


async def test_requests_and_probes_are_answered_over_tls(certificate):
    async with speaking(certificate) as url:
        assert url.startswith("https://127.0.0.1:")
        page = await ask_securely(url, GET % b"/")
        probe = await ask_securely(url, GET % b"/healthz")
        posted = await ask_securely(url, (GET % b"/").replace(b"GET", b"POST")[:-2] + b"Content-Length: 3\r\n\r\nabc")
    assert (page.json, probe.json, posted.json) == (["https", 0], ["https", 0], ["https", 3])


async def test_a_long_answer_comes_whole(certificate):
    async with speaking(certificate) as url:
        reply = await ask_securely(url, GET % b"/huge")
    assert len(reply.body) == 5_000_000


async def test_a_connection_takes_several_requests(certificate):
    async with speaking(certificate) as url, await secure(url) as stream:
        for _ in range(3):
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await answer_on(stream)).status == 200


async def test_old_versions_of_tls_are_refused(certificate):
    old = trusting()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with speaking(certificate) as url:
        with pytest.raises(trio.BrokenResourceError):
            await ask_securely(url, GET % b"/", old)
        twelve = trusting()
        twelve.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await ask_securely(url, GET % b"/", twelve)).status == 200


async def test_a_client_that_speaks_plain_http_is_told_to_use_https(certificate, caplog):
    async with speaking(certificate) as url:
        reply = await ask(url, "/healthz")
        assert await exchange(url, b"\x00\x01\x02") == b""
        await exchange(url, b"\x16\x03\x01\x00\x05hello")
        assert (await ask_securely(url, GET % b"/")).status == 200
    assert (reply.status, "https://" in reply.json["error"]) == (400, True)
    assert caplog.records == []


async def test_a_handshake_that_takes_too_long_is_cut_off_and_holds_up_nobody(certificate):
    async with speaking(certificate, limits=Limits(idle_seconds=0.3)) as url:
        silent, half = await connect(url), await connect(url)
        await half.send_all(b"\x16\x03\x01\x02\x00")
        assert (await ask_securely(url, GET % b"/")).status == 200
        for slow in (silent, half):
            with guarded():
                assert await slow.receive_some() == b""
            await slow.aclose()


async def test_handshakes_count_among_the_connections(certificate):
    async with speaking(certificate, limits=Limits(connections=3)) as url:
        slow = [await connect(url) for _ in range(8)]
        for stream in slow:
            await stream.send_all(b"\x16")
        await trio.sleep(1.1)  # those that have sent nothing for a second are the first to go
        assert (await ask_securely(url, GET % b"/")).status == 200
        for stream in slow:
            await stream.aclose()


async def test_a_new_certificate_holds_for_new_connections_and_old_ones_go_on(certificate, tmp_path):
    present = [certificate]
    async with served(APP, tls=lambda: present[0].context) as url, await secure(url) as old:
        present[0] = ServerCertificate.load(*write_certificate(tmp_path, "next"))
        async with await secure(url) as new:
            assert new.getpeercert(binary_form=True) == present[0].der
        await old.send_all(GET % b"/")
        assert (await answer_on(old)).status == 200
        assert old.getpeercert(binary_form=True) == certificate.der


async def test_the_shutdown_waits_for_no_idle_or_unfinished_connection(certificate):
    with guarded():
        async with speaking(certificate) as url:
            idle, unfinished = await secure(url), await connect(url)
            await unfinished.send_all(b"\x16\x03")
        await idle.aclose()
        await unfinished.aclose()


async def test_commands_know_the_daemon_by_its_own_certificate(certificate, tmp_path):
    other = ServerCertificate.load(*write_certificate(tmp_path, "other"))
    async with speaking(certificate) as url:
        asking = partial(trio.to_thread.run_sync, abandon_on_cancel=True)
        answer = await asking(partial(ask_daemon, url, certificate=certificate.der))
        assert answer.status == 200
        with pytest.raises(NothingHeard, match=r"its certificate is not that of web\.tls\.cert_file"):
            await asking(partial(ask_daemon, url, certificate=other.der))
        with pytest.raises(NothingHeard, match="certificate"):
            await asking(partial(ask_daemon, url))
