"""Socket Mode's websocket goes the way that the environment names: through its proxy, with its certificates."""

from functools import partial
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from monitor.notify.channels.slack.websocket import WebsocketUnusable, converse
from tests.fakes.proxy import FakeProxy, company_proxy


async def _greet(request: WebSocketRequest) -> None:
    connection = await request.accept()
    try:
        await connection.send_message("hello")
        await connection.get_message()
    except ConnectionClosed:
        return


async def _heard(connection: WebSocketConnection) -> str:
    return str(await connection.get_message())


def _behind(proxy: FakeProxy, url: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    proxy.authority.cert_pem.write_to_path(str(folder / "company.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "company.pem"))
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


async def test_it_is_opened_through_the_proxy_and_trusts_the_companys_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, _greet, "127.0.0.1", 0, None))
        async with company_proxy({"wss.slack.example": server.port}) as proxy:
            _behind(proxy, proxy.url, monkeypatch, tmp_path)
            assert await converse("wss://wss.slack.example/link/?ticket=1", 20, 1024, _heard) == "hello"
            assert proxy.asked == ["wss.slack.example"]
        nursery.cancel_scope.cancel()


async def _refuse(asked: list[bytes], answer: bytes, client: trio.SocketStream) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await client.receive_some(1)
    asked.append(head)
    await client.send_all(answer)
    await client.aclose()


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"), (b"", "502"), (b"no\r\n\r\n", "502")],
)
async def test_a_proxy_that_refuses_is_named_and_the_secret_is_not(
    answer: bytes, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[bytes] = []
    async with company_proxy({}) as proxy, trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, partial(_refuse, asked, answer), 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        url = f"http://ann:p%40ss@127.0.0.1:{listener.socket.getsockname()[1]}"
        _behind(proxy, url, monkeypatch, tmp_path)
        with pytest.raises(WebsocketUnusable) as raised:
            await converse("wss://[2001:db8::1]/link/?ticket=secret", 20, 1024, _heard)
        nursery.cancel_scope.cancel()
    assert f"the environment's proxy does not let through to 2001:db8::1 (HTTP {said})" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert asked[0].splitlines()[:3] == [
        b"CONNECT [2001:db8::1]:443 HTTP/1.1",
        b"Host: [2001:db8::1]:443",
        b"Proxy-Authorization: Basic YW5uOnBAc3M=",
    ]
