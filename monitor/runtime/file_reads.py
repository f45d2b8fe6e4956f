"""Reads files that people name, so that somebody else can see which one a thread waits for, and give that thread up."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from pathlib import Path
from typing import Final, TypeVar

from monitor.runtime.dataclass import dataclass

T = TypeVar("T")
_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass(slots=True)
class FileReads:
    """Which file a thread waits for now, and the how manieth that is. One thread writes it, another one reads it."""

    present: tuple[int, Path | None] = (0, None)
    _begun: int = field(default=0, init=False)

    def watching(self, call: Callable[[], T]) -> T:
        """Makes the call in this thread. What is no regular file is refused in it, since nobody knows whether it ever ends."""
        token = _PRESENT.set(self)
        try:
            return call()
        finally:
            _PRESENT.reset(token)

    def begin(self, path: Path) -> None:
        """Notes that the thread may have to wait for ``path`` from now on."""
        self._begun += 1
        self.present = self._begun, path

    def end(self) -> None:
        """Notes that it does not any more."""
        self.present = self._begun, None


_PRESENT: ContextVar[FileReads | None] = ContextVar("file_reads", default=None)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Returns a context in which something is asked of a file or folder, which may be on a mount that does not answer."""
    reads = _PRESENT.get()
    if reads is None:
        yield
        return
    reads.begin(path)
    try:
        yield
    finally:
        reads.end()


def read_file(path: Path, most: int) -> bytes:
    """Returns the beginning of a file, at most so many bytes. Raises OSError, and ValueError for a name that none can have.

    A command waits for whatever writes into a pipe; what must not wait for ever (`FileReads.watching`) refuses all but regular files.
    """
    with reading(path):
        if _PRESENT.get() is None:
            with path.open("rb") as stream:
                return stream.read(most)
        with open(path, "rb", opener=_without_waiting) as stream:
            kind = stat.S_IFMT(os.fstat(stream.fileno()).st_mode)
            if kind in _KINDS:
                raise OSError(0, f"it is {_KINDS[kind]}, not a file, and only files can be read again")
            return stream.read(most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
