"""Runs the demo: the local Routee and the daemon in one event loop, on one clock that runs faster than real time."""

import functools
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import chain, cycle
from pathlib import Path
from typing import Final, TextIO

import trio

from monitor.config.starter import rules
from monitor.daemon.main import Running, run
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.validate import load
from monitor.runtime import log
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Instant, parse_iso
from monitor.simulation.demo.clock import StoryClock, StoryProgress
from monitor.simulation.demo.screen import Screen
from monitor.simulation.demo.script import FURTHER, STORY, DemoIncident
from monitor.simulation.demo.sparklines import SparklineHistory, take_snapshot
from monitor.simulation.demo.words import Words
from monitor.simulation.sandbox import Sandbox, Traffic, serve

DEFAULT_SPEED: Final = 60.0
DEFAULT_SEED: Final = 7

_HERE: Final = Path(__file__).parent
_START: Final = parse_iso("2026-11-21T10:00:00Z")
"""A fixed start, so that a seed always gives the same story."""
_RATE: Final = 300.0
_HISTORY: Final = 4 * HOUR
_TAKES: Final = 49 * MINUTE
"""How long the story takes on the demo's clock, from its begin to the last resolve, approximately."""
_STARTS: Final = 8 * SECOND
"""How long everything else takes in real time, approximately: the start, the history that rules compare with, the end."""
_PREPARING: Final = 20 * SECOND
_LONGEST: Final = 120 * MINUTE
"""The longest wait for the end of the alerts; edited rules may never end."""


async def demo(*, speed: float, seed: int, forever: bool, stream: TextIO, stop: trio.Event) -> None:
    """Shows the demo on ``stream`` until the story is over, or with ``forever`` until ``stop`` is set.

    ``speed`` is how many times faster than real time its clock runs; ``seed`` determines the traffic. Raises ListenError and StoreError if the
    daemon cannot start, and InputError if the starter rules were edited and are wrong.
    """
    screen = Screen(stream)
    words = Words(screen)
    with tempfile.TemporaryDirectory(prefix="routee-monitor-demo-") as folder, _only_warnings(screen):
        clock = StoryClock(_START)
        sandbox = Sandbox(clock, seed=seed, traffic=Traffic(rate=_RATE, season=0), history=_HISTORY)
        async with trio.open_nursery() as routee:
            url: str = await routee.start(serve, sandbox)
            loaded = load(
                _HERE / "monitor.yaml", {"DEMO_ROUTEE_URL": url, "DEMO_RULES": str(rules()), "DEMO_FOLDER": folder}
            )
            over = trio.Event()
            daemon = functools.partial(run, loaded.settings, loaded.templates, stop=over, clock=clock, stream=screen)
            async with trio.open_nursery() as work:
                running: Running = await work.start(daemon)
                takes = None if forever else round(_TAKES / speed) + _STARTS
                words.opening(speed, _RATE, takes, running.url)
                progress = StoryProgress(clock, None if forever else _TAKES)
                reach = max((rule.reach for rule in loaded.settings.rules), default=0)

                async def story() -> None:
                    await _until_known(running, _START - reach, clock)
                    clock.run_at(speed)
                    progress.begin()
                    await _tell(words, sandbox, running, clock, forever)

                traffic = functools.partial(_show_traffic, screen, words, running, progress)
                finished = await _until(stop, story, traffic)
                screen.live("")
                over.set()
            routee.cancel_scope.cancel()
    if finished:
        words.closing(own_configuration())
    else:
        words.stopped()


def own_configuration() -> str:
    """Returns a configuration for a real account and a real Slack, with the path of the starter rules."""
    text = (_HERE / "yours.yaml").read_text("utf-8")
    return text if Path("rules").is_dir() else text.replace("rules/", f"{rules()}/")


async def _until(stop: trio.Event, story: Callable[[], Awaitable[None]], beside: Callable[[], Awaitable[None]]) -> bool:
    """Runs the story, with ``beside`` at the same time; returns False if ``stop`` came first."""
    finished = False
    async with trio.open_nursery() as nursery:

        async def tell() -> None:
            nonlocal finished
            await story()
            finished = True
            nursery.cancel_scope.cancel()

        nursery.start_soon(tell, name="story")
        nursery.start_soon(beside, name="traffic")
        await stop.wait()
        nursery.cancel_scope.cancel()
    return finished


async def _until_known(running: Running, since: Instant, clock: StoryClock) -> None:
    """Waits until the daemon has fetched the history that its rules compare with, for a limited time."""
    deadline = clock.now() + _PREPARING
    while clock.now() < deadline:
        if any(cursor.covered_since <= since for cursor in running.pipeline.cursors()):
            return
        await clock.sleep(SECOND // 20)


async def _tell(words: Words, sandbox: Sandbox, running: Running, clock: StoryClock, forever: bool) -> None:
    async with trio.open_nursery() as acts:
        for act in chain(STORY, cycle(FURTHER)) if forever else STORY:
            await clock.sleep(act.wait)
            acts.start_soon(_play, act, words, sandbox, clock, name=act.kind)
    deadline = clock.now() + _LONGEST
    while is_open(running.pipeline) and clock.now() < deadline:
        await clock.sleep(10 * SECOND)
    await trio.sleep(1)  # the last notification may still be on its way to the terminal


def is_open(pipeline: Pipeline) -> bool:
    """Returns whether an alert goes on, or its end has not been sent. A group without alerts stays for a while, for those that come again."""
    told = any(group.told for group in pipeline.dispatcher.groups.values())
    return told or any(alert.state != "resolved" for alert in pipeline.every_alert())


async def _play(act: DemoIncident, words: Words, sandbox: Sandbox, clock: StoryClock) -> None:
    words.comment(clock.now(), act.begins)
    sandbox.start_incident(act.kind, for_=act.lasts, **act.what)
    await clock.sleep(act.lasts)
    words.comment(clock.now(), act.ends)


async def _show_traffic(screen: Screen, words: Words, running: Running, progress: StoryProgress) -> None:
    """Updates the changing line about every second; without a terminal, prints a line every five."""
    (account,) = running.pipeline.accounts.values()
    history = SparklineHistory()
    while not screen.disconnected:
        snapshot = take_snapshot(account.evaluator)
        if snapshot is not None:
            history.add(snapshot)
            if screen.moves:
                screen.live(words.rendered(history.line(snapshot, words.width, progress.done)))
            else:
                words.plain(history.plain(snapshot, progress.now, progress.done))
        await trio.sleep(0.5 if screen.moves else 5)


@contextmanager
def _only_warnings(stream: TextIO) -> Iterator[None]:
    """Logs only warnings and errors, to ``stream``; restores the logging afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    log.configure("warning", "text", stream)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
