"""A text stream whose writers never wait for the one who reads it: a pipe that nobody empties, or a terminal that is stopped."""

import io
import os
import stat
import threading
from typing import Final, TextIO

MOST: Final = 1024 * 1024
"""The most characters that wait to be read; what comes while as many wait is lost, and counted."""


class UnblockedStream(io.StringIO):
    """Passes texts on to ``stream`` in their order, from a thread of its own. Several threads may write.

    A text that finds no room is lost; how many were is written once there is room again. Once the stream is closed or broken, all is
    dropped. A regular file, or a stream without a file, is written to at once.
    """

    def __init__(self, stream: TextIO, most: int = MOST) -> None:
        super().__init__()
        self._stream = stream
        self._most = most
        self._waiting: list[str] = []
        self._size = 0
        self._lost = 0
        self._is_broken = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._may_block = _may_block(stream)

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed has a variable
        """The encoding of the stream."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Returns whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Returns the stream's file descriptor. Raises OSError if it has none."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Takes the text, which is written soon. Raises OSError or ValueError only where it is written at once."""
        if not self._may_block:
            self._stream.write(text)
            self._stream.flush()
            return len(text)
        with self._changed:
            if self._is_broken:
                return len(text)
            if self._size + len(text) > self._most:
                self._lost += 1
                return len(text)
            self._waiting.append(text)
            self._size += len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._pass_on, name="output", daemon=True)
                self._thread.start()
        return len(text)

    def flush(self) -> None:
        """Does nothing: all text is written as soon as there is room. See `drain`."""

    def drain(self, patience: float) -> None:
        """Waits until all is written, for at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._size or self._is_broken, patience)

    def _pass_on(self) -> None:
        """Writes what waits, until nothing does."""
        while text := self._next():
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads it any more, or it is closed
                self._is_broken = True
            with self._changed:
                self._size -= len(text)
                self._changed.notify_all()

    def _next(self) -> str:
        with self._changed:
            if self._lost and not self._waiting:
                self._waiting.append(f"{self._lost} lines were lost here: nobody read this output for a while\n")
                self._size += len(self._waiting[0])
                self._lost = 0
            text, self._waiting = "" if self._is_broken else "".join(self._waiting), []
            if not text:
                self._thread = None
        return text


def _may_block(stream: TextIO) -> bool:
    try:
        return not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
