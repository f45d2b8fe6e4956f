"""Tasks that are kept while what they come of does not change."""

from collections.abc import Callable

import trio
import trio.testing

from monitor.runtime.task_supervisor import ById, TaskSpec, TaskSupervisor, run_until


class Work:
    """Notes who begins and ends; a task takes ``lasts`` seconds to end once it is told to."""

    def __init__(self, lasts: float = 0.0) -> None:
        self.lasts = lasts
        self.seen: list[str] = []
        self.at_once = 0

    def duty(self, name: str, terms: object) -> TaskSpec:
        async def work(leave: trio.Event) -> None:
            self.at_once += 1
            assert self.at_once <= 2, "never two of one name"
            self.seen.append(f"{name}{terms} begins")
            await leave.wait()
            await trio.sleep(self.lasts)
            self.seen.append(f"{name}{terms} ends")
            self.at_once -= 1

        return TaskSpec(name, terms, work)


async def settled(act: Callable[[], None]) -> None:
    act()
    await trio.testing.wait_all_tasks_blocked()


async def test_what_stays_as_it_was_goes_on_and_the_rest_follows(autojump_clock: trio.testing.MockClock) -> None:
    work = Work()
    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery)
        await settled(lambda: roster.assign([work.duty("a", 1), work.duty("b", 1)]))
        work.seen.clear()
        await settled(lambda: roster.assign([work.duty("a", 1), work.duty("b", 2)]))
        assert work.seen == ["b1 ends", "b2 begins"]
        await settled(lambda: roster.assign([work.duty("a", 1)]))
        assert work.seen[2:] == ["b2 ends"]
        roster.assign(())
    assert work.seen[3:] == ["a1 ends"]


async def test_a_successor_begins_when_the_one_before_is_gone_however_often_it_is_replaced(
    autojump_clock: trio.testing.MockClock,
) -> None:
    work = Work(lasts=60)
    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery)
        for terms in (1, 2, 3, 4):
            await settled(lambda terms=terms: roster.assign([work.duty("a", terms)]))
        assert work.seen == ["a1 begins"]
        await trio.sleep(61)
        assert work.seen == ["a1 begins", "a1 ends", "a4 begins"], "those in between never began"
        await settled(lambda: roster.assign(()))
        await settled(lambda: roster.assign([work.duty("a", 4)]))
        await trio.sleep(61)
        assert work.seen[3:] == ["a4 ends", "a4 begins"]
        roster.assign(())


async def test_a_task_that_has_ended_by_itself_is_not_begun_again(autojump_clock: trio.testing.MockClock) -> None:
    begun = []

    async def work(leave: trio.Event) -> None:
        begun.append(leave)

    async with trio.open_nursery() as nursery:
        roster = TaskSupervisor(nursery)
        await settled(lambda: roster.assign([TaskSpec("a", 1, work)]))
        await settled(lambda: roster.assign([TaskSpec("a", 1, work)]))
    assert len(begun) == 1


async def test_work_that_may_be_broken_off_ends_when_it_is_told_to_or_is_done(
    autojump_clock: trio.testing.MockClock,
) -> None:
    leave = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_until, leave, trio.sleep_forever)
        await trio.sleep(1)
        leave.set()
    await run_until(trio.Event(), lambda: trio.sleep(1))
    assert trio.current_time() == 2


def test_terms_can_be_about_one_object() -> None:
    one, other = [1], [1]
    assert ById(one) == ById(one) != ById(other)
    assert len({ById(one), ById(one)}) == 1
