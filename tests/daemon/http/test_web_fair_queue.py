"""Nobody waits behind a crowd for longer than it takes: counted in turns of trio's loop and in answers, not in seconds."""

import pytest
import trio
import trio.testing
from plain_client import ask, connect, exchange, parse, served
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.daemon.http.connections import BUSY
from monitor.daemon.http.fair_queue import MOST_WAITING, PAUSE, ExpensiveQueue, FairQueue, SharedAnswer, path_of
from monitor.daemon.http.guards import Limits
from tests.fakes.waiting import guarded, until

GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "path"),
    [
        (b"GET /healthz HTTP/1.1\r\n", "/healthz"),
        (b"HEAD /readyz?verbose HTTP/1.0\r\n", "/readyz"),
        (b"GET /healthzz HTTP/1.1\r\n", ""),
        (b"POST /healthz HTTP/1.1\r\n", ""),
        (b"GET /heal", ""),
        (b"", ""),
    ],
)
def test_a_probe_is_known_by_the_first_bytes_of_its_request(head: bytes, path: str) -> None:
    assert path_of(head) == path


async def test_one_request_begins_in_each_turn_of_the_loop_and_a_probe_beside_it() -> None:
    turns, begun = FairQueue(), list[str]()

    async def begin(path: str) -> None:
        await turns.next(path)
        begun.append(path)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(begin, "/metrics")
        await trio.lowlevel.checkpoint()
        nursery.start_soon(begin, "/readyz")
        before = 0
        while len(begun) < 101:
            await trio.lowlevel.checkpoint()
            assert len(begun) - before <= 4, "of two turns at most: the order within one is random"
            before = len(begun)
    assert begun.index("/readyz") < 5


async def test_what_is_dear_is_made_once_for_all_who_wait_and_never_before_they_asked() -> None:
    expensive, made = ExpensiveQueue(), list[int]()
    shared, got = SharedAnswer[int](expensive), list[tuple[int, int]]()

    def make(_: str) -> int:
        made.append(len(made))
        return made[-1]

    async def get(number: int) -> None:
        got.append((number, await shared.get("", make)))

    async with trio.open_nursery() as nursery:
        async with expensive.alone():
            for number in range(30):
                nursery.start_soon(get, number)
            await trio.testing.wait_all_tasks_blocked()
        await until(lambda: len(got) == 30, "all to have it")
        nursery.start_soon(get, 30)
    assert {one for _, one in got[:30]} == {0}
    assert got[30] == (30, 1)


async def test_who_waits_for_one_that_leaves_or_fails_is_not_left_waiting() -> None:
    expensive, tried, got = ExpensiveQueue(), list[str](), list[str]()
    shared = SharedAnswer[str](expensive)

    def make(key: str) -> str:
        tried.append(key)
        if len(tried) == 1:
            raise RuntimeError("not today")
        return "made"

    async def get() -> None:
        try:
            got.append(await shared.get("", make))
        except RuntimeError as error:
            got.append(str(error))

    async with trio.open_nursery() as nursery, expensive.alone():
        leaving = trio.CancelScope()

        async def leaves() -> None:
            with leaving:
                await get()

        nursery.start_soon(leaves)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(get)
        await trio.testing.wait_all_tasks_blocked()
        leaving.cancel()
    assert sorted(got) == ["made", "made", "not today"]


async def test_between_two_dear_answers_everything_else_has_its_turns() -> None:
    expensive, turns = ExpensiveQueue(), 0

    async def counting() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(counting)

        async def second() -> None:
            async with expensive.alone():
                nursery.cancel_scope.cancel()

        async with expensive.alone():
            nursery.start_soon(second)
            while expensive.waiting == 0:
                await trio.lowlevel.checkpoint()
            turns = 0
    assert turns >= PAUSE


async def test_too_many_that_wait_for_something_dear_are_told_to_come_back() -> None:
    expensive = ExpensiveQueue()

    async def wait() -> None:
        async with expensive.alone():
            pass

    async with trio.open_nursery() as nursery, expensive.alone():
        for _ in range(MOST_WAITING):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(HTTPException) as error:
            await wait()
    assert (error.value.status_code, error.value.headers) == (503, {"retry-after": "1"})


class Recording:
    """An application that notes what it is asked for, in order."""

    def __init__(self) -> None:
        self.asked = list[str]()
        self.app = Starlette(
            routes=[Route(path, self.answer, methods=["GET", "POST"]) for path in ("/healthz", "/page", "/slow")]
        )

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if request.url.path == "/slow":
            await trio.sleep_forever()
        return PlainTextResponse("x" * 20_000)


async def test_a_probe_does_not_wait_behind_those_who_pipeline() -> None:
    recording = Recording()
    async with served(recording.app) as url, trio.open_nursery() as nursery:
        crowd = [await connect(url) for _ in range(100)]

        async def read(stream: trio.SocketStream) -> None:
            async with stream:
                async for _ in stream:
                    pass

        for stream in crowd:
            await stream.send_all(GET % b"/page" * 20)
            nursery.start_soon(read, stream)
        await until(lambda: len(recording.asked) > 200, "the crowd to be answered")
        before = len(recording.asked)
        assert (await ask(url, "/healthz")).status == 200
        assert recording.asked.index("/healthz") - before < 40, "about as many as a probe needs turns of the loop"
        nursery.cancel_scope.cancel()


async def test_in_a_crowd_who_waits_keeps_its_place_who_comes_too_late_is_told_so_and_a_probe_is_let_in() -> None:
    """A connection that was closed before it was looked at has no answer at all."""
    recording, replies = Recording(), list[bytes]()
    async with served(recording.app, limits=Limits(connections=50)) as url, trio.open_nursery() as nursery:

        async def ask_for_the_page() -> None:
            replies.append(await exchange(url, b"GET /page HTTP/1.0\r\nHost: test\r\n\r\n"))

        for _ in range(400):
            nursery.start_soon(ask_for_the_page)
        await until(lambda: BUSY in replies, "one to be turned away")
        assert (await ask(url, "/healthz")).status == 200
    answered = [reply for reply in replies if reply.endswith(b"x" * 20_000)]
    assert len(answered) >= 40, "the probe may have taken a place, and no other one"
    assert {reply for reply in replies if reply not in answered} <= {BUSY, b""}


async def test_a_request_whose_head_comes_in_pieces_is_answered_once() -> None:
    recording = Recording()
    async with served(recording.app) as url, await connect(url) as stream:
        for piece in (b"GE", b"T /page HTTP/1.0\r\nHo", b"st: test\r\n\r\n"):
            await stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked(0.01)
        with guarded():
            answer = b"".join([piece async for piece in stream])
    assert parse(answer).status == 200
    assert recording.asked == ["/page"]
