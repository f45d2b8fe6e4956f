"""Whether an address can be reached, without asking anything there."""

import ssl
from contextlib import suppress
from functools import partial

import pytest
import trio
import trustme

from monitor.notify.channels.reach import unreached
from tests.fakes.proxy import FakeProxy


async def tls(stream: trio.SocketStream, authority: trustme.CA, heard: list[bytes]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    try:
        heard.append(await trio.SSLStream(stream, context, server_side=True).receive_some(100))
    except trio.BrokenResourceError:
        heard.append(b"")


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(autouse=True)
def _without_a_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_tls_is_spoken_and_nothing_is_asked(authority):
    heard: list[bytes] = []
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(
            partial(trio.serve_tcp, partial(tls, authority=authority, heard=heard), 0, host="127.0.0.1")
        )
        port = listener.socket.getsockname()[1]
        assert await unreached(f"https://localhost:{port}/secret", 5) == ""
        wrong = await unreached(f"https://127.0.0.1:{port}/secret", 5)
        nursery.cancel_scope.cancel()
    assert set(heard) == {b""}
    assert "certificate is not valid for '127.0.0.1'" in wrong
    assert "secret" not in wrong


async def test_a_certificate_that_nobody_vouches_for_is_named():
    async with trio.open_nursery() as nursery:
        serve = partial(tls, authority=trustme.CA(), heard=[])
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        said = await unreached(f"https://localhost:{port}/", 5)
        nursery.cancel_scope.cancel()
    assert said.startswith(f"https://localhost:{port} could not be reached: ")
    assert "name its certificates in SSL_CERT_FILE" in said


async def test_where_there_is_a_proxy_the_connection_goes_through_it(authority, monkeypatch):
    async with trio.open_nursery() as nursery:
        (behind,) = await nursery.start(partial(trio.serve_tcp, _swallow, 0, host="127.0.0.1"))
        proxy = FakeProxy(authority, {"hooks.example.org": behind.socket.getsockname()[1]})
        (listener,) = await nursery.start(partial(trio.serve_tcp, proxy.connection, 0, host="127.0.0.1"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        assert await unreached("https://hooks.example.org/secret", 5) == ""
        nursery.cancel_scope.cancel()
    assert proxy.asked == ["hooks.example.org"]


async def _swallow(stream: trio.SocketStream) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 202 Accepted\r\nVia: a\r\n\r\n", ""),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the environment's proxy does not let through to 2001:db8::1 (HTTP 407)",
        ),
        (b"no\r\n\r\n", "the environment's proxy does not let through to 2001:db8::1 (HTTP 502)"),
        (b"", "the environment's proxy does not let through to 2001:db8::1 (HTTP 502)"),
    ],
)
async def test_a_proxy_that_refuses_is_named(answer, said, authority, monkeypatch):
    async def proxy(stream: trio.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some(1)
        await stream.send_all(answer)
        if said:
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("2001:db8::1").configure_cert(context)
        with suppress(trio.BrokenResourceError):
            await trio.SSLStream(stream, context, server_side=True).receive_some(100)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, proxy, 0, host="127.0.0.1"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{listener.socket.getsockname()[1]}")
        found = await unreached("https://[2001:db8::1]/path", 5)
        nursery.cancel_scope.cancel()
    assert found == (f"https://[2001:db8::1] could not be reached: {said}" if said else "")
