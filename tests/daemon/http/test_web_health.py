from contextlib import suppress

import pytest
import trio
from plain_client import served

from monitor.daemon.health import Health
from monitor.runtime.clock import SECOND
from monitor.runtime.errors import MonitorError
from tests.fakes.listener import ask


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def health(seconds) -> Health:
    return Health(seconds)


def test_a_daemon_that_expects_nothing_yet_is_healthy_but_not_ready(health):
    assert health.stuck() == []
    assert health.unready() == ["The daemon is starting"]


def test_a_loop_that_beats_is_healthy(health, seconds):
    health.expect("poll main/outbound", 30 * SECOND)
    for _ in range(10):
        seconds.now += 30
        assert health.stuck() == []
        health.beat("poll main/outbound")


def test_a_silent_loop_is_named_with_how_long(health, seconds):
    health.expect("poll main/outbound", 30 * SECOND)
    health.expect("deliver", 60 * SECOND)
    seconds.now += 45
    assert health.stuck() == ["poll main/outbound: no progress for 45s, expected every 30s"]


def test_a_loop_that_comes_back_is_healthy_again(health, seconds):
    health.expect("deliver", SECOND)
    seconds.now += 5
    assert health.stuck() != []
    health.beat("deliver")
    assert health.stuck() == []


def test_a_loop_that_ended_is_no_longer_expected(health, seconds):
    health.expect("deliver", SECOND)
    health.forget("deliver")
    seconds.now += 5
    assert health.stuck() == []


def test_a_beat_of_a_loop_that_nobody_expects_means_nothing(health, seconds):
    health.beat("other")
    seconds.now += 500
    assert health.stuck() == []


def test_what_was_polled_before_the_start_was_complete_counts() -> None:
    health = Health(lambda: 0.0)
    health.reloaded([("main", "a")])
    health.polled("main", "a")
    assert health.unready() == ["The daemon is starting"]
    health.searches([("main", "a"), ("main", "b")])
    assert health.unready() == ["Search b of account main has not been polled yet"]
    assert health.warnings() == []


def test_is_ready_once_every_search_was_polled(health):
    health.searches([("main", "a"), ("main", "b")])
    health.polled("main", "a")
    assert health.unready() == ["Search b of account main has not been polled yet"]
    health.polled("main", "b")
    assert health.unready() == []


def test_says_when_the_first_polls_are_through(health):
    health.searches([("main", "a"), ("main", "b")])
    health.polled("main", "a")
    assert not health.first_polls.is_set()
    health.polled("main", "b")
    assert health.first_polls.is_set()


def test_is_not_ready_while_the_store_cannot_be_written(health):
    health.searches([])
    health.store("the disk is full")
    assert health.unready() == ["The store cannot be written: the disk is full"]
    health.store()
    assert health.unready() == []


def test_one_reason_for_leases_and_store_is_said_once(health):
    health.searches([])
    health.fleet("The leases cannot be renewed", lambda: "connection refused")
    health.store("connection refused")
    assert health.unready() == [
        "The leases cannot be renewed: connection refused",
        "The store cannot be written, for the same reason",
    ]
    health.store("the disk is full")
    assert health.unready()[1:] == ["The store cannot be written: the disk is full"]
    health.fleet()
    assert health.unready() == ["The store cannot be written: the disk is full"]


def test_what_a_ready_daemon_takes_from_others_it_has_to_be_able_to_poll(health):
    health.searches([])
    health.accounts([("main", "a")])
    assert health.unready() == []
    assert health.warnings() == ["Search a of account main has not been polled yet"]
    health.troubled("main", "a", lambda: "the secret is wrong")
    assert health.unready() == ["Search a of account main has not been polled yet: the secret is wrong"]
    assert health.warnings() == health.beside_searches() == []
    health.reloaded([("main", "a")])
    assert len(health.unready()) == 1
    health.polled("main", "a")
    assert health.unready() == health.warnings() == []


def test_a_daemon_that_left_an_account_to_others_unpolled_is_not_ready_for_it(health):
    health.searches([("otp", "c")])
    health.accounts([("main", "a"), ("otp", "c")])
    health.troubled("main", "a", lambda: "the secret is wrong")
    health.polled("otp", "c")
    health.accounts([], [("main", "a"), ("otp", "c")])
    assert health.unready() == [
        "Search a of account main has not been polled by this daemon, and is left to another one: the secret is wrong"
    ]
    health.reloaded([])
    assert len(health.unready()) == 1
    health.accounts([], [])
    assert health.unready() == health.warnings() == []


async def healthcheck(url: str, *, seconds: float = 5.0) -> bool:
    """Whether the daemon there is healthy, as somebody sees it who asks."""
    try:
        return (await ask(url, seconds=seconds)).status == 200
    except MonitorError:
        return False


def answering(status: int):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": scope["path"].encode()})

    return app


@pytest.mark.parametrize(("status", "good"), [(200, True), (503, False), (404, False)])
async def test_a_healthcheck_is_good_only_for_200(status, good):
    async with served(answering(status)) as url:
        assert await healthcheck(url) is good


async def test_asking_gives_status_and_body_of_that_path():
    async with served(answering(503)) as url:
        answer = await ask(url, "/readyz")
    assert (answer.status, answer.body) == (503, "/readyz")


async def listen(nursery: trio.Nursery, answer: bytes | None) -> str:
    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            if answer is None:
                await trio.sleep_forever()
            with suppress(trio.BrokenResourceError):  # hung up on: it said too much
                await stream.send_all(answer)

    listeners = await nursery.start(
        lambda task_status: trio.serve_tcp(handle, 0, host="127.0.0.1", task_status=task_status)
    )
    return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\xff" * 200_000, None])
async def test_whatever_else_answers_is_one_line_and_not_healthy(answer):
    async with trio.open_nursery() as nursery:
        url = await listen(nursery, answer)
        assert await healthcheck(url, seconds=0.2) is False
        with pytest.raises(
            MonitorError, match=r"^No answer from http://127\.0\.0\.1:\d+/healthz; is the daemon running\?"
        ):
            await ask(url, seconds=0.2)
        nursery.cancel_scope.cancel()


async def test_nobody_there_is_not_healthy():
    async with trio.open_nursery() as nursery:
        url = await listen(nursery, b"")
        nursery.cancel_scope.cancel()
    assert await healthcheck(url) is False
