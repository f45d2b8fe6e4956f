"""A full disk, or another program's lock, at any write of a scenario: it is said, polling goes on, and nothing is lost or told twice."""

import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from monitor.daemon.flush_timer import flush_when_due
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.notification import Notification
from monitor.model.routee_query import RouteeQuery
from monitor.notify.channels.protocol import Outcome, Retry, Sent
from monitor.notify.outbox import Outbox, deliver
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, TrioClock
from monitor.runtime.errors import StoreError
from monitor.store.sql_store import SqlStore
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.window import Query as Asking
from monitor.window import WindowReader
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.fakes.tracking import FakeTracking
from tests.fakes.written import CONFIG, settings
from tests.store.store_samples import NOW

RULES = """
rules:
  - {name: Failed, kind: count, match: {status: Failed}, window: 2m, above: 2}
  - {name: Undelivered, kind: count, match: {status: Undelivered}, window: 2m, above: 2}
"""
AT_ONCE = CONFIG.replace("group_wait: 10s, group_interval: 5m", "group_wait: 0s, group_interval: 1m")
WRITES = {"commit", "sent", "postponed", "rejected", "prune"}
IN_A_ROW = 3
"""So many writes fail one after the other."""
SCENARIO = 9 * MINUTE
AFTERWARDS = 4 * MINUTE
MOST_WRITES = 25
POLLS = 26
EVERYTHING = Counter({(rule, status): 1 for rule in ("Failed", "Undelivered") for status in ("firing", "resolved")})


class TroubledStore:
    """A store that meets real trouble from the ``nth`` write on (from 1; 0: never), until it has failed ``IN_A_ROW`` times."""

    def __init__(self, store: SqlStore, nth: int, begin: Callable[[], object], end: Callable[[], object]) -> None:
        self._store, self._nth, self._begin, self._end = store, nth, begin, end
        self.writes = self.failed = 0
        self._in_trouble = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return partial(self._write, method) if name in WRITES else method

    def _write(self, method: Callable[..., Any], *values: Any) -> Any:
        self.writes += 1
        if self.writes == self._nth:
            self._in_trouble = True
            self._begin()
        try:
            return method(*values)
        except StoreError:
            self.failed += 1
            if self.failed == IN_A_ROW:
                self.relieve()
            raise

    def relieve(self) -> None:
        """The trouble is over, if there is any. A full disk is no trouble to a write that needs no room."""
        if self._in_trouble:
            self._in_trouble = False
            self._end()


@dataclass
class Scene:
    """What came of the scenario."""

    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    writes: int = 0
    polls: int = 0
    errors: float = 0
    counted: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)


class _Awake(PipelineHarness):
    outbox: Outbox | None = None

    def _wake(self) -> None:
        if self.outbox is not None:
            self.outbox.wake()


