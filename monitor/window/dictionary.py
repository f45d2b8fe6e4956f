"""Dictionaries: texts as small numbers, so that columns are narrow and comparing is comparing numbers."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.message import UNKNOWN

Codes = NDArray[np.int64]


class _Codes(dict[str, int]):
    """Gives a text that it does not know the next number; ``texts`` has them in that order."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self)
        self.texts.append(text)
        return code


class Dictionary:
    """The texts of one field, numbered from 0 in the order they were first seen."""

    def __init__(self) -> None:
        self._codes = _Codes()
        self._digests = np.zeros(0, np.uint64)
        self._saved = 0

    def __len__(self) -> int:
        return len(self._codes)

    def encode(self, texts: Sequence[str]) -> Codes:
        """The code of each text; new texts get new codes."""
        return np.fromiter(map(self._codes.__getitem__, texts), np.int64, len(texts))

    def code(self, text: str) -> int | None:
        """The code of a text, None where it was never seen."""
        return self._codes.get(text)

    @property
    def texts(self) -> Sequence[str]:
        """The text of each code."""
        return self._codes.texts

    def digests(self) -> NDArray[np.uint64]:
        """64 bits of each text that do not depend on the order of arrival: what puts texts in order. UNKNOWN has 0, the lowest."""
        known = len(self._digests)
        if known < len(self):
            fresh = b"".join(map(_digest, self.texts[known:]))
            self._digests = np.concatenate([self._digests, np.frombuffer(fresh, np.uint64)])
        return self._digests

    def unsaved(self) -> list[tuple[int, str]]:
        """The entries that `saved` has not heard of yet."""
        return list(enumerate(self.texts[self._saved :], self._saved))

    def saved(self, count: int) -> None:
        """The first ``count`` entries are in the store."""
        self._saved = max(self._saved, count)

    def restore(self, texts: Sequence[str]) -> None:
        """Take the entries over from the store, in the order of their codes."""
        self.encode(texts)
        self.saved(len(texts))


def _digest(text: str) -> bytes:
    return bytes(8) if text == UNKNOWN else hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


class Sets:
    """Sets of searches as codes, with the union of two codes: which searches have returned a message."""

    SEPARATOR = "\x1f"

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._unions: dict[tuple[int, int], int] = {}

    def code(self, names: frozenset[str]) -> int:
        """The code of a set."""
        return int(self.dictionary.encode([self.SEPARATOR.join(sorted(names))])[0])

    def members(self, code: int) -> frozenset[str]:
        """The set of a code."""
        return frozenset(self.dictionary.texts[code].split(self.SEPARATOR))

    def union(self, left: Codes, right: Codes) -> Codes:
        """The code of the union, pair by pair."""
        if np.array_equal(left, right):
            return left
        pairs, inverse = np.unique((left << 32) | right, return_inverse=True)
        return np.array([self._union(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs], np.int64)[inverse]

    def _union(self, left: int, right: int) -> int:
        if left == right:
            return left
        known = self._unions.get((left, right))
        if known is None:
            known = self._unions[left, right] = self.code(self.members(left) | self.members(right))
        return known
