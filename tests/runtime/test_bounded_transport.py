"""Interim answers of servers: a few are read over, many end the request, whichever client asks."""

import ssl

import httpx
import pytest
import trio
import trustme

from monitor.notify.channels.http import post
from monitor.notify.channels.protocol import Retry, Sent
from monitor.runtime.bounded_transport import MOST_INTERIM, bounded_transport
from tests.fakes.scripted import Reply, Scripted, scripted

GOOD = Reply(body=b"{}")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: HTTP/1.1 200 OK\r\n\r\n"


def after(*interim: bytes, drip: float = 0.0) -> Reply:
    """Returns a good answer after interim ones."""
    return Reply(raw=b"".join(interim) + GOOD.bytes(), drip=drip)


async def asked(server: Scripted, transport: httpx.AsyncHTTPTransport, times: int = 1) -> list[int]:
    async with httpx.AsyncClient(transport=transport) as client:
        return [(await client.get(server.url)).status_code for _ in range(times)]


@pytest.mark.parametrize("interim", [CONTINUE, HINTS], ids=["100", "103"])
async def test_as_many_interim_answers_as_usual_servers_send_are_read_over(interim: bytes) -> None:
    async with scripted() as server:
        server.answers.extend([after(*[interim] * MOST_INTERIM)] * 3)
        with trio.fail_after(10):
            assert await asked(server, bounded_transport(ssl.create_default_context()), 3) == [200] * 3


@pytest.mark.parametrize("interim", [CONTINUE, HINTS], ids=["100", "103"])
@pytest.mark.parametrize("drip", [0.0, 1e-9], ids=["at once", "byte by byte"])
async def test_more_of_them_end_the_request(interim: bytes, drip: float) -> None:
    async with scripted() as server:
        server.answers.append(after(*[interim] * (MOST_INTERIM + 1), drip=drip))
        with trio.fail_after(20), pytest.raises(httpx.RemoteProtocolError, match="more than 20 interim answers"):
            await asked(server, bounded_transport(ssl.create_default_context()))


async def test_a_body_with_lines_like_status_lines_is_no_interim_answer() -> None:
    async with scripted() as server:
        server.answers.append(Reply(body=b"\n" + CONTINUE * 100))
        assert await asked(server, bounded_transport(ssl.create_default_context())) == [200]


async def test_within_tls_they_are_counted_too() -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with scripted(tls=context) as server:
        server.answers.append(after(*[CONTINUE] * (MOST_INTERIM + 1)))
        async with httpx.AsyncClient(transport=bounded_transport(trusting)) as client:
            with pytest.raises(httpx.RemoteProtocolError, match="interim answers"):
                await client.get(f"https://127.0.0.1:{server.port}")


async def test_a_receiver_that_sends_many_is_tried_again() -> None:
    async with scripted() as server:
        server.answers.extend([after(*[CONTINUE] * 20_000), GOOD])
        outcome = await post(server.url, b"{}", {}, 30, 0)
        assert isinstance(outcome, Retry)
        assert "more than 20 interim answers" in str(outcome)
        assert isinstance(await post(server.url, b"{}", {}, 30, 0), Sent)
