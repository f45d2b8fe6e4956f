"""The texts of one field with few values, each with a small number, its *code*."""

from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.clean_text import LONGEST, known

MISSING: Final = 0
"""The code of a missing text."""
MOST_CODES: Final = 256
"""One more than the largest code, which has to fit into a byte."""


class TextCodes:
    """The codes of texts. Threads may use it at the same time. A code is never another text's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._codes = {"": MISSING}
        self._shown: NDArray[np.object_] = np.array(known([""]), object)
        self.is_full = False
        """Whether there was a text that could get no code: it was one too many, or too long."""
        self.unlisted = 0
        """How many texts were looked up since `listed`."""

    def code(self, text: str) -> int | None:
        """Returns the code of a text, which may be new; None if it can get none."""
        with self._lock:
            self.unlisted += 1
            code = self._codes.get(text)
            if code is None:
                if len(self._codes) == MOST_CODES or len(text) > LONGEST:
                    self.is_full = True
                    return None
                code = len(self._codes)
                self._shown = np.array([*self._shown, *known([text])], object)
                self._codes[text] = code
            return code

    def listed(self) -> dict[str, int]:
        """Returns all texts with their codes."""
        with self._lock:
            self.unlisted = 0
            return dict(self._codes)

    def texts(self, codes: NDArray[Any]) -> list[str]:
        """Returns the texts as they are kept: cleaned, and UNKNOWN for a missing or empty one."""
        found: list[str] = self._shown[codes].tolist()
        return found
