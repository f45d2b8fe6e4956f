"""Whatever the daemon does is cancelled, or met by a reload, in each moment of it in turn: on a real SQLite file that others use too.

Afterwards memory says what a fresh start would read, the next poll makes up for all that was broken off, and everybody is told once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
import trio

from monitor.daemon.pipeline import ROWS_AT_ONCE
from monitor.daemon.window_restore import restored_window
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch, batch_of
from monitor.model.routee_query import RejectedRecord
from monitor.model.routee_query import RouteeQuery as Asked
from monitor.notify.outbox import deliver
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Instant, TrioClock
from monitor.store.async_store import AsyncStore
from monitor.store.backup import back_up
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.window import Query, Window, WindowReader
from tests.fakes.interruption import cancelled, interrupted
from tests.fakes.new_store import new_sqlite
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.fakes.tracking import FakeTracking
from tests.fakes.written import CONFIG, settings

NOW: Instant = 1_795_280_824 * SECOND
RULES = "rules:\n  - {name: Failing, kind: rate, window: 1h, above: 20%}\n"
SEARCH = "  - {name: all, account: main, every: 30s, resweep: [{back: 1h, every: 5m}]}\n"
ONE_SEARCH = CONFIG.replace("group_wait: 10s", "group_wait: 0s").replace(
    "  - {name: all, account: main, every: 30s}\n", SEARCH
)
BOTH = ONE_SEARCH.replace(SEARCH, SEARCH + "  - {name: more, account: main, every: 30s}\n")
OTHER = ONE_SEARCH.replace(SEARCH, "  - {name: more, account: main, every: 30s}\n")
PLAN = SearchPlan("main", "all", Asked(), 30 * SECOND, ((HOUR, 5 * MINUTE),))
OPS = ("ops", "console/0")
UNREADABLE = (RejectedRecord("no date", '{"messageId": "bad"}'),)
"""Stands on each page of the fake Routee's."""
MOST = 500
"""No action here has so many moments."""


@cache
def many() -> Batch:
    """So many rows that they are committed on the way."""
    return batch_of([{"messageId": f"many-{i}", "date": NOW - HOUR, "status": "Queued"} for i in range(ROWS_AT_ONCE)])


class World:
    """Routee with messages, and a harness over a store in a file."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.clock = TrioClock(NOW)
        self.harness = PipelineHarness(settings(RULES, ONE_SEARCH), self.clock, store, fronted=AsyncStore)
        self.routee = FakeTracking(
            self.clock, twist=lambda page: replace(page, total=page.total + 1, rejected=UNREADABLE)
        )
        for i in range(20):
            self.routee.send(f"new-{i}", NOW - SECOND - i, "Undelivered" if i < 9 else "Delivered")
            self.routee.send(f"old-{i}", NOW - 30 * MINUTE - i, "Undelivered" if i < 9 else "Delivered")

    # What is done

    async def poll(self, until: str = "sweep", stop: trio.Event | None = None) -> None:
        """Poll until a poll is over, and a sweep unless there was one before; or until told to stop."""
        async with trio.open_nursery() as nursery:
            cursor = self.harness.pipeline.accounts["main"].evaluator.coverage.cursors.get("all")
            observer = _Until("poll" if cursor is not None and cursor.swept else until, nursery.cancel_scope)
            sink = self.harness.sinks["main"]
            await poll_search(PLAN, self.routee, sink, self.clock, cursor, stop=stop, observer=observer)

    async def page(self) -> None:
        await self.harness.sinks["main"].page("all", many(), (RejectedRecord("no date", "{}"),))

    async def silence(self) -> None:
        made = Silence("s", parse_matchers("a=b"), NOW, NOW + HOUR, "Ann", "why", NOW)
        await self.harness.actions.put_silence(made)

    async def expire(self) -> None:
        await self.harness.actions.expire_silence("s")

    async def acknowledge(self) -> None:
        [alert] = self.harness.pipeline.accounts["main"].evaluator.alerts["Failing"].values()
        await self.harness.actions.acknowledge(alert.fingerprint, "Ann")

    async def unacknowledge(self) -> None:
        for fingerprint in list(self.harness.pipeline.dispatcher.acks):
            await self.harness.actions.unacknowledge(fingerprint)

    async def blind(self) -> None:
        await self.harness.sinks["main"].blind("all", NOW, "no answer")

    async def sighted(self) -> None:
        await self.harness.sinks["main"].sighted("all")

    async def reload(self, config: str = BOTH) -> None:
        await self.harness.reload(settings(RULES, config))

    async def flush(self) -> None:
        await self.harness.pipeline.flush()

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Others use the store all the time, so that each call has to wait for its turn."""
        async with trio.open_nursery() as nursery:

            async def look() -> None:
                while True:
                    await self.harness.front.counts()

            for _ in range(2):
                nursery.start_soon(look)
            yield
            nursery.cancel_scope.cancel()

    # What holds

    def assert_memory_is_what_is_stored(self) -> None:
        """What people are told of is the same; messages can only be more in memory, until the next commit."""
        loaded, pipeline = self.store.load(), self.harness.pipeline
        evaluator = pipeline.accounts["main"].evaluator
        alerts = [alert for alerts in evaluator.alerts.values() for alert in alerts.values()]
        assert {one.fingerprint: one for one in alerts} == {one.fingerprint: one for one in loaded.alerts}
        assert pipeline.dispatcher.groups == {(one.receiver, one.key): one for one in loaded.groups}
        assert {one.id: one for one in pipeline.dispatcher.silences.all()} == {one.id: one for one in loaded.silences}
        assert pipeline.dispatcher.acks == {one.fingerprint: one for one in loaded.acks}
        stored = [
            msgspec.structs.replace(one, journal=None, journal_last=0) for one in loaded.cursors
        ]  # which the commit adds
        assert evaluator.coverage.cursors == {
            one.search: one for one in stored if one.search in evaluator.coverage.searches
        }

    def assert_nothing_is_lost(self) -> None:
        """After a complete poll and sweep: in memory, and for a fresh start."""
        evaluator = self.harness.pipeline.accounts["main"].evaluator
        stored = restored_window(self.store, "main", self.harness.settings.config, self.store.secret("recipients"))
        stored.check_journal(one.journal_sum for one in self.store.load().cursors if one.journal_sum is not None)
        assert counts(stored) == counts(evaluator.window)
        truth = list(self.routee.statuses().values())
        here = {status: number for status, number in counts(evaluator.window).items() if status != "Queued"}
        assert here == {status: truth.count(status) for status in set(truth)}
        assert {one.record for one in self.store.quarantined()} >= {one.record for one in UNREADABLE}

    def assert_told_once(self) -> None:
        told = [outbox_row.notification for outbox_row in self.store.outbox_rows()]
        assert len({one.key for one in told}) == len(told)
        failing = [one for one in told if any(view.name == "Failing" for view in one.alerts)]
        assert [one.reason for one in failing if one.reason != "acknowledged"] == ["first"]


