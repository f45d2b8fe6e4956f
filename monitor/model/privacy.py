"""Masks and hashes people's phone numbers, recipients' and senders', before anything is stored."""

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from monitor.model.message import INBOUND, UNKNOWN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Mode = Literal["mask", "hash", "show"]


_SEAL = "\0"
"""Begins a sealed number. What comes from outside has no such character: it is replaced before anything else is done with it."""
_SEALED = re.compile(r"\0([0-9a-f]{16})(.*)", re.DOTALL)
"""A sealed number: its hash, and the text to show."""


def mask(number: str) -> str:
    """Masks a number: ``+306912345678`` → ``+30691•••••78``. A number of up to eight digits keeps only its last two."""
    if number == UNKNOWN:
        return number
    sign, digits = ("+", number[1:]) if number.startswith("+") else ("", number)
    kept = 5 if len(digits) > 8 else 0
    hidden = max(len(digits) - kept - 2, 0)
    return sign + digits[:kept] + "•" * hidden + digits[kept + hidden :] if hidden else sign + "•" * len(digits)


class RecipientMask:
    """Turns phone numbers into what may be stored: a keyed hash to compare by, and a text to show."""

    def __init__(self, mode: Mode = "mask", key: bytes = b"") -> None:
        self.mode: Mode = mode
        self._keyed = hashlib.blake2b(digest_size=8, key=key)

    def hash(self, number: str) -> int:
        """Returns a 64-bit hash of the number. Without the key it cannot be found by trying out numbers."""
        return int.from_bytes(self._digests([number])[0], "little")

    def hashes(self, numbers: Sequence[str]) -> "NDArray[np.uint64]":
        """Returns `hash` of each number."""
        import numpy as np  # late: every text of a person's number passes through here, also where no messages are held

        return np.frombuffer(b"".join(self._digests(numbers)), np.uint64)

    def _digests(self, numbers: Sequence[str]) -> list[bytes]:
        if _SEAL in "".join(numbers):
            return [self._digest_of_any(number) for number in numbers]
        copy, digests = self._keyed.copy, list[bytes]()
        add = digests.append
        for number in numbers:
            keyed = copy()  # copying is faster than setting the key again
            keyed.update(number.encode())
            add(keyed.digest())
        return digests

    def _digest_of_any(self, number: str) -> bytes:
        """Returns the digest of a number that may be sealed."""
        sealed = _SEALED.fullmatch(number)
        if sealed:
            return bytes.fromhex(sealed[1])
        keyed = self._keyed.copy()
        keyed.update(number.encode())
        return keyed.digest()

    def sealed(self, number: str) -> str:
        """Returns the number in a form that may be stored, and of which `hash` and the texts are those of the number itself."""
        if self.mode == "show" or number == UNKNOWN:
            return number
        return _SEAL + self._digests([number])[0].hex() + self.texts([number])[0]

    def texts(self, numbers: Sequence[str]) -> list[str]:
        """Returns the text to show for each number in this mode."""
        sealed = {
            i: found[2] for i, one in enumerate(numbers) if one[:1] == _SEAL and (found := _SEALED.fullmatch(one))
        }
        if sealed:
            shown = self.texts([UNKNOWN if i in sealed else one for i, one in enumerate(numbers)])
            return [sealed.get(i, text) for i, text in enumerate(shown)]
        if self.mode == "show":
            return list(numbers)
        if self.mode == "hash":
            return ["•" * 8] * len(numbers)
        # The same as `mask`, without a call for each number of the usual form.
        return [
            f"{number[:6]}{'•' * (len(number) - 8)}{number[-2:]}"
            if number[:1] == "+" and len(number) > 9
            else mask(number)
            for number in numbers
        ]

    def sender(self, number: str) -> str:
        """Returns what is stored of the number of a person who sent a message: the text to show, and the first 8 digits of its hash to
        distinguish it from others. In the mode ``show`` it is the number itself."""
        if number == UNKNOWN or (self.mode == "show" and not _SEALED.fullmatch(number)):
            return number
        (shown,) = self.texts([number])
        return f"{shown}#{self.hash(number):016x}"[: len(shown) + 9]

    def senders(self, names: Sequence[str], directions: Sequence[str]) -> Sequence[str]:
        """Returns what is stored of each sender: the account's own names unchanged, and `sender` for inbound messages."""
        inbound = {direction for direction in set(directions) if direction.casefold() == INBOUND.casefold()}
        if not inbound:
            return names
        pairs = zip(names, directions, strict=True)
        return [self.sender(name) if direction in inbound else name for name, direction in pairs]
