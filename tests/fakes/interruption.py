"""Interrupts a task, or any task below it, at its nth checkpoint: by a cancellation or a reload."""

from collections.abc import Awaitable, Callable

import trio


class _Moments(trio.abc.Instrument):
    """Counts when a task is about to go on and when it has just given way: it can be interrupted in no other moments."""

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
    """Do ``action`` and call ``act`` in its moment number ``at``; gives whether it has so many moments."""
    moments = _Moments(trio.lowlevel.current_task(), at, act)
    trio.lowlevel.add_instrument(moments)
    try:
        await action()
    finally:
        trio.lowlevel.remove_instrument(moments)
    return moments.left < 0


async def cancelled(at: int, action: Callable[[], Awaitable[object]]) -> bool:
    """Do ``action`` and cancel it in its moment number ``at``; gives whether it has so many moments."""
    came = False
    with trio.CancelScope() as scope:
        came = await interrupted(at, action, scope.cancel)
    return came or scope.cancelled_caught
