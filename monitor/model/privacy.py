"""People's numbers, of those who get messages and of those who write: what is kept of them is decided here, before anything is stored."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import INBOUND, UNKNOWN

Mode = Literal["mask", "hash", "show"]


def mask(number: str) -> str:
    """``+306912345678`` → ``+30691•••••78``. Numbers of up to eight digits keep only their last two."""
    if number == UNKNOWN:
        return number
    sign, digits = ("+", number[1:]) if number.startswith("+") else ("", number)
    kept = 5 if len(digits) > 8 else 0
    hidden = max(len(digits) - kept - 2, 0)
    return sign + digits[:kept] + "•" * hidden + digits[kept + hidden :] if hidden else sign + "•" * len(digits)


class RecipientMask:
    """Turns recipients into what may be kept: a keyed hash (to compare by) and a text (to show)."""

    def __init__(self, mode: Mode = "mask", key: bytes = b"") -> None:
        self.mode: Mode = mode
        self._keyed = hashlib.blake2b(digest_size=8, key=key)

    def hash(self, number: str) -> int:
        """64 bits that stand for the number; without the key nobody can try numbers out."""
        return int.from_bytes(self._digest(number), "little")

    def hashes(self, numbers: Sequence[str]) -> NDArray[np.uint64]:
        """`hash` of each."""
        return np.frombuffer(b"".join(map(self._digest, numbers)), np.uint64)

    def _digest(self, number: str) -> bytes:
        keyed = self._keyed.copy()  # setting the key anew takes longer than hashing
        keyed.update(number.encode())
        return keyed.digest()

    def texts(self, numbers: Sequence[str]) -> list[str]:
        """What is shown of each number under this mode."""
        if self.mode == "show":
            return list(numbers)
        if self.mode == "hash":
            return ["•" * 8] * len(numbers)
        # What `mask` gives, without a call for each of the many numbers of the usual form.
        return [
            f"{number[:6]}{'•' * (len(number) - 8)}{number[-2:]}"
            if number[:1] == "+" and len(number) > 9
            else mask(number)
            for number in numbers
        ]

    def sender(self, number: str) -> str:
        """What is kept of the number of a person who wrote: what is shown of it, and part of its hash to tell it from others."""
        if self.mode == "show" or number == UNKNOWN:
            return number
        (shown,) = self.texts([number])
        return f"{shown}#{self.hash(number):016x}"[: len(shown) + 9]

    def senders(self, names: Sequence[str], directions: Sequence[str]) -> Sequence[str]:
        """What is kept of senders: a name of one's own as it is, and of inbound messages `sender`."""
        inbound = {direction for direction in set(directions) if direction.casefold() == INBOUND.casefold()}
        if not inbound or self.mode == "show":
            return names
        pairs = zip(names, directions, strict=True)
        return [self.sender(name) if direction in inbound else name for name, direction in pairs]
