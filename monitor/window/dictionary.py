"""Dictionaries: texts as small numbers, so that columns are narrow and comparing is comparing numbers."""

import hashlib
from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import UNKNOWN

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
    """Sets of searches as codes: those that have a message, and (marked by LEFT) those that had it before."""

    SEPARATOR = "\x1f"
    LEFT = "\x1e"

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._pairs: dict[tuple[int, int, bool], int] = {}

    def code(self, names: frozenset[str]) -> int:
        """The code of a set."""
        return int(self.dictionary.encode([self.SEPARATOR.join(sorted(names))])[0])

    def members(self, code: int) -> frozenset[str]:
        """The set of a code."""
        return frozenset(self.dictionary.texts[code].split(self.SEPARATOR))

    def union(self, left: Codes, right: Codes) -> Codes:
        """The code of the union, pair by pair. A search that has what another part of a message has left is in it."""
        return self._of_pairs(left, right, later=False)

    def after(self, before: Codes, told: Codes) -> Codes:
        """The sets after what was told, pair by pair: what it says of a search goes, be it that the search has a message or that it has left."""
        return self._of_pairs(before, told, later=True)

    def ever(self, code: int) -> frozenset[str]:
        """All searches that had it once."""
        return frozenset(name.removeprefix(self.LEFT) for name in self.members(code))

    def without(self, code: int, names: Set[str]) -> int:
        """The set after these searches have left it."""
        had = self.members(code)
        return self.code((had - names) | {self.left(name) for name in names & had})

    def left(self, search: str) -> str:
        """How a search stands in a set that it has left."""
        return search if search.startswith(self.LEFT) else self.LEFT + search

    def _of_pairs(self, left: Codes, right: Codes, *, later: bool) -> Codes:
        if np.array_equal(left, right):
            return left
        pairs, inverse = np.unique((left << 32) | right, return_inverse=True)
        codes = [self._of_pair(int(pair) >> 32, int(pair) & 0xFFFFFFFF, later) for pair in pairs]
        return np.array(codes, np.int64)[inverse]

    def _of_pair(self, left: int, right: int, later: bool) -> int:
        if left == right:
            return left
        known = self._pairs.get((left, right, later))
        if known is None:
            one, other = self.members(left), self.members(right)
            hidden = {
                name.removeprefix(self.LEFT) if name.startswith(self.LEFT) else self.LEFT + name for name in other
            }
            both = ((one - hidden) if later else one) | other
            present = {name for name in both if not name.startswith(self.LEFT)}
            known = self.code(
                frozenset(name for name in both if name.removeprefix(self.LEFT) not in present or name in present)
            )
            self._pairs[left, right, later] = known
        return known
