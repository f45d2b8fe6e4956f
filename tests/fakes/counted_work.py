"""Counts work instead of timing it: the bytecodes of this program's own functions. It is the same at each run, whatever else the machine does."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import trio

import monitor
from monitor.runtime.pieces import Work

T = TypeVar("T")
_OURS = str(Path(monitor.__file__).parent)


@dataclass
class CountedWork:
    """``done`` counts the bytecodes while it is on. What functions of the folders ``without`` do, and what they call, is not counted."""

    without: Collection[str] = ()
    done: int = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts within the block; what traced before, such as coverage, does so again afterwards."""
        before = sys.gettrace()
        sys.settrace(self._begin)
        try:
            yield
        finally:
            sys.settrace(before)

    def _begin(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        """Counts in this frame, if it is one of ours."""
        path = frame.f_code.co_filename
        if not path.startswith(_OURS) or any(path.startswith(f"{_OURS}/{folder}/") for folder in self.without):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._count

    def _count(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        if event == "opcode":
            self.done += 1
        return self._count


def work_in_pieces(work: Work[T]) -> tuple[T, list[int]]:
    """Does the work; returns its result and how much each piece of it was."""
    pieces = list[int]()
    while True:
        counted = CountedWork()
        try:
            with counted.counting():
                next(work)
        except StopIteration as done:
            pieces.append(counted.done)
            result: T = done.value
            return result, pieces
        pieces.append(counted.done)


@dataclass(eq=False)
class CountedSteps(trio.abc.Instrument):
    """Counts the work of each step of each task: nothing else runs during one. What the store does is not counted: it has its own thread."""

    steps: list[int] = field(default_factory=list)
    _counted: CountedWork = field(default_factory=lambda: CountedWork(["store"]))

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._counted.done = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps.append(self._counted.done)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Counts within the block, all of which runs in one trio run."""
        trio.lowlevel.add_instrument(self)
        try:
            with self._counted.counting():
                yield
        finally:
            trio.lowlevel.remove_instrument(self)
