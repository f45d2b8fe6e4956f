"""Counts work instead of timing it: the calls that this program's own functions make. It is the same at each run, whatever the machine does."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import TypeVar

import trio

import monitor
from monitor.runtime.pieces import Work

T = TypeVar("T")
_OURS = str(Path(monitor.__file__).parent)


@dataclass
class CountedWork:
    """``done`` counts the calls of and by our functions while it is on, also those of C. Functions in the folders ``without`` do not count."""

    without: Collection[str] = ()
    done: int = 0
    _counts: dict[CodeType, bool] = field(default_factory=dict)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts within the block."""
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            known = self._counts.get(frame.f_code)
            if known is None:
                known = self._counts[frame.f_code] = self._is_ours(frame.f_code.co_filename)
            self.done += known

    def _is_ours(self, path: str) -> bool:
        return path.startswith(_OURS) and not any(path.startswith(f"{_OURS}/{folder}/") for folder in self.without)


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
