"""Runs the tasks that a configuration asks for, and keeps each one running while its terms are unchanged.

A new assignment ends the tasks that were removed or changed and starts the new ones. A task that replaces another starts
after that one has ended, so that two tasks never do the same work at once.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field
from functools import partial

import trio

from monitor.runtime.dataclass import dataclass

Work = Callable[[trio.Event], Awaitable[object]]
"""Runs until the event is set and its current work is finished, or until it is cancelled."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task. ``terms`` is the configuration that it depends on: while it stays equal, the running task continues."""

    name: str
    terms: object
    work: Work


@dataclass(frozen=True, slots=True)
class ById:
    """Terms that compare equal only for the same object."""

    what: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and self.what is other.what

    def __hash__(self) -> int:
        return id(self.what)


@dataclass(slots=True)
class _Task:
    """A running task: one event asks it to stop, the other is set when it has ended."""

    terms: object
    leave: trio.Event = field(default_factory=trio.Event)
    gone: trio.Event = field(default_factory=trio.Event)


KeepGoing = Callable[[str, Callable[[], Awaitable[object]], trio.Event], Awaitable[object]]
"""Runs the work of the named task until it ends; after an unexpected failure it retries until the event is set."""


async def once(name: str, work: Callable[[], Awaitable[object]], leave: trio.Event) -> None:
    """Runs the work once and lets its exceptions through."""
    await work()


class TaskSupervisor:
    """Runs the tasks in ``nursery``. ``keep_going`` runs their work and decides how a failure is handled."""

    def __init__(self, nursery: trio.Nursery, keep_going: KeepGoing = once) -> None:
        self._nursery = nursery
        self._keep_going = keep_going
        self._tasks: dict[str, _Task] = {}
        self._leaving: dict[str, trio.Event] = {}

    def assign(self, specs: Iterable[TaskSpec]) -> None:
        """Replaces the set of tasks with ``specs``; does not wait for removed tasks to end."""
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
    """Runs work that may be cancelled at any point until it ends or ``leave`` is set."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await leave.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await work()
        nursery.cancel_scope.cancel()
