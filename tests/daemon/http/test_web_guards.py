import pytest
import trio

from monitor.daemon.http.guards import CHUNK, Guards, Limits
from monitor.daemon.http.hosts import named_host

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Hypercorn:
    """The server's side of ASGI: gives these messages, keeps what is sent."""

    def __init__(self, *messages):
        self.messages = list(messages)
        self.sent = []

    async def receive(self):
        await trio.lowlevel.checkpoint()
        if not self.messages:
            await trio.sleep_forever()
        return self.messages.pop(0)

    async def send(self, message):
        await trio.lowlevel.checkpoint()
        self.sent.append(message)

    @property
    def bodies(self):
        return [(len(each["body"]), each["more_body"]) for each in self.sent if each["type"] == "http.response.body"]


def piece(body: bytes, more: bool) -> dict[str, object]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}
START = {"type": "http.response.start", "status": 200, "headers": []}


async def test_the_application_sees_the_whole_body_at_once_and_then_what_follows():
    seen = []

    async def app(scope, receive, send):
        seen.extend([await receive(), await receive()])

    server = Hypercorn(piece(b"ab", True), piece(b"c", False), GONE)
    await Guards(app)(SCOPE, server.receive, server.send)
    assert seen == [piece(b"abc", False), GONE]


async def test_the_application_never_goes_on_for_a_client_that_left_in_the_midst_of_its_body():
    async def app(scope, receive, send):
        await receive()
        pytest.fail("went on")

    server = Hypercorn(piece(b"ab", True), GONE)
    await Guards(app)(SCOPE, server.receive, server.send)
    assert server.sent == []


async def test_a_refusal_is_sent_while_the_rest_of_the_body_is_thrown_away():
    async def app(scope, receive, send):
        await receive()
        pytest.fail("went on")

    class Full(Hypercorn):
        """Ends an answer only once it could put the end of the connection into its queue."""

        async def send(self, message):
            while self.messages and message.get("more_body") is False:
                await trio.sleep(0.01)
            await super().send(message)

    server = Full(*[piece(b"x" * 10, True)] * 50)
    await Guards(app, Limits(body=15))(
        SCOPE | {"headers": [(b"transfer-encoding", b"chunked")]}, server.receive, server.send
    )
    assert server.sent[0]["status"] == 413
    assert (b"connection", b"close") in server.sent[0]["headers"]
    assert server.bodies[-1] == (0, False)


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, []), (1, [1]), (CHUNK, [CHUNK]), (CHUNK + 1, [CHUNK, 1]), (3 * CHUNK, [CHUNK] * 3)],
)
async def test_an_answer_goes_out_in_pieces_and_its_end_alone(size, pieces):
    async def app(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"x" * size})

    server = Hypercorn(piece(b"", False))
    await Guards(app)(SCOPE, server.receive, server.send)
    assert server.bodies == [(each, True) for each in pieces] + [(0, False)]


async def test_the_end_of_an_answer_is_sent_even_when_its_sender_is_cancelled():
    async def app(scope, receive, send):
        with trio.CancelScope() as scope:
            await send(START)
            scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    server = Hypercorn(piece(b"", False))
    await Guards(app)(SCOPE, server.receive, server.send)
    assert server.bodies == [(0, False)]


async def test_an_end_that_cannot_be_sent_is_given_up(autojump_clock):
    async def app(scope, receive, send):
        await send({"type": "http.response.body", "body": b""})

    async def stuck(message):
        await trio.sleep_forever()

    with trio.fail_after(10):
        await Guards(app)(SCOPE, Hypercorn(piece(b"", False)).receive, stuck)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("127.0.0.1:9465", "127.0.0.1"),
        ("LOCALHOST.", "localhost"),
        ("[::1]:9465", "::1"),
        ("127.0.0.1#.evil.example", ""),
        ("localhost/.evil.example", ""),
        ("localhost?.evil.example", ""),
        ("evil.example@127.0.0.1", ""),
        ("localhost\\.evil.example", ""),
        ("localhost:9465:1", ""),
        ("localhost evil.example", ""),
        ("[::1].evil.example", ""),
        ("", ""),
    ],
)
def test_a_host_is_read_strictly(header: str, host: str) -> None:
    assert named_host(header) == host
