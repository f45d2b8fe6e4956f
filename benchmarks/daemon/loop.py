"""Measures for how long the daemon's event loop is held: with the starter rules, polls, callbacks, and the page open in browsers.

The daemon runs in this process; Routee, those who push and those who look run in others. An instrument of trio times each step of each task:
nothing else can run during one. Processor time is what the step itself took; other programs on the machine do not count.
"""

import gc
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

import trio

from benchmarks.daemon.daemon_process import SECRET
from benchmarks.daemon.pushing import request
from benchmarks.figure import Figure
from benchmarks.messages import MILLION
from benchmarks.routee_process import routee_with
from monitor.config.starter import rules
from monitor.daemon.main import Running, import_listener
from monitor.daemon.main import run as run_daemon
from monitor.daemon.validate import load
from monitor.runtime.clock import SystemClock, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

RATE: Final = 6_000
"""New messages a minute at Routee."""
EVERY: Final = "5s"
PUSHED: Final = 100
"""Callbacks a second."""
SECONDS, QUICK_SECONDS = 60, 20
PATIENCE: Final = 300.0
LONG: Final = 0.02
"""Seconds: the loop should not be held for longer."""


def run(quick: bool) -> list[Figure]:
    """Returns how long the loop was held, while the past is read and afterwards."""
    sizes = [MILLION // 10] if quick else [MILLION // 10, MILLION]
    return [figure for messages in sizes for figure in _measured(messages, QUICK_SECONDS if quick else SECONDS)]


def _measured(messages: int, seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name, routee_with(messages, RATE) as url:
        address = _configure(Path(name), url)
        past, present = trio.run(_watch, Path(name), address, seconds)
    of = f"over {messages:,} messages"
    return [
        Figure(f"the longest time that the loop is held, {of}", 1e3 * present.longest, "ms", at_most=1e3 * LONG),
        Figure("99.9% of its steps take at most", 1e3 * present.quantile(0.999), "ms"),
        Figure("steps of more than 20 ms, a minute", 60 * present.over(LONG) / seconds, "", at_most=0),
        Figure("the longest while the past is read and learned from", 1e3 * past.longest, "ms"),
    ]


@dataclass(eq=False)
class HeldLoop(trio.abc.Instrument):
    """The processor seconds of each step of each task."""

    steps: "array[float]" = field(
        default_factory=lambda: array("d")
    )  # nothing that the garbage collector would look through
    by_task: Counter[str] = field(default_factory=Counter)
    """By the task's name, the milliseconds of its longest step."""
    collecting: float = 0.0
    """Of that, the seconds of the longest search for garbage, which comes in the middle of any task."""
    _began: float | None = None
    _collection_began: float = 0.0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._collected)
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(self, *_: object) -> None:
        trio.lowlevel.remove_instrument(self)
        gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.thread_time()
        else:
            self.collecting = max(self.collecting, time.thread_time() - self._collection_began)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._began is None:
            return  # the step began before this was watching
        took = time.thread_time() - self._began
        self.steps.append(took)
        self.by_task[task.name] = max(self.by_task[task.name], round(1e3 * took))

    @property
    def longest(self) -> float:
        return max(self.steps, default=0.0)

    def quantile(self, share: float) -> float:
        return sorted(self.steps)[int(len(self.steps) * share)]

    def over(self, seconds: float) -> int:
        return sum(step > seconds for step in self.steps)


async def _watch(folder: Path, address: tuple[str, int], seconds: float) -> tuple[HeldLoop, HeldLoop]:
    """Runs the daemon until it has read the past and for so many seconds more."""
    settings = load(folder / "monitor.yaml", {})
    past, present, stop = HeldLoop(), HeldLoop(), trio.Event()
    import_listener()  # as the command does before its loop begins
    async with trio.open_nursery() as nursery:
        with past:
            running: Running = await nursery.start(
                partial(run_daemon, settings.settings, settings.templates, stop=stop)
            )
            await _until_learned(running)
        with _others(address):
            await trio.sleep(2)
            with present:
                await trio.sleep(seconds)
        stop.set()
    for what, held in (("the past", past), ("afterwards", present)):
        longest = ", ".join(f"{name} {ms} ms" for name, ms in held.by_task.most_common(6))
        print(f"{what}: {longest}; garbage {1e3 * held.collecting:.0f} ms", file=sys.stderr, flush=True)
    return past, present


async def _until_learned(running: Running) -> None:
    """Waits until all of the past is read and each rule that keeps a state has worked through it."""
    [account] = running.pipeline.accounts.values()
    evaluator = account.evaluator
    with trio.fail_after(PATIENCE):
        while True:
            await trio.sleep(0.5)
            wanted = [name for name, rule in evaluator.rules.items() if rule.keeps_state]
            ready = [name in evaluator.kept and evaluator.kept[name].is_ready for name in wanted]
            if evaluator.coverage.cursors and all(ready):
                return


@contextmanager
def _others(address: tuple[str, int]) -> Iterator[None]:
    """Pushes callbacks and looks at pages, from another process."""
    command = [sys.executable, "-m", "benchmarks.daemon.loop", address[0], str(address[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.terminate()


def _configure(folder: Path, url: str) -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    config = {
        "accounts": [account | {"callback_secret": SECRET}],
        "searches": [{"name": "all", "account": "main", "every": EVERY}],
        "rules": [str(rules())],
        "receivers": [{"name": "ops", "webhook": [{"url": "http://127.0.0.1:9/"}]}],
        "route": {"receiver": "ops"},
        "store": "sqlite:monitor.db",
        "web": {"listen": f"{host}:{port}"},
    }
    (folder / "monitor.yaml").write_text(json.dumps(config))
    return host, port


def _look(address: tuple[str, int], paths: tuple[str, ...]) -> None:
    """Asks for these pages in turn, each half a second after the one before, for as long as the process lives."""
    while True:
        for path in paths:
            connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()
            time.sleep(0.5)


def _push(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        number = 0
        while True:
            began = time.monotonic()
            for _ in range(PUSHED // 10):
                connection.sendall(request(number, iso(SystemClock().now()).encode()))
                connection.recv(65_536)
                number += 1
            time.sleep(max(began + 0.1 - time.monotonic(), 0))


def _bother(address: tuple[str, int]) -> None:
    """Pushes, and looks at the pages, until it is ended."""
    pages = ("/",), ("/rules", "/searches", "/healthz", "/metrics"), ("/api/v1/rules", "/api/v2/alerts", "/incidents")
    for paths in pages:
        threading.Thread(target=_look, args=(address, paths), daemon=True).start()
    _push(address)


if __name__ == "__main__":
    _bother((sys.argv[1], int(sys.argv[2])))
