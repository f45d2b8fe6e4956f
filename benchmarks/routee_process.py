"""Runs the local Routee in a process of its own, so that it does not affect the time and memory that are measured."""

import functools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from benchmarks.messages import SPAN
from monitor.ingest.routee.client import Routee
from monitor.runtime.clock import Clock, SystemClock
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, run_sandbox


@contextmanager
def routee_with(messages: int, rate: float = 0) -> Iterator[str]:
    """Serves that many messages of the last six days, to which ``rate`` a minute are added; yields the URL."""
    command = [sys.executable, "-m", "benchmarks.routee_process", str(messages), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def client(url: str, clock: Clock | None = None) -> Routee:
    """Yields the program's own client, without a limit on requests a second."""
    name, secret = DEFAULT_CREDENTIALS
    return Routee(
        name="main",
        application_id=name,
        application_secret=secret,
        clock=clock or SystemClock(),
        api_url=url,
        auth_url=url,
        requests_per_second=1e6,
    )


async def _serve(messages: int, rate: float) -> None:
    async with trio.open_nursery() as nursery:
        serving = functools.partial(run_sandbox, rate=rate, history=SPAN, messages=messages)
        url, _ = await nursery.start(serving)
        print(url, flush=True)


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]), float(sys.argv[2]))
