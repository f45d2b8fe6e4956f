"""The machine has no more descriptors: what is open goes on, it is said once, and it is over as soon as there are some again."""

import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trio
from plain_client import ask, connect, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.runtime.file_descriptors import connections_possible
from tests.fakes.waiting import guarded, until


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def answered(stream: trio.SocketStream) -> None:
    """Once it says hello."""
    answer = b""
    while not answer.endswith(b"hello"):
        piece = await stream.receive_some()
        assert piece, "the connection stays open"
        answer += piece


@contextmanager
def one_left() -> Iterator[None]:
    """One descriptor is left: a client's connection takes it, and nobody can accept it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        os.close(taken.pop())
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_it_is_said_once_and_an_idle_connection_gives_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def said() -> list[logging.LogRecord]:
        return [one for one in caplog.records if "cannot accept" in one.message]

    async with served(Starlette(routes=[Route("/", hello)])) as url, await connect(url) as idle:
        with one_left():
            async with await connect(url):
                await until(said, "the shortage to be said")
                with guarded():
                    assert await idle.receive_some() == b""
        assert (await ask(url, "/")).body == b"hello"
    assert [(one.levelno, "LimitNOFILE" in one.message) for one in said()] == [(logging.ERROR, True)]


async def test_while_there_are_no_more_descriptors_nobody_gives_way_but_to_somebody_who_waits() -> None:
    async with served(Starlette(routes=[Route("/", hello)])) as url, await connect(url) as idle:
        with one_left():
            async with await connect(url) as new:
                with guarded():
                    assert await idle.receive_some() == b"", "its descriptor is the new connection's"
                    for _ in range(3):
                        await new.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        await answered(new)


def test_half_of_the_descriptors_are_kept_for_polling_and_telling() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        assert connections_possible() == 150
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
