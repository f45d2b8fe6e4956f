"""Interrupts a task, or any task below it, at its nth checkpoint: by a cancellation or a reload."""

from collections.abc import Awaitable, Callable

import trio


class _TaskSteps(trio.abc.Instrument):
    """Counts each time a task is about to run and has just yielded, the only points at which it can be interrupted."""

    def __init__(self, root: trio.lowlevel.Task, at: int, act: Callable[[], None]) -> None:
        self.left = at
        self._root = root
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._count(task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._count(task)

    def _count(self, task: trio.lowlevel.Task) -> None:
        if self.left >= 0 and self._is_below(task):
            self.left -= 1
            if self.left < 0:
                self._act()

    def _is_below(self, task: trio.lowlevel.Task | None) -> bool:
        while task is not None and task is not self._root:
            task = None if task.parent_nursery is None else task.parent_nursery.parent_task
        return task is not None


async def interrupted(at: int, action: Callable[[], Awaitable[object]], act: Callable[[], None]) -> bool:
    """Runs ``action`` and calls ``act`` at its step number ``at``; returns whether it has that many steps."""
    steps = _TaskSteps(trio.lowlevel.current_task(), at, act)
    trio.lowlevel.add_instrument(steps)
    try:
        await action()
    finally:
        trio.lowlevel.remove_instrument(steps)
    return steps.left < 0


async def cancelled(at: int, action: Callable[[], Awaitable[object]]) -> bool:
    """Runs ``action`` and cancels it at its step number ``at``; returns whether it has that many steps."""
    came = False
    with trio.CancelScope() as scope:
        came = await interrupted(at, action, scope.cancel)
    return came or scope.cancelled_caught
