"""A terminal whose last line changes in place while others print above it; without a terminal, nothing but lines."""

import io
import os
import threading
from typing import Final, TextIO

_CLEAR: Final = "\r\x1b[2K"
_CANNOT_MOVE: Final = ("", "dumb", "unknown")
"""Values of TERM at which nothing can be written over."""


class Screen(io.StringIO):
    """Passes everything on to ``stream``; keeps none of it. Several threads may write.

    What the stream's encoding cannot say becomes a question mark. Once nobody reads any more (a closed pipe), ``gone`` is true
    and the rest is dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.gone = False
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._moves = stream.isatty() and os.environ.get("TERM", "") not in _CANNOT_MOVE
        self._lock = threading.Lock()
        self._shows_live = False
        self._at_start = True

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    @property
    def moves(self) -> bool:
        """Whether a line can be written over."""
        return self._moves

    def write(self, text: str) -> int:
        """Write, in place of the changing line if that is shown."""
        with self._lock:
            self._put((_CLEAR if self._shows_live else "") + text)
            self._shows_live = False
            self._at_start = text.endswith("\n") if text else self._at_start
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def live(self, text: str) -> None:
        """Show ``text`` (without a line break) as the line that changes; not amid a line that is being written."""
        with self._lock:
            if self._at_start and self._moves:
                self._put(_CLEAR + text)
                self._shows_live = bool(text)

    def _put(self, text: str) -> None:
        if self.gone:
            return
        try:
            self._stream.write(text.encode(self._encoding, "replace").decode(self._encoding))
            self._stream.flush()
        except (OSError, ValueError):  # the pipe, or the stream itself, has been closed
            self.gone = True
