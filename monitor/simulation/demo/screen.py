"""A terminal whose last line changes in place while others print above it; without a terminal, only lines."""

import io
import os
import threading
from typing import Final, TextIO

_CLEAR: Final = "\r\x1b[2K"
_CANNOT_MOVE: Final = ("", "dumb", "unknown")
"""Values of TERM for terminals that cannot overwrite a line."""


class Screen(io.StringIO):
    """Passes all text on to ``stream`` and stores none. Several threads may write.

    Replaces characters that the stream's encoding lacks by question marks. After the reader has closed the pipe, ``disconnected`` is true
    and further text is dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.disconnected = False
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._moves = stream.isatty() and os.environ.get("TERM", "") not in _CANNOT_MOVE
        self._lock = threading.Lock()
        self._shows_live = False
        self._at_start = True

    def isatty(self) -> bool:
        """Returns whether the stream is a terminal."""
        return self._stream.isatty()

    @property
    def moves(self) -> bool:
        """Whether a line can be overwritten."""
        return self._moves

    def write(self, text: str) -> int:
        """Writes ``text``, above the changing line if that is shown."""
        with self._lock:
            self._put((_CLEAR if self._shows_live else "") + text)
            self._shows_live = False
            self._at_start = text.endswith("\n") if text else self._at_start
        return len(text)

    def flush(self) -> None:
        """Does nothing, because all text is written at once."""

    def live(self, text: str) -> None:
        """Shows ``text`` (without a line break) as the changing line, unless another line is half written."""
        with self._lock:
            if self._at_start and self._moves:
                self._put(_CLEAR + text)
                self._shows_live = bool(text)

    def _put(self, text: str) -> None:
        if self.disconnected:
            return
        try:
            self._stream.write(text.encode(self._encoding, "replace").decode(self._encoding))
            self._stream.flush()
        except (OSError, ValueError):  # the pipe or the stream has been closed
            self.disconnected = True
