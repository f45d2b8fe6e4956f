"""Bytes that are nearly right: a seed, changed in a few places."""

import random
from collections.abc import Sequence

_TOKENS = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"1e999",
    b"-1",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"{{",
    b"}}",
    b"{%",
    b"%}",
]
_TOKENS += [
    b"\n",
    b"  ",
    b"- ",
    b"&a",
    b"*a",
    b"!!x",
    b"=~",
    b"\\",
    b"99999999999999999999",
    b"NaN",
    b"true",
    b"\xe2\x80\xa8",
    b"|",
    b"(" * 60,
]


def mutated(luck: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with up to six changes: bytes replaced, dropped, doubled or put in, pieces of another seed among them."""
    data = bytearray(luck.choice(seeds))
    for _ in range(luck.randint(1, 6)):
        at = luck.randint(0, len(data))
        match luck.randrange(5):
            case 0:
                data[at:at] = luck.choice(_TOKENS)
            case 1:
                del data[at : at + luck.randint(1, 12)]
            case 2:
                data[at : at + 1] = bytes([luck.randrange(256)])
            case 3:
                data[at:at] = data[at : at + luck.randint(1, 40)] * luck.randint(1, 4)
            case _:
                other = luck.choice(seeds)
                start = luck.randint(0, len(other))
                data[at:at] = other[start : start + luck.randint(1, 30)]
    return bytes(data[:4_000])