class _Until:
    """Cancels when a round of that kind is over."""

    def __init__(self, kind: str, scope: trio.CancelScope) -> None:
        self._kind = kind
        self._scope = scope

    def finished(self, figures: PollFigures) -> None:
        if figures.kind == self._kind:
            self._scope.cancel()

    def reached(self, search: str, share: float) -> None:
        """Nothing."""


def counts(window: Window) -> dict[str, int]:
    """How many messages of each status."""
    reading = WindowReader(window)
    tally = reading.tally(Query(0, 1 << 62, by=("status",)))
    pairs = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return {reading.labels(("status",), code)[0]: number for code, number in pairs}


@contextmanager
def world() -> Iterator[World]:
    with TemporaryDirectory() as folder, closing(new_sqlite(Path(folder) / "monitor.db")) as store:
        yield World(store)


Do = Callable[[World], Awaitable[object]]


async def nothing(_: World) -> None:
    pass


async def firing(one: World) -> None:
    await one.poll()


async def silenced(one: World) -> None:
    await one.silence()


async def acknowledged(one: World) -> None:
    await one.poll()
    await one.acknowledge()


async def blinded(one: World) -> None:
    await one.blind()


ACTIONS: dict[str, tuple[Do, Do]] = {
    "a poll": (nothing, lambda one: one.poll("poll")),
    "a poll and a sweep": (nothing, lambda one: one.poll("sweep")),
    "many rows, committed on the way": (nothing, World.page),
    "a silence": (firing, World.silence),
    "the end of a silence": (silenced, World.expire),
    "an acknowledgement": (firing, World.acknowledge),
    "an acknowledgement taken back": (acknowledged, World.unacknowledge),
    "an alert about ourselves": (nothing, World.blind),
    "its end": (blinded, World.sighted),
    "a look at the groups": (firing, World.flush),
    "a reload": (firing, World.reload),
}
"""What is done, and what before it."""


@pytest.mark.parametrize("what", ACTIONS)
async def test_whatever_is_cancelled_loses_nothing_and_repeats_nothing(what: str) -> None:
    before, action = ACTIONS[what]
    for at in range(MOST):
        with world() as one:
            await before(one)
            async with one.busy():
                came = await cancelled(at, partial(action, one))
            one.assert_memory_is_what_is_stored()
            if not came:
                break
            await action(one)
            await one.poll()
            one.assert_memory_is_what_is_stored()
            one.assert_nothing_is_lost()
            one.assert_told_once()
    assert 0 < at < MOST


