"""A send that is cancelled while its connection is being opened: another daemon may tell the end of the alert before it is open."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trustme

from monitor.notify.channels.interruptible import Interrupted, run_interruptible
from monitor.notify.channels.protocol import Notifier
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.runtime.clock import SystemClock
from tests.fakes.alerts import notification_of
from tests.fakes.slack import TOKEN
from tests.fakes.waiting import GUARD

pytest.importorskip("apprise", reason="the extra apprise is not installed")
from monitor.notify.channels.apprise.notifier import AppriseNotifier

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


class SlowServer:
    """A server of HTTPS for one connection, which does not go on with the handshake until ``go`` is set. ``got`` is what it was sent then."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context, self._socket = context, socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connected, self.go, self.got = threading.Event(), threading.Event(), b""
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        with closing(self._socket), self._socket.accept()[0] as raw:
            raw.settimeout(GUARD)
            self.connected.set()
            self.go.wait(GUARD)
            try:
                with self._context.wrap_socket(raw, server_side=True) as opened:
                    self.got = opened.recv(100)
            except OSError:
                self.got = b""  # it was closed instead


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowServer]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    made = SlowServer(context)
    yield made
    made.go.set()
    made.thread.join(GUARD)


def apprise(port: int) -> Notifier:
    return AppriseNotifier(f"jsons://127.0.0.1:{port}/")


def slack(port: int) -> Notifier:
    paces = ChannelRateLimits(0.0)
    return SlackNotifier(TOKEN, "#x", clock=SystemClock(), api_url=f"https://127.0.0.1:{port}/", paces=paces)


# A library that is interrupted while it opens a connection does not close it: Python does, when the connection is let go of.
@pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")
@pytest.mark.parametrize("make", [apprise, slack])
async def test_what_was_cancelled_before_it_was_sent_is_not_sent(
    make: Callable[[int], Notifier], server: SlowServer
) -> None:
    notifier = make(server.port)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.send, notification_of(), None)
        assert await trio.to_thread.run_sync(server.connected.wait, GUARD)
        nursery.cancel_scope.cancel()
    server.go.set()
    await trio.to_thread.run_sync(server.thread.join, GUARD)
    assert server.got == b""


@pytest.mark.parametrize("make", [apprise, slack])
async def test_what_is_not_cancelled_is_sent(make: Callable[[int], Notifier], server: SlowServer) -> None:
    server.go.set()
    await make(server.port).send(notification_of(), None)
    await trio.to_thread.run_sync(server.thread.join, GUARD)
    assert server.got.startswith(b"POST /")


async def test_a_call_that_waits_for_its_turn_is_not_made_and_no_other_one_is_interrupted() -> None:
    limiter, go, made = trio.CapacityLimiter(1), threading.Event(), []

    def first() -> str:
        go.wait(GUARD)
        made.append("first")
        return "done"

    async def whole() -> None:
        assert await run_interruptible(first, limiter) == "done"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(whole)
        await trio.testing.wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await run_interruptible(lambda: made.append("second"), limiter)
        go.set()
    assert made == ["first"]


async def test_an_interrupted_call_ends_where_it_is_back_in_python() -> None:
    began, go, ended = threading.Event(), threading.Event(), threading.Event()
    seen: list[object] = []

    def call() -> None:
        try:
            began.set()
            go.wait(GUARD)
            seen.append("sent")
        except Exception:  # noqa: BLE001 - as a library does
            seen.append("swallowed")
        except Interrupted:
            seen.append("interrupted")
            raise
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_interruptible, call, trio.CapacityLimiter(1))
        assert await trio.to_thread.run_sync(began.wait, GUARD)
        nursery.cancel_scope.cancel()
    go.set()
    assert await trio.to_thread.run_sync(ended.wait, GUARD)
    assert seen == ["interrupted"]


TRACED = """
import sys, threading, trio
from monitor.notify.channels.interruptible import run_interruptible

began, go, ended = threading.Event(), threading.Event(), threading.Event()

def slow():
    began.set()
    go.wait()

def traced():
    return "went on"

async def run():
    limiter = trio.CapacityLimiter(2)
    await run_interruptible(int, limiter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_interruptible, slow, limiter)
        await trio.to_thread.run_sync(began.wait)
        nursery.cancel_scope.cancel()
    go.set()
    while limiter.borrowed_tokens:
        await trio.sleep(0)

trio.run(run)
sys.settrace(lambda *about: None)
print(traced())
"""


def test_afterwards_what_traces_calls_does_not_stand_still() -> None:
    """CPython 3.11 stands still at a call that is traced while it believes that an exception is still to be raised in some thread."""
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
