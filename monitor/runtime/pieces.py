"""Long pure work that can be done in pieces, so that other tasks run in between.

Work is a generator: it yields wherever it may be interrupted, and returns its result. It knows nothing of tasks. `at_once` does all of it
without a pause; `monitor.runtime.checkpoints.Pieces` lets other tasks run in between. Who does work in pieces keeps all that it reads
from changing meanwhile.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any, TypeVar

T = TypeVar("T")
Work = Generator[None, None, T]


def at_once(work: Work[T], between: Callable[[], object] | None = None) -> T:
    """Does all of the work and returns its result. ``between`` is called between two pieces; what it raises ends the work."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
        if between is not None:
            between()


def done(result: T) -> Work[T]:
    """Work that is done already, with this result."""
    yield from ()
    return result


def paced(items: Iterable[T], most: int) -> Iterator[tuple[T, bool]]:
    """Yields each item with whether to pause after it: after every ``most`` of them.

    ``for item, pauses in paced(items, most): …; if pauses: yield`` is how a loop is done in pieces.
    """
    return ((item, number % most == 0) for number, item in enumerate(items, 1))


def listed(items: Iterable[T], most: int) -> Work[list[T]]:
    """Lists the items, with a pause after every ``most`` of them."""
    found: list[T] = []
    for item, pauses in paced(items, most):
        found.append(item)
        if pauses:
            yield
    return found


def ordered(items: Iterable[T], key: Callable[[T], Any], most: int, *, reverse: bool = False) -> Work[list[T]]:
    """Returns what ``sorted`` does, with a pause after every ``most`` items: so many are sorted at a time, and then merged."""
    runs: list[list[tuple[Any, T]]] = [[]]
    for item, pauses in paced(items, most):
        runs[-1].append((key(item), item))
        if pauses:
            runs[-1].sort(key=itemgetter(0), reverse=reverse)
            runs.append([])
            yield
    runs[-1].sort(key=itemgetter(0), reverse=reverse)
    if len(runs) == 1:
        return [item for _, item in runs[0]]
    merged = merge(*runs, key=itemgetter(0), reverse=reverse)
    return (yield from listed((item for _, item in merged), most))
