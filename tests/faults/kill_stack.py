"""Kills the pipeline, the store and the delivery, as one process, at random instants, and lets the last one come to rest.

Run as a program of its own (``kill_stack.py STORE WEBHOOK KILLS SEED``), so that it can fork: a life begins in milliseconds. The store is given by
its keys in ``monitor.yaml``, as JSON. Each life posts to a path of its own. Prints, as JSON, how many lives were killed before
they had begun their work, and how the last one ended.
"""

import functools
import importlib
import json
import logging
import os
import random
import select
import signal
import sys
import time
import traceback

import trio

from monitor.config.settings import Settings
from monitor.daemon.flush_timer import flush_when_due
from monitor.notify.channels import ChannelContext, make_notifier
from monitor.notify.outbox import Outbox, deliver
from monitor.notify.render import Templates
from monitor.runtime.certificates import trust
from monitor.runtime.clock import SECOND, Clock, Duration, Instant
from monitor.store.async_store import AsyncStore
from monitor.store.open import missing_for, open_exclusively
from monitor.store.protocol import Store
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings
from tests.faults.many_alerts import BEGIN, RULES, config, rows

SPEED = 20
POLL: Duration = 2 * SECOND
AT_REST_WITHIN = 90
"""Seconds."""


class SharedClock(Clock):
    """The same time in every life: ``SPEED`` times as fast as the machine's, from ``origin`` (its monotonic seconds) on."""

    def __init__(self, origin: float) -> None:
        self._origin = origin

    def now(self) -> Instant:
        return BEGIN + round((time.monotonic() - self._origin) * SPEED * SECOND)  # noqa: TID251 - a clock for processes

    async def sleep(self, duration: Duration) -> None:
        await trio.sleep(max(duration, 0) / SECOND / SPEED)


class Life(PipelineHarness):
    """From polls to the webhook; the ``number``-th life of so many."""

    def __init__(self, written: Settings, clock: SharedClock, store: Store, number: int, lives: int) -> None:
        super().__init__(written, clock, store, fronted=AsyncStore)
        self._number, self._lives = number, lives
        self._polls = 0
        self._outbox: Outbox | None = None

    def _wake(self) -> None:
        if self._outbox is not None:
            self._outbox.wake()

    async def live(self, began: int) -> None:
        """Until it is killed, or (the last one) everybody knows the end. Writes a byte to ``began`` after its first poll."""
        [(channel, entry)] = self.settings.config.receivers[0].channels
        notifier = make_notifier("webhook", entry, ChannelContext(self.clock, Templates(), sys.stdout))
        async with trio.open_nursery() as nursery:
            await self.pipeline.begin()
            delivering = functools.partial(deliver, self.front, {("ops", channel): notifier}, self.clock)
            self._outbox = await nursery.start(lambda task_status: delivering(task_status=task_status))
            nursery.start_soon(flush_when_due, self.pipeline)
            await self._look()
            os.write(began, b".")
            while not await self._is_over():
                await self.clock.sleep(POLL)
                await self._look()
            nursery.cancel_scope.cancel()

    async def _look(self) -> None:
        """A poll; the first few of a life show something new each."""
        await self.poll(rows(self._number + min(self._polls, 9) / 10, self._lives))
        self._polls += 1

    async def _is_over(self) -> bool:
        believed = self.pipeline.dispatcher.notified_fingerprints()
        return self._number == self._lives and not believed and not await self.front.backlog()


def fork(written: Settings, origin: float, number: int, lives: int) -> tuple[int, int]:
    """Begin a life; gives its process and where it says that it has begun its work."""
    read, began = os.pipe()
    process = os.fork()
    if process:
        os.close(began)
        return process, read
    try:
        with open_exclusively(written.config.store_location, existing=False) as store:
            life = Life(written, SharedClock(origin), store, number, lives)
            trio.run(life.live, began)
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def killed(process: int, began: int, luck: random.Random) -> bool:
    """Kill it, every fourth time so soon that it may not have begun its work; gives whether it had."""
    if luck.random() < 0.25:
        time.sleep(luck.uniform(0, 0.1))
        had_begun = bool(select.select([began], [], [], 0)[0])
    else:
        had_begun = bool(os.read(began, 1))
        time.sleep(luck.uniform(0, 0.4))
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(began)
    assert os.WIFSIGNALED(status), "it had ended by itself"
    return had_begun


def warm_up(written: Settings) -> None:
    """What every life would import, or read (the certificates that are trusted), before its first request."""
    for module in ("monitor.notify.channels.webhook.notifier", "httpcore", "h11", "anyio._backends._trio"):
        importlib.import_module(module)
    missing_for(written.config.store_location)
    trust()


def main(store_in: dict[str, str], url: str, kills: int, seed: int) -> None:
    """So many lives that are killed, and one that comes to rest."""
    logging.getLogger().addHandler(logging.NullHandler())
    lives = [settings(RULES, config(f"{url}/life-{number}", store_in)) for number in range(kills + 1)]
    warm_up(lives[0])
    luck, origin, early = random.Random(seed), time.monotonic(), 0  # noqa: TID251 - the same
    for number in range(kills):
        early += not killed(*fork(lives[number], origin, number, kills), luck)
    last, _ = fork(lives[kills], origin, kills, kills)
    signal.alarm(AT_REST_WITHIN)
    _, status = os.waitpid(last, 0)
    sys.stdout.write(json.dumps({"early": early, "code": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
