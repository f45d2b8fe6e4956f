"""Identifiers from which their number can be computed, so that a million of them need no index.

They look like random UUIDs. The first half is the number times an odd constant modulo 2^64, which can be inverted; the second half is a hash of
the first, which distinguishes real identifiers from guesses.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SMS: Final = 0
MESSAGE: Final = 1

_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_SECOND_FACTOR = 0xC2B2AE3D27D4EB4F
_MASK = (1 << 64) - 1
_DASHES = (8, 13, 18, 23)
_DIGITS = np.array([column for column in range(36) if column not in _DASHES])


class Ids:
    """The identifiers of one sandbox; they depend on the seed."""

    def __init__(self, seed: int) -> None:
        self._key = (seed * _SECOND_FACTOR + 0x165667B19E3779F9) & _MASK

    def texts(self, numbers: NDArray[np.int64], kind: int) -> list[bytes]:
        """Returns the identifier of each number; ``kind`` is SMS or MESSAGE."""
        first = (numbers.astype(np.uint64) * np.uint64(2) + np.uint64(kind)) * np.uint64(_FACTOR) ^ np.uint64(self._key)
        second = first * np.uint64(_SECOND_FACTOR)
        second ^= second >> np.uint64(29)
        digits = np.stack([first, second], axis=1).astype(">u8").tobytes().hex().encode()
        out = np.full((len(numbers), 36), ord("-"), np.uint8)
        out[:, _DIGITS] = np.frombuffer(digits, np.uint8).reshape(-1, 32)
        texts: list[bytes] = out.view("S36").ravel().tolist()
        return texts

    def text(self, number: int, kind: int) -> str:
        """Returns the identifier of one number."""
        return self.texts(np.array([number]), kind)[0].decode()

    def number(self, text: str, kind: int) -> int | None:
        """Returns the number of an identifier; None if this sandbox never issued it."""
        digits = text.replace("-", "")
        try:
            first = int(digits[:16], 16)
        except ValueError:
            return None
        doubled = ((first ^ self._key) * _INVERSE) & _MASK
        number = doubled >> 1
        known = doubled & 1 == kind and number < 1 << 40 and self.text(number, kind) == text
        return number if known else None
