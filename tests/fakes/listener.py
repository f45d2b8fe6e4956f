"""Sends requests to a daemon's listener that may run in the same event loop."""

from functools import partial

import trio

from monitor.cli.listener_request import ListenerAnswer, NothingHeard
from monitor.cli.listener_request import ask as ask_blocking
from monitor.runtime.errors import MonitorError


async def ask(url: str, path: str = "/healthz", *, seconds: float = 5.0) -> ListenerAnswer:
    """Returns the listener's answer. Raises MonitorError if there is none."""
    asking = partial(ask_blocking, url + path, seconds=seconds)
    try:
        return await trio.to_thread.run_sync(asking, abandon_on_cancel=True)
    except NothingHeard as why:
        raise MonitorError(f"No answer from {url}{path}; is the daemon running? ({why})") from why
