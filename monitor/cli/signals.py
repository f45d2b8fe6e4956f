"""Runs a task until a signal stops it."""

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

LONGEST_STOP_SECONDS: Final = 8.0
"""Seconds that the daemon gets to stop. Notifications that were not sent by then are sent after the next start."""

log = logging.getLogger("monitor")


async def until_signalled(
    act: Callable[[trio.Event], Awaitable[object]], reload: Callable[[], object] | None = None
) -> None:
    """Runs ``act``, which has to end soon after its event is set: by SIGTERM or SIGINT. SIGHUP calls ``reload``."""
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, stop, nursery.cancel_scope, reload)
            await act(stop)
            nursery.cancel_scope.cancel()


async def _obey(
    signals: AsyncIterator[int],
    stop: trio.Event,
    everything: trio.CancelScope,
    reload: Callable[[], object] | None,
) -> None:
    """Sets ``stop`` at the first SIGTERM or SIGINT; cancels ``everything`` at a second one, or after LONGEST_STOP_SECONDS."""
    await _next_stop(signals, reload)
    stop.set()
    with trio.move_on_after(LONGEST_STOP_SECONDS):
        await _next_stop(signals, None)
    log.warning("stopping at once; what was not sent is sent after the next start")
    everything.cancel()


async def _next_stop(signals: AsyncIterator[int], reload: Callable[[], object] | None) -> None:
    async for number in signals:
        if number != signal.SIGHUP:
            return
        if reload is not None:
            reload()
