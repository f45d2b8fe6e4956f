"""A text stream whose writers never wait for the one who reads it: a pipe that nobody empties, or a terminal that is stopped."""

import io
import os
import select
import stat
from collections.abc import Callable, Sequence
from typing import TextIO

from monitor.runtime.background_writer import MOST, BackgroundWriter


class UnblockedStream(io.StringIO):
    """Passes texts on to ``stream`` in their order, from a thread. Several threads may write.

    A text that finds no room is lost; how many were is written once there is room again. Once the stream is closed or broken, all is
    dropped. A regular file, or a stream without a file, is written to at once. ``lost`` returns the line that says how many texts were lost.
    """

    def __init__(self, stream: TextIO, most: int = MOST, lost: Callable[[int], str] | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._writer = BackgroundWriter[str](self._pass_on, len, lost or _lost, most) if _may_block(stream) else None

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
        if self._writer is None:
            self._stream.write(text)
            self._stream.flush()
        else:
            self._writer.put(text)
        return len(text)

    def flush(self) -> None:
        """Does nothing: all text is written as soon as there is room. See `drain`."""

    def drain(self, patience: float) -> None:
        """Waits until all is written, for at most so many seconds."""
        if self._writer is not None:
            self._writer.drain(patience)

    def _pass_on(self, texts: Sequence[str]) -> None:
        """Writes to the file itself: the stream would keep an unknown part of it where another process has set the file to not wait."""
        file, left = self._stream.fileno(), memoryview("".join(texts).encode(self.encoding, "backslashreplace"))
        while left:
            try:
                left = left[os.write(file, left) :]
            except BlockingIOError:
                _wait_for_room(file)


def _wait_for_room(file: int) -> None:
    wait = select.poll()
    wait.register(file, select.POLLOUT)
    wait.poll()


def _lost(count: int) -> str:
    return f"{count} texts were lost here: nobody read this output for a while\n"


def _may_block(stream: TextIO) -> bool:
    try:
        return not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
