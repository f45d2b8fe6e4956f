"""A local Routee in a thread of its own, a folder with the files that commands read, and a store that a daemon has filled."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cli_folder import CREDENTIALS, Folder, folder_at, poll_once

from monitor.runtime.clock import MINUTE, SECOND, SystemClock
from monitor.simulation.sandbox import Sandbox, serve
from tests.fakes.routee import sms


def _filled() -> Sandbox:
    """100 messages to Cosmote, 40 of which failed, 60 to Nova, all delivered; one of two parts; and a reply."""
    sandbox = Sandbox(SystemClock(), credentials=CREDENTIALS)
    now = sandbox.now()
    for number in range(100):
        status, detail = ("Undelivered", "Carrier Violation") if number < 40 else ("Delivered", "Delivered")
        sandbox.put(sms(status, now - 5 * MINUTE - number * SECOND, detail))
    for number in range(60):
        sandbox.put(sms("Delivered", now - 5 * MINUTE - number * SECOND, operator="Nova"))
    for part in (1, 2):
        sandbox.put(sms("Delivered", now - 9 * MINUTE, messageId="two-parts", parts=2, part=part, operator="Cyta"))
    sandbox.put(
        sms(
            "Delivered",
            now - 9 * MINUTE,
            messageId="reply",
            direction="Inbound",
            **{"from": "+306912345678", "to": "54011"},
        )
    )
    return sandbox


@pytest.fixture(scope="session")
def routee_url() -> Iterator[str]:
    """Where the local Routee is."""
    started = threading.Event()
    urls: list[str] = []
    stops: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            urls.append(await nursery.start(serve, _filled()))
            stops.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            started.set()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    assert started.wait(20)
    yield urls[0]
    token, scope = stops[0]
    token.run_sync_soon(scope.cancel)
    thread.join(20)


@pytest.fixture
def folder(tmp_path: Path, routee_url: str) -> Folder:
    """Right files, nothing stored."""
    return folder_at(tmp_path, routee_url)


@pytest.fixture(scope="session")
def polled(tmp_path_factory: pytest.TempPathFactory, routee_url: str) -> Folder:
    """Right files, and a store with what a daemon saw at one poll. For reading only."""
    folder = folder_at(tmp_path_factory.mktemp("polled"), routee_url)
    poll_once(folder)
    return folder


@pytest.fixture
def athens() -> Iterator[None]:
    """The terminal's time zone is Athens'."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Athens"
    time.tzset()
    yield
    os.environ.pop("TZ")
    os.environ |= {} if before is None else {"TZ": before}
    time.tzset()
