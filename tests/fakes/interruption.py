"""Interrupts a task, or any task below it, at its nth checkpoint: by a cancellation or a reload."""

from collections.abc import Awaitable, Callable

import trio


class _Moments(trio.abc.Instrument):
    """Counts the moments at which a task can be interrupted: each time that it has just yielded, and, ``before_too``, that it is about to run.

    The latter is left out where nothing has happened since the moment that was counted last: whatever is done then does the same.
    """

    def __init__(self, root: trio.lowlevel.Task, at: int, act: Callable[[], None], *, before_too: bool) -> None:
        self.left = at
        self._root = root
        self._act = act
        self._before_too = before_too
        self._has_changed = True

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._before_too and self._has_changed and self._is_below(task):
            self._count()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._has_changed = not self._is_below(task)
        if not self._has_changed:
            self._count()

    def after_io_wait(self, timeout: float) -> None:
        self._has_changed = True

    def _count(self) -> None:
        self.left -= 1
        if self.left == -1:
            self._act()

    def _is_below(self, task: trio.lowlevel.Task | None) -> bool:
        while task is not None and task is not self._root:
            task = None if task.parent_nursery is None else task.parent_nursery.parent_task
        return task is not None


async def interrupted(
    at: int, action: Callable[[], Awaitable[object]], act: Callable[[], None], *, before_too: bool = False
) -> bool:
    """Runs ``action`` and calls ``act`` at its moment number ``at``; returns whether it has that many moments.

    What ``act`` does, or wakes, comes after the step of a task that is about to run, or before the next one: so ``before_too`` adds nothing,
    unless ``act`` cancels.
    """
    moments = _Moments(trio.lowlevel.current_task(), at, act, before_too=before_too)
    trio.lowlevel.add_instrument(moments)
    try:
        await action()
    finally:
        trio.lowlevel.remove_instrument(moments)
    return moments.left < 0


async def cancelled(at: int, action: Callable[[], Awaitable[object]]) -> bool:
    """Runs ``action`` and cancels it at its moment number ``at``; returns whether it has that many moments."""
    came = False
    with trio.CancelScope() as scope:
        came = await interrupted(at, action, scope.cancel, before_too=True)
    return came or scope.cancelled_caught
