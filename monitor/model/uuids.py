"""Message ids as numbers. Routee's ids are UUIDs, which are 128 bits if they are written the usual way: in small letters, with four dashes.

Those of a page are read once, together: `Uuids` has the texts and the numbers.
"""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

_LENGTH: Final = 36
_THIRD: Final = slice(12, 16)
"""The digits of the third group, the version of the UUID among them."""
_THIRD_WORD: Final = 3
_NO_VERSION: Final = "0000"
_DASHES: Final = np.array([8, 13, 18, 23])
_HEX: Final = frozenset("0123456789abcdef")

Octets = NDArray[np.uint8]
Halves = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""The high and the low 64 bits of ids."""


class Uuids(tuple[str, ...]):
    """Texts that all are usual UUIDs, with their ``halves``."""

    halves: Halves

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Self | None:
        """Returns the texts with their numbers; None if there are none, or any of them is missing or no usual UUID."""
        try:
            joined = "".join(texts)  # type: ignore[arg-type]  # None among them is a TypeError, as is meant
        except TypeError:
            return None
        octets = _usual(joined) if set(map(len, texts)) == {_LENGTH} and joined.isascii() else None  # type: ignore[arg-type]  # there is no None
        if octets is None:
            return None
        found = cls(texts)  # type: ignore[arg-type]  # as above
        found.halves = _halves(octets)
        return found


def halves_of(ids: Sequence[str], octets_of_other: Callable[[str], bytes]) -> Halves:
    """Returns the numbers of the usual UUIDs among ``ids``, and for each of the others those of the 16 bytes that ``octets_of_other`` returns."""
    usual = ids if isinstance(ids, Uuids) else Uuids.of(ids)
    if usual is not None:
        return usual.halves
    every = b"".join([octets_of_one(one) or octets_of_other(one) for one in ids])
    return _halves(np.frombuffer(every, np.uint8).reshape(-1, 16))


def octets_of_one(text: str) -> bytes | None:
    """Returns the 128 bits of a usual UUID; None for any other text."""
    digits = text.replace("-", "")
    if len(digits) != 32 or text != dashed(digits) or digits[_THIRD] == _NO_VERSION or not _HEX.issuperset(digits):
        return None
    return bytes.fromhex(digits)


def is_usual(digits: str) -> bool:
    """Returns whether 32 digits are those of a usual UUID, and not of what replaces another id."""
    return digits[_THIRD] != _NO_VERSION


def dashed(digits: str) -> str:
    """Returns the UUID with these 32 digits, as it is written."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _usual(joined: str) -> Octets | None:
    """Returns the 128 bits of each 36 characters, all of which are a usual UUID; None if any is not."""
    written = joined.encode()
    digits = written.translate(None, b"-")
    dashes = np.frombuffer(written, np.uint8).reshape(-1, _LENGTH)[:, _DASHES]
    if len(digits) * _LENGTH != len(written) * 32 or not (dashes == ord("-")).all() or digits != digits.lower():
        return None
    try:
        octets = np.frombuffer(unhexlify(digits), np.uint8).reshape(-1, 16)
    except ValueError:  # other characters
        return None
    return octets if octets.view(np.uint16)[:, _THIRD_WORD].all() else None


def _halves(octets: Octets) -> Halves:
    words = np.ascontiguousarray(octets).view(">u8").astype(np.uint64)
    return words[:, 0].copy(), words[:, 1].copy()