async def live(store: TroubledStore) -> Scene:
    """Nine minutes with two incidents, beside a receiver that fails once, and some minutes more to come to rest."""
    clock = TrioClock(NOW)
    tracking, scene = FakeTracking(clock), Scene()
    notifier = ScriptedNotifier(script=[Retry("500")])
    notifier.answer = partial(_take, scene)
    harness = _Awake(settings(RULES, AT_ONCE), clock, store)
    async with trio.open_nursery() as nursery:
        begin = partial(deliver, harness.front, {("ops", "console/0"): notifier}, clock)
        harness.outbox = await nursery.start(lambda task_status: begin(task_status=task_status))
        plan = SearchPlan("main", "all", RouteeQuery(), MINUTE // 2, ((5 * MINUTE, MINUTE),), 0)
        nursery.start_soon(poll_search, plan, tracking, harness.sinks["main"], clock, None)
        nursery.start_soon(flush_when_due, harness.pipeline)
        await _happen(clock, tracking)
        store.relieve()
        scene.writes = store.writes
        await clock.sleep(AFTERWARDS)
        end = harness.pipeline.accounts["main"].evaluator.coverage.cursors["all"].as_of
        scene.counted = _counted(harness, end)
        nursery.cancel_scope.cancel()
    scene.true = Counter(sms.status for sms in tracking.messages.values())
    scene.polls = len(tracking.asked)
    scene.errors = _store_errors(harness)
    return scene


def _store_errors(harness: PipelineHarness) -> float:
    text = harness.metrics.exposition("")[0].decode()
    return float(re.findall(r"^routee_monitor_store_errors_total (\S+)$", text, re.MULTILINE)[0])


async def _happen(clock: TrioClock, tracking: FakeTracking) -> None:
    for minute in range(SCENARIO // MINUTE):
        status = {1: "Failed", 3: "Undelivered"}.get(minute, "Delivered")
        for number in range(5):
            name = f"{minute}-{number}"
            tracking.send(name, clock.now() - SECOND)
            tracking.report(name, clock.now(), status)
        await clock.sleep(MINUTE)


def _take(scene: Scene, notification: Notification) -> Outcome:
    scene.keys.append(notification.key)
    scene.told += Counter((view.rule, view.status) for view in notification.alerts)
    return Sent()


def _counted(harness: PipelineHarness, end: int) -> Counter[str]:
    reading = WindowReader(harness.pipeline.accounts["main"].evaluator.window)
    tally = reading.tally(Asking(end - 60 * MINUTE, end, by=("status",)))
    pairs = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return Counter({reading.labels(("status",), code)[0]: count for code, count in pairs if count})


@dataclass
class Disk:
    """A store's file, which can be full, or held by somebody else."""

    path: Path
    store: SqliteStore
    other: sqlite3.Connection

    def fill(self) -> None:
        """Not one page more."""
        [(pages,)] = self.store._connection.execute("PRAGMA page_count").fetchall()
        self.store._connection.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self) -> None:
        self.store._connection.execute("PRAGMA max_page_count = 1000000")

    def lock(self) -> None:
        self.other.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        self.other.execute("ROLLBACK")

    def protect(self) -> None:
        """SQLite answers as on a disk that was mounted anew, read-only."""
        self.store._connection.execute("PRAGMA query_only = on")

    def allow(self) -> None:
        self.store._connection.execute("PRAGMA query_only = off")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "monitor.db"
    with (
        closing(open_sqlite(path, busy_timeout=MILLISECOND)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        yield Disk(path, store, other)


async def test_undisturbed_the_scenario_is_what_the_others_are_held_to(
    disk: Disk, autojump_clock: trio.testing.MockClock
) -> None:
    scene = await live(TroubledStore(disk.store, 0, disk.lock, disk.unlock))
    assert (scene.told, scene.counted, scene.errors) == (EVERYTHING, scene.true, 0)
    assert MOST_WRITES - 3 <= scene.writes <= MOST_WRITES, "each write is the first to fail once"
    assert scene.polls >= POLLS


@pytest.mark.parametrize("nth", range(1, MOST_WRITES + 1))
async def test_a_lock_from_any_write_on_is_said_and_outlived(
    disk: Disk, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, nth: int
) -> None:
    caplog.set_level(logging.ERROR, "monitor")
    store = TroubledStore(disk.store, nth, disk.lock, disk.unlock)
    scene = await live(store)
    assert store.failed
    assert "is locked by another program" in caplog.text
    _is_outlived(scene)


@pytest.mark.parametrize("nth", range(1, MOST_WRITES + 1))
async def test_a_full_disk_from_any_write_on_is_said_and_outlived(
    disk: Disk, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, nth: int
) -> None:
    caplog.set_level(logging.ERROR, "monitor")
    store = TroubledStore(disk.store, nth, disk.fill, disk.make_room)
    scene = await live(store)
    assert ("its disk is full" in caplog.text) == (store.failed > 0)
    assert store.failed or nth > MOST_WRITES * 2 // 3, "only what comes late may find room for all that is left"
    _is_outlived(scene)


@pytest.mark.parametrize("nth", range(1, MOST_WRITES + 1))
async def test_a_file_that_cannot_be_written_from_any_write_on_is_said_and_outlived(
    disk: Disk, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, nth: int
) -> None:
    caplog.set_level(logging.ERROR, "monitor")
    store = TroubledStore(disk.store, nth, disk.protect, disk.allow)
    scene = await live(store)
    assert store.failed
    assert "cannot be written; check the owner" in caplog.text
    _is_outlived(scene)


def _is_outlived(scene: Scene) -> None:
    blind = {status: scene.told.pop(("MonitorBlind", status), 0) for status in ("firing", "resolved")}
    assert blind["firing"] == blind["resolved"], "what is told of the trouble itself ends, too"
    assert scene.told == EVERYTHING
    assert len(set(scene.keys)) == len(scene.keys), "while the process lives nothing is told twice"
    assert scene.counted == scene.true
    assert scene.polls >= POLLS, "polling goes on"
