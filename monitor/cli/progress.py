"""Shows on a terminal what a command is doing, if that takes a while.

Every command that may take seconds shows it in this one way: on standard error, from half a second on, erased at the end. Nothing is shown
if standard error is no terminal, or with ``--json``.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_SECONDS: Final = 0.5
"""What takes less time than this is not shown."""

_OFF: Final = "monitor.cli.progress.off"
"""The key in click's context of `no_more_progress`."""

Report = Callable[[int, int], None]
"""Takes the finished and the whole amount of the work."""


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """Shows ``what`` is being done, for instance ``reading the store``, and how much of it, once the body has reported that."""
    if not _is_wanted():
        yield lambda done, total: None
        return
    shown = _Shown(what)
    thread = threading.Thread(target=shown.run, name="progress", daemon=True)
    thread.start()
    try:
        yield shown.report
    finally:
        shown.over.set()
        thread.join()


def no_more_progress() -> None:
    """From now on this command shows none, because its output stands on the terminal and is only renewed."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_OFF] = True


def _is_wanted() -> bool:
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_OFF):
        return False
    return sys.stderr.isatty() and not (context is not None and context.params.get("as_json"))


class _Shown:
    """One display. It has a thread of its own, because a command that loads a store has no time for it."""

    def __init__(self, what: str) -> None:
        self.over = threading.Event()
        self._what = what
        self._amount: tuple[int, int] | None = None

    def report(self, done: int, total: int) -> None:
        """Takes how much is done."""
        self._amount = done, total

    def run(self) -> None:
        """Shows it until it is over."""
        if self.over.wait(PATIENCE_SECONDS):
            return
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_dumb_terminal:  # it cannot erase a line
            return
        with _bars(console) as bars:
            task, is_counted = bars.add_task(f"{self._what} …", total=None), False
            while not self.over.wait(1 / bars.live.refresh_per_second):
                if self._amount is not None:
                    if not is_counted:
                        bars.columns, is_counted = _counted(), True
                    bars.update(task, completed=self._amount[0], total=self._amount[1])


def _bars(console: Any) -> "Progress":
    from rich.progress import Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _counted() -> tuple[Any, ...]:
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
