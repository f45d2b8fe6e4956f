"""Encodes message ids as 128 bits, and decodes them.

Usual UUIDs are 128 bits (`monitor.model.uuids`). Any other text becomes a hash in the form of a UUID whose third group is 0000, which no
real UUID has. The texts of the latest 100,000 such ids are remembered.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from monitor.model.uuids import Halves, dashed, halves_of, is_usual

_TEXTS_KEPT = 100_000


class MessageIds:
    """Encodes and decodes ids, and remembers the texts of the latest ids that are not UUIDs."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[int, int], str] = OrderedDict()

    def encode(self, ids: Sequence[str]) -> Halves:
        """Returns the high and the low 64 bits of each id."""
        return halves_of(ids, self._hash)

    def _hash(self, text: str) -> bytes:
        digest = bytearray(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest())
        digest[6:8] = bytes(2)
        self._remember(digest, text)
        return bytes(digest)

    def _remember(self, digest: bytearray, text: str) -> None:
        self._texts[int.from_bytes(digest[:8]), int.from_bytes(digest[8:])] = text
        if len(self._texts) > _TEXTS_KEPT:
            self._texts.popitem(last=False)  # a plain dict would search its first entry among deleted ones

    def decode(self, high: int, low: int) -> str:
        """Returns the id as it was written, or ``#`` and its hash if its text is forgotten."""
        digits = f"{high:016x}{low:016x}"
        if is_usual(digits):
            return dashed(digits)
        return self._texts.get((high, low), "#" + digits)