@pytest.mark.parametrize("config", [OTHER, BOTH], ids=["without the search", "with another one"])
async def test_a_reload_during_a_poll_and_a_sweep_loses_nothing(config: str) -> None:
    for at in range(MOST):
        with world() as one:
            due, stop = trio.Event(), trio.Event()

            async def reload(one: World = one, due: trio.Event = due, stop: trio.Event = stop) -> None:
                await due.wait()
                await one.reload(config)
                stop.set()

            async with one.busy(), trio.open_nursery() as nursery:
                nursery.start_soon(reload)
                came = await interrupted(at, partial(one.poll, "sweep", stop), due.set)
                due.set()
            one.assert_memory_is_what_is_stored()
            if not came:
                break
            await one.reload(ONE_SEARCH)
            await one.poll()
            one.assert_memory_is_what_is_stored()
            one.assert_nothing_is_lost()
            one.assert_told_once()
    assert 0 < at < MOST


async def deliver_all(one: World, slack: ScriptedNotifier) -> None:
    """Deliver until nothing waits."""
    async with trio.open_nursery() as nursery:
        outbox = await nursery.start(partial(deliver, one.harness.front, {OPS: slack}, one.clock))
        await all_sent(one)
        outbox.stop()


async def all_sent(one: World) -> None:
    while await one.harness.front.backlog():
        await trio.sleep(0)


async def test_a_receipt_is_written_whatever_is_cancelled() -> None:
    for at in range(MOST):
        with world() as one:
            await one.poll()
            slack = ScriptedNotifier()
            came = await cancelled(at, partial(deliver_all, one, slack))
            taken = list(slack.ended)
            sent = {outbox_row.notification.key for outbox_row in one.store.outbox_rows("sent")}
            assert sent == set(taken), "what the channel took is written down"
            await deliver_all(one, slack)
            assert slack.ended == [
                outbox_row.notification.key for outbox_row in reversed(one.store.outbox_rows("sent"))
            ]
            assert len(slack.ended) == 1
            if not came:
                break
    assert 0 < at < MOST


async def test_a_reload_during_a_sending_repeats_nothing() -> None:
    for at in range(MOST):
        with world() as one:
            await one.poll()
            slack, other = ScriptedNotifier(takes=0.001), ScriptedNotifier(takes=0.001)
            async with trio.open_nursery() as nursery:
                outbox = await nursery.start(partial(deliver, one.harness.front, {OPS: slack}, one.clock))
                came = await interrupted(at, partial(all_sent, one), partial(outbox.assign, {OPS: other}))
                outbox.stop()
            assert len(slack.ended + other.ended) == 1
            if not came:
                break
    assert 0 < at < MOST


def test_a_backup_that_is_broken_off_anywhere_leaves_nothing_behind_and_the_store_as_it_was(tmp_path: Path) -> None:
    path, target = tmp_path / "monitor.db", tmp_path / "copy.db"
    with closing(open_sqlite(path)) as store:
        trio.run(_fill, store)
        target.write_text("the backup before")
        steps: list[int] = []
        for at in range(MOST):
            steps.clear()

            def progress(left: int, total: int, at: int = at) -> None:
                steps.append(left)
                if len(steps) > at:
                    raise KeyboardInterrupt

            try:
                back_up(path, target, force=True, progress=progress)
                break
            except KeyboardInterrupt:
                assert target.read_text() == "the backup before"
                assert {one.name for one in tmp_path.iterdir()} == {"copy.db", *_files(path)}
        assert 0 < at < MOST
        with closing(open_sqlite(target, read_only=True)) as copy:
            assert copy.load() == store.load()


async def test_polls_and_reloads_go_on_during_a_backup(tmp_path: Path) -> None:
    with world() as one:
        await one.poll()
        begun, go_on, made = trio.Event(), trio.Event(), trio.Event()
        before = one.store.load()

        def progress(left: int, total: int) -> None:
            trio.from_thread.run_sync(begun.set)
            trio.from_thread.run(go_on.wait)

        async def copy() -> None:
            target = tmp_path / "copy.db"
            await trio.to_thread.run_sync(partial(back_up, one.store.path, target, progress=progress))
            made.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy)
            await begun.wait()
            for config in (BOTH, ONE_SEARCH):
                await one.silence()
                await one.reload(config)
                await one.poll()
            go_on.set()
        one.assert_memory_is_what_is_stored()
        one.assert_nothing_is_lost()
        one.assert_told_once()
        with closing(open_sqlite(tmp_path / "copy.db", read_only=True)) as backup:
            assert backup.load().cursors == before.cursors, "it is of the moment at which it began"
            assert not backup.load().silences


async def _fill(store: SqliteStore) -> None:
    await World(store).poll()


def _files(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir() if one.name.startswith(path.name)}
