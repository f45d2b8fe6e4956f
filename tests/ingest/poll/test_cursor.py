"""What counts as progress for the watchdog: delivery, groups and pushers at work, and what only waits or hangs on someone else."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.daemon.alertmanager_tasks import pushing
from monitor.daemon.channel_health import SLOWEST_STEP, ChannelWatch
from monitor.daemon.flush_timer import GROUPS, flush_when_due
from monitor.daemon.health import Health
from monitor.notify.channels.protocol import Retry
from monitor.notify.outbox import Outbox, deliver
from monitor.runtime.clock import HOUR, MINUTE, TrioClock
from monitor.runtime.task_supervisor import TaskSupervisor
from monitor.store.protocol import Commit, OutboxRow, Pending
from monitor.store.sqlite import open_sqlite
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.fakes.written import CONFIG, settings
from tests.store.store_samples import NOW, notification

SLACK = ("ops", "slack/0")


@pytest.fixture
def store(tmp_path: Path) -> Iterator["Stubborn"]:
    with closing(open_sqlite(tmp_path / "monitor.db")) as opened:
        yield Stubborn(opened)


class Stubborn(InlineStoreFront):
    """A store that stops answering once ``hangs``."""

    hangs = False

    async def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        if self.hangs:
            await trio.sleep_forever()
        return await super().heads(receiver, channel, limit)


@dataclass
class Delivering:
    """A delivery that is watched as the daemon does it."""

    notifier: ScriptedNotifier
    store: Stubborn

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        clock, self.health = TrioClock(NOW), Health()
        harness = PipelineHarness(settings(), clock)
        async with trio.open_nursery() as nursery:

            async def start(task_status: trio.TaskStatus[Outbox]) -> None:
                await deliver(self.store, {SLACK: self.notifier}, clock, task_status=task_status)

            self.outbox = await nursery.start(start)
            self.health.expect("delivery", MINUTE)
            harness.services.health = self.health
            nursery.start_soon(ChannelWatch(harness.pipeline, self.outbox, [SLACK]).run)
            yield
            nursery.cancel_scope.cancel()

    async def put(self) -> None:
        await self.store.commit(Commit(outbox=[Pending("slack/0", notification("a1", "a", "first"))]))
        self.outbox.wake()


@pytest.mark.parametrize(
    "notifier",
    [ScriptedNotifier(), ScriptedNotifier(takes=1e6), ScriptedNotifier(answer=lambda _: Retry("503", HOUR))],
    ids=["well", "hangs", "asks for an hour"],
)
async def test_a_channel_that_waits_or_hangs_is_not_stuck(
    store: Stubborn, notifier: ScriptedNotifier, autojump_clock: trio.testing.MockClock
) -> None:
    world = Delivering(notifier, store)
    async with world.running():
        await world.put()
        for _ in range(180):
            await trio.sleep(60)
            assert not world.health.stuck()
        assert notifier.sendings


async def test_a_channel_that_gets_no_step_further_is_stuck(
    store: Stubborn, autojump_clock: trio.testing.MockClock
) -> None:
    world = Delivering(ScriptedNotifier(), store)
    async with world.running():
        await trio.sleep(60)
        world.store.hangs = True
        world.outbox.wake()
        await trio.sleep(SLOWEST_STEP - 10)
        assert not world.health.stuck()
        await trio.sleep(90)
        assert world.health.stuck()[0].startswith("delivery: no progress")


async def test_groups_are_looked_at_whether_or_not_anything_is_due(autojump_clock: trio.testing.MockClock) -> None:
    health = Health()
    harness = PipelineHarness(settings(), TrioClock(NOW))
    harness.services.health = health
    health.expect(GROUPS, MINUTE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flush_when_due, harness.pipeline)
        for _ in range(100):
            await trio.sleep(60)
            assert not health.stuck()
        nursery.cancel_scope.cancel()
    await trio.sleep(61)
    assert health.stuck()


async def test_a_pusher_is_alive_while_its_alertmanager_is_not_and_is_forgotten_when_it_leaves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    text = CONFIG.replace("console: [{}]", "alertmanager: [{url: 'http://127.0.0.1:9', timeout: 1s}]")
    written, clock, health = settings(config=text), TrioClock(NOW), Health()
    harness = PipelineHarness(written, clock)
    harness.services.health = health
    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery)
        duties = pushing(written.config, lambda: written, harness.pipeline, Outbox())
        roster.assign(duties)
        await trio.sleep(0.1)
        for _ in range(60):
            await trio.sleep(60)
            assert not health.stuck()
        roster.assign(())
        await trio.sleep(3_600)
        assert not health.stuck()
