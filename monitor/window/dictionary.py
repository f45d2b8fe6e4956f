"""Dictionaries replace texts by small numbers, so that columns are narrow and comparisons are fast; and sets of searches as such numbers."""

import hashlib
from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import UNKNOWN
from monitor.model.numbering import Numbering

Codes = NDArray[np.int64]


class Dictionary:
    """The texts of one field, numbered from 0 in the order in which they were first seen."""

    def __init__(self) -> None:
        self._codes = Numbering[str]()
        self._digests = np.zeros(0, np.uint64)
        self._saved = 0

    def __len__(self) -> int:
        return len(self._codes)

    def encode(self, texts: Sequence[str]) -> Codes:
        """Returns the code of each text. New texts get new codes."""
        return np.fromiter(map(self._codes.__getitem__, texts), np.int64, len(texts))

    def code(self, text: str) -> int | None:
        """Returns the code of a text; None if it was never seen."""
        return self._codes.get(text)

    @property
    def texts(self) -> Sequence[str]:
        """Returns the texts by their codes."""
        return self._codes.values_in_order

    def digests(self) -> NDArray[np.uint64]:
        """Returns a 64-bit hash of each text, by code. It gives texts an order that does not depend on their arrival. UNKNOWN has the
        lowest, 0."""
        known = len(self._digests)
        if known < len(self):
            fresh = b"".join(map(_digest, self.texts[known:]))
            self._digests = np.concatenate([self._digests, np.frombuffer(fresh, np.uint64)])
        return self._digests

    def unsaved(self) -> tuple[int, Sequence[str]]:
        """Returns the texts that are not in the store yet, and the code of the first one; the others follow it."""
        return self._saved, self.texts[self._saved :]

    def saved(self, count: int) -> None:
        """Notes that the first ``count`` entries are in the store."""
        self._saved = max(self._saved, count)

    def restore(self, texts: Sequence[str]) -> None:
        """Adds the stored entries, or some of them, in the order of their codes."""
        self.encode(texts)
        self.saved(len(self))


def _digest(text: str) -> bytes:
    return bytes(8) if text == UNKNOWN else hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


class Sets:
    """Codes for sets of searches: those that have a message, and, marked by LEFT, those that had it before."""

    SEPARATOR = "\x1f"
    LEFT = "\x1e"

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._pairs: dict[tuple[int, int, bool], int] = {}

    def code(self, names: frozenset[str]) -> int:
        """Returns the code of a set."""
        return int(self.dictionary.encode([self.SEPARATOR.join(sorted(names))])[0])

    def members(self, code: int) -> frozenset[str]:
        """Returns the set of a code."""
        return frozenset(filter(None, self.dictionary.texts[code].split(self.SEPARATOR)))

    def union(self, left: Codes, right: Codes) -> Codes:
        """Returns the code of the union for each pair. A search that is in one set and marked as left in the other is unmarked in the
        union."""
        return self._of_pairs(left, right, later=False)

    def after(self, before: Codes, reported: Codes) -> Codes:
        """Returns the code of each set after a report: the searches in ``reported``, marked as left or not, replace their earlier marks."""
        return self._of_pairs(before, reported, later=True)

    def ever(self, code: int) -> frozenset[str]:
        """Returns all searches that have the message or had it before."""
        return frozenset(name.removeprefix(self.LEFT) for name in self.members(code))

    def without(self, code: int, names: Set[str]) -> int:
        """Returns the code of the set with these searches marked as left."""
        had = self.members(code)
        return self.code((had - names) | {self.left(name) for name in names & had})

    def left(self, search: str) -> str:
        """Returns the search's name marked as left."""
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
