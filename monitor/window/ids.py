"""Encodes message ids as 128 bits, and decodes them.

Routee's ids are UUIDs, which are 128 bits if they are written the usual way. Any other text becomes a hash in the form of a UUID whose
third group is 0000, which no real UUID has. The texts of the latest 100,000 such ids are remembered.
"""

import hashlib
from binascii import unhexlify
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LENGTH = 36
_THIRD = slice(12, 16)  # the digits of the third group, the version of the UUID among them
_THIRD_WORD = 3
_HASHED = "0000"
_TEXTS_KEPT = 100_000
_DASHES = np.array([8, 13, 18, 23])
_DIGITS = np.array([i for i in range(_LENGTH) if i not in (8, 13, 18, 23)])
_NIBBLE = np.full(256, 255, np.uint8)
_NIBBLE[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)

_HEX = set("0123456789abcdef")

Octets = NDArray[np.uint8]
Halves = tuple[NDArray[np.uint64], NDArray[np.uint64]]


class MessageIds:
    """Encodes and decodes ids, and remembers the texts of the latest ids that are not UUIDs."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[int, int], str] = OrderedDict()

    def encode(self, ids: Sequence[str]) -> Halves:
        """Returns the high and the low 64 bits of each id."""
        joined = "".join(ids)
        if set(map(len, ids)) != {_LENGTH} or not joined.isascii():
            return _halves(self._octets(ids))
        octets, plain = _parsed(joined)
        if not plain.all():
            odd = np.flatnonzero(~plain)
            octets[odd] = self._octets([ids[i] for i in odd.tolist()])
        return _halves(octets)

    def _octets(self, ids: Sequence[str]) -> Octets:
        return np.frombuffer(b"".join(map(self._bytes, ids)), np.uint8).reshape(-1, 16)

    def _bytes(self, text: str) -> bytes:
        digits = text.replace("-", "")
        if len(digits) == 32 and text == _dashed(digits) and set(digits) <= _HEX and digits[_THIRD] != _HASHED:
            return bytes.fromhex(digits)
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
        if digits[_THIRD] != _HASHED:
            return _dashed(digits)
        return self._texts.get((high, low), "#" + digits)


def _parsed(joined: str) -> tuple[Octets, NDArray[np.bool_]]:
    """Returns the 128 bits of each 36 characters, and which of them are a UUID that is written the usual way."""
    usual = _parsed_usual(joined)
    if usual is not None:
        return usual, np.ones(len(usual), np.bool_)
    table = np.frombuffer(joined.encode(), np.uint8).reshape(-1, _LENGTH)
    nibbles = _NIBBLE[table[:, _DIGITS]]
    plain = (table[:, _DASHES] == ord("-")).all(axis=1) & nibbles[:, _THIRD].any(axis=1)
    if nibbles.max(initial=0) > 15:
        plain &= (nibbles < 16).all(axis=1)
    return ((nibbles[:, ::2] << 4) | nibbles[:, 1::2]).astype(np.uint8), np.asarray(plain, np.bool_)


def _parsed_usual(joined: str) -> Octets | None:
    """Returns the 128 bits of each 36 characters, all of which are a UUID that is written the usual way; None if any is not."""
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


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
