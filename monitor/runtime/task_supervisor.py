"""The tasks that a configuration asks for, kept as they are while what they come of does not change.

Assigning anew ends the tasks of which nothing is written any more or something else, and begins those that are new. One that
takes another's place begins when that has ended: what it was about is nobody's meanwhile, and never two tasks' at once.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import trio

Work = Callable[[trio.Event], Awaitable[object]]
"""Goes on until the event is set and what was begun is brought to its end, or until it is cancelled."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task. ``terms`` is what it comes of: while they are equal, the task that runs goes on."""

    name: str
    terms: object
    work: Work


@dataclass(frozen=True, slots=True)
class ById:
    """Terms that are equal where they are about one and the same object."""

    what: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and self.what is other.what

    def __hash__(self) -> int:
        return id(self.what)


@dataclass(slots=True)
class _Task:
    """A duty's task: told to leave by one event, and gone at the other."""

    terms: object
    leave: trio.Event = field(default_factory=trio.Event)
    gone: trio.Event = field(default_factory=trio.Event)


KeepGoing = Callable[[str, Callable[[], Awaitable[object]], trio.Event], Awaitable[object]]
"""Does the work of a task of that name until it ends, or, where it fails unexpectedly, until the event is set."""


async def once(name: str, work: Callable[[], Awaitable[object]], leave: trio.Event) -> None:
    """Does it, and lets out what it raises."""
    await work()


class TaskSupervisor:
    """Keeps the tasks in ``nursery``. ``keep_going`` does their work, and decides what becomes of one that fails."""

    def __init__(self, nursery: trio.Nursery, keep_going: KeepGoing = once) -> None:
        self._nursery = nursery
        self._keep_going = keep_going
        self._tasks: dict[str, _Task] = {}
        self._leaving: dict[str, trio.Event] = {}

    def assign(self, specs: Iterable[TaskSpec]) -> None:
        """From now on these and no others; those that leave may take their time."""
        wanted = {spec.name: spec for spec in specs}
        for name, task in list(self._tasks.items()):
            if name not in wanted or wanted[name].terms != task.terms:
                del self._tasks[name]
                self._leaving[name] = task.gone
                task.leave.set()
        for name, spec in wanted.items():
            if name not in self._tasks:
                self._begin(spec)

    def _begin(self, spec: TaskSpec) -> None:
        task = self._tasks[spec.name] = _Task(spec.terms)
        self._nursery.start_soon(self._hold, spec, task, self._leaving.get(spec.name), name=spec.name)

    async def _hold(self, spec: TaskSpec, task: _Task, before: trio.Event | None) -> None:
        try:
            if before is not None:
                await before.wait()
            if not task.leave.is_set():
                await self._keep_going(spec.name, partial(spec.work, task.leave), task.leave)
        finally:
            task.gone.set()
            if self._leaving.get(spec.name) is task.gone:
                del self._leaving[spec.name]


async def run_until(leave: trio.Event, work: Callable[[], Awaitable[object]]) -> None:
    """Do something that may be broken off anywhere until it ends or ``leave`` is set."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await leave.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await work()
        nursery.cancel_scope.cancel()
