"""The daemon's start while the server of its store is away."""

import logging

import pytest
import trio
import trio.testing

from monitor.daemon.store_wait import StoreWait
from monitor.runtime.backoff import no_jitter
from monitor.runtime.clock import SystemClock
from monitor.runtime.errors import StoreUnreachable
from monitor.runtime.sd_notify import Systemd

AWAY = StoreUnreachable("the store cannot be reached")


async def test_the_waits_grow_to_half_a_minute_and_are_logged_once(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "monitor")
    waiting = StoreWait(SystemClock(), Systemd(), trio.Event(), no_jitter)
    took = []
    for _ in range(7):
        before = trio.current_time()
        assert await waiting.wait(AWAY)
        took.append(trio.current_time() - before)
    assert took == [1, 2, 4, 8, 16, 30, 30]
    assert [record.getMessage() for record in caplog.records] == [f"the daemon cannot start yet: {AWAY}"]


async def test_a_stop_ends_the_wait_at_once(autojump_clock: trio.testing.MockClock) -> None:
    stop = trio.Event()
    waiting = StoreWait(SystemClock(), Systemd(), stop, no_jitter)
    stop.set()
    before = trio.current_time()
    assert not await waiting.wait(AWAY)
    assert trio.current_time() == before
