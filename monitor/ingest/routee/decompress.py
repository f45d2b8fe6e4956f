"""Decompresses an answer's body at once, up to a maximal size."""

import zlib
from typing import Final

LARGEST_BODY: Final = 32 * 2**20
"""The most bytes of an unpacked answer: over four times a page of 2,000 messages of ten parts. Decoding it takes up to ten times as much
memory for a moment."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class TooLarge(ValueError):
    """An answer is larger than LARGEST_BODY."""


class Damaged(ValueError):
    """An answer cannot be decompressed."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """Returns ``body`` with its Content-Encoding undone. Raises TooLarge or Damaged."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Damaged("it is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacker.decompress(body, LARGEST_BODY)
    except zlib.error as error:
        raise Damaged("its compression is damaged") from error
    if unpacker.unconsumed_tail:
        raise TooLarge(f"it is larger than {LARGEST_BODY >> 20} MiB")
    if not unpacker.eof and body:
        raise Damaged("its compression is cut off")
    return plain
