"""kill -9 while Routee pushes: what was answered is there when the daemon starts again."""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_process import Daemon, daemon
from e2e_stage import FAILING, routee
from e2e_store import opened, window

from monitor.daemon.fleet.forwarded_reports import decode
from monitor.runtime.clock import SystemClock, iso
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SECRET = "the-secret-of-callbacks"
HANDS = 20
LIVES = 3
A_LIFE = 200
"""Callbacks that are answered before the daemon is killed."""


class Pusher:
    """Routee's side: pushes one message after the other on some connections, and notes which were answered 200."""

    def __init__(self) -> None:
        self.sent, self.answered = 0, set[str]()

    async def push(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        async with trio.open_nursery() as nursery:
            for _ in range(HANDS):
                nursery.start_soon(self._hand, host, int(port))

    async def _hand(self, host: str, port: int) -> None:
        """Pushes until the daemon is gone."""
        try:
            async with await trio.open_tcp_stream(host, port) as stream:
                while True:
                    self.sent += 1
                    name = f"{self.sent:08x}-0000-4000-8000-000000000000"
                    await stream.send_all(_request(name))
                    received = await stream.receive_some()
                    if not received:
                        return
                    assert received.startswith(b"HTTP/1.1 200 "), received
                    self.answered.add(name)
        except (OSError, trio.BrokenResourceError):
            return


def _request(name: str) -> bytes:
    status = {"name": "Delivered", "updatedDate": iso(SystemClock().now())}
    body = json.dumps({"messageId": name, "to": "+306900000001", "operator": "Cosmote", "status": status}).encode()
    head = f"POST /callbacks/routee/main?secret={SECRET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_none_that_was_answered_is_lost_when_the_daemon_is_killed(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    pusher = Pusher()
    async with routee(Sandbox(SystemClock())) as url, hook() as told:
        config = write(
            *(tmp_path, [FAILING]),
            accounts=[account(url) | {"callback_secret": SECRET}],
            searches=[{"name": "all", "every": "1h"}],
            receivers=receivers(told.url),
            **store_in,
        )
        for life in range(1, LIVES + 1):
            async with daemon(config) as running:
                await running.watching()
                await _killed_while_pushing(running, pusher, life * A_LIFE)
            assert not running.noise, running.noise
            known = {name.lower() for name in _ids(config)}
            assert pusher.answered <= known, f"{len(pusher.answered - known)} are lost"
        assert len(pusher.answered) >= LIVES * A_LIFE


async def _killed_while_pushing(running: Daemon, pusher: Pusher, enough: int) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher.push, running.url)
        await until(lambda: len(pusher.answered) >= enough, "callbacks to be answered")
        await running.kill()


def _ids(config: Path) -> list[str]:
    """The ids of the messages that a restart finds: in the window, and those that wait until the lease of the life before has lapsed."""
    found = window(config)
    columns = found.columns
    rows = [row for row in range(columns.length) if columns["kind"][row]]
    with opened(config) as store:
        waiting = [decode(one.body).batch.message_id for one in store.forwarded(["main"], 10_000)]
    return [
        *(found.ids.decode(int(columns["high"][row]), int(columns["low"][row])) for row in rows),
        *chain.from_iterable(waiting),
    ]
