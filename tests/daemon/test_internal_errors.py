"""What nobody foresaw fails alone: the task is tried again, the rest goes on, and people are told until it has not failed for a while."""

import logging
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from monitor.daemon.internal_errors import InternalErrors
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.routee_query import Page, RouteeQuery
from monitor.runtime.clock import MINUTE, SECOND, TrioClock, parse_iso
from monitor.runtime.errors import InternalError
from monitor.runtime.task_supervisor import TaskSpec, TaskSupervisor
from tests.fakes.hand_clock import HandClock
from tests.fakes.operator_harness import OperatorHarness
from tests.fakes.tracking import FakeTracking

START = parse_iso("2026-11-21T10:00:00Z")


def fault() -> KeyError:
    """An exception with a place and a text that nobody should see."""
    try:
        raise KeyError("xoxb-a-secret")
    except KeyError as error:
        return error


async def test_people_are_told_which_part_fails_and_when_it_has_not_for_ten_minutes() -> None:
    world = OperatorHarness()
    errors = InternalErrors(world.clock)
    errors.failed("search all of account main", fault())
    await errors.update(world.harness.pipeline)
    view = world.last.alerts[0]
    assert (view.name, view.status, view.labels["task"]) == ("InternalError", "firing", "search all of account main")
    assert "an internal error (KeyError at test_internal_errors.py:" in view.annotations["summary"]
    assert "please report it" in view.annotations["summary"]
    assert "xoxb" not in repr(view)
    world.clock.at += 10 * MINUTE - 1
    await errors.update(world.harness.pipeline)
    assert len(world.told) == 1
    world.clock.at += 1
    await errors.update(world.harness.pipeline)
    assert (world.last.alerts[0].name, world.last.alerts[0].status) == ("InternalError", "resolved")


def test_a_traceback_is_logged_once_and_then_one_line(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock(START)
    errors, error = InternalErrors(clock), fault()
    for _ in range(3):
        errors.failed("groups", error)
    mine = [record for record in caplog.records if record.getMessage().startswith("groups failed")]
    assert [record.exc_info is not None for record in mine] == [True, False, False]
    clock.at += 11 * MINUTE
    errors.failed("groups", error)
    assert [record for record in caplog.records if record.levelno == logging.ERROR][-1].exc_info is not None


async def test_a_task_that_fails_is_begun_again_and_its_neighbours_go_on(autojump_clock: MockClock) -> None:
    clock = TrioClock(START)
    errors, begun, beats = InternalErrors(clock), list[float](), list[float]()

    async def failing(leave: trio.Event) -> None:
        begun.append(trio.current_time())
        async with trio.open_nursery() as nursery:  # what it raises comes as a group
            nursery.start_soon(_raise)

    async def good(leave: trio.Event) -> None:
        while True:
            beats.append(trio.current_time())
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery, errors.keep_going)
        roster.assign([TaskSpec("failing", 1, failing), TaskSpec("good", 1, good)])
        await trio.sleep(300.5)
        nursery.cancel_scope.cancel()
    waits = [round(later - earlier) for earlier, later in pairwise(begun)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(beats) == 301
    assert list(errors.lately()) == ["failing"]


async def test_a_task_that_is_told_to_leave_while_it_rests_leaves_at_once(autojump_clock: MockClock) -> None:
    errors = InternalErrors(TrioClock(START))

    async def failing(leave: trio.Event) -> None:
        raise fault()

    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery, errors.keep_going)
        roster.assign([TaskSpec("failing", 1, failing)])
        await trio.sleep(100)
        began = trio.current_time()
        roster.assign([])
    assert trio.current_time() == began


async def _raise() -> None:
    raise fault()


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.completed: list[int] = []
        self.blinded: list[str] = []

    async def page(self, *_: object) -> None:
        """Nothing."""

    async def complete(self, search: str, cursor: object, read: object = None) -> None:
        self.completed.append(round(trio.current_time()))

    async def failed(self, search: str, error: Exception) -> None:
        assert isinstance(error, InternalError)
        self.failures.append(str(error))

    async def blind(self, search: str, since: int, reason: str) -> None:
        self.blinded.append(reason)

    async def sighted(self, search: str) -> None:
        """Nothing."""

    async def gap(self, search: str, start: int, end: int) -> None:
        """Nothing."""


async def test_a_poll_that_fails_unexpectedly_is_made_again_at_the_next_interval(autojump_clock: MockClock) -> None:
    clock, sink, answers = TrioClock(START), Sink(), [0]

    def broken(page: Page) -> Page:
        answers[0] += 1
        if 2 <= answers[0] <= 6:
            raise fault()
        return page

    tracking = FakeTracking(clock, twist=broken)
    plan = SearchPlan("main", "all", RouteeQuery(), 30 * SECOND, ())
    with trio.move_on_after(400):
        await poll_search(plan, tracking, sink, clock, None)  # type: ignore[arg-type]  # the fakes have only what a poll uses
    assert len(sink.failures) == 5
    assert all(said.startswith("an internal error (KeyError at ") for said in sink.failures)
    assert sink.blinded
    assert all("internal error" in reason for reason in sink.blinded)
    assert len(sink.completed) >= 8
