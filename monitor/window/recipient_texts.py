"""The texts that are shown of recipients, such as ``+30691•••••78``, with their codes.

There are up to a hundred for each beginning of a number: some ten thousand, far more than of any other field. So a masked text is kept
as the 8 bytes that determine it: its length, and its digits that are shown. The masked texts of a page are found together, without making
them.
"""

from collections.abc import Iterator, Sequence
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from monitor.model.privacy import RecipientMask
from monitor.window.dictionary import Codes, Dictionary
from monitor.window.growing import resized

Looks = NDArray[np.uint64]
"""A masked text each: its length, its five digits after the ``+``, and its last two, one byte each."""
Characters = NDArray[np.unsignedinteger]

_HIDDEN: Final = "•"
_SHOWN: Final = 8
"""The characters that a mask leaves: a ``+``, five digits, and two at the end."""
_LONGEST: Final = 255
AT_ONCE: Final = 1 << 15
"""The most stored texts that are read at once."""
_POSITIONS: Final = (1, 2, 3, 4, 5, -2, -1)
"""Where these stand, from the beginning and from the end, but the ``+``."""
_ASCII: Final = 128
_UNMASKED: Final = np.uint64(0)
"""Stands for a text that is kept as it is, on a page."""
_OTHER: Final = np.uint64(256)
"""A multiple of it, which has the length 0, stands for one of the texts that are kept as they are."""


class RecipientTexts(Dictionary):
    """The texts of recipients, numbered from 0 in the order in which they were first seen."""

    def __init__(self) -> None:
        super().__init__()
        self._looks: Looks = np.zeros(0, np.uint64)
        self._length = 0
        self._others: list[str] = []
        self._sorted: Looks = np.zeros(0, np.uint64)
        self._codes_sorted: NDArray[np.int32] = np.zeros(0, np.int32)

    def __len__(self) -> int:
        return self._length

    @property
    def texts(self) -> Sequence[str]:
        return _Texts(self)

    def some(self, start: int, stop: int) -> list[str]:
        """Returns the texts of the codes from ``start`` to before ``stop``."""
        looks = self._looks[start:stop]
        texts = _masked(looks)
        for at in np.flatnonzero(looks % _OTHER == 0).tolist():
            texts[at] = self._others[int(looks[at] // _OTHER)]
        return texts

    def code(self, text: str) -> int | None:
        found = int(self._find(_looks_of_texts([text]))[0])
        return found if found >= 0 else self._codes.get(text)

    def encode(self, texts: Sequence[str]) -> Codes:
        return self._encode(_looks_of_texts(texts), texts)

    def encode_numbers(self, numbers: Sequence[str], privacy: RecipientMask) -> Codes:
        """Returns the code of the text that is shown of each number."""
        if privacy.mode != "mask":
            return self.encode(privacy.texts(numbers))
        looks = _looks_of_numbers(numbers)
        others = np.flatnonzero(looks == _UNMASKED).tolist()
        texts = privacy.texts([numbers[at] for at in others])
        if others:
            looks[others] = _looks_of_texts(texts)  # a number that another daemon has masked already
        return self._encode(looks, dict(zip(others, texts, strict=True)))

    def _encode(self, looks: Looks, texts: Sequence[str] | dict[int, str]) -> Codes:
        """Returns the codes of masked texts, and of those in ``texts`` at the positions that have none."""
        codes = self._find(looks)
        missing = np.flatnonzero(codes < 0)
        if missing.size:
            new, first = np.unique(looks[missing], return_index=True)
            if new[0] == _UNMASKED:
                for at in missing[looks[missing] == _UNMASKED].tolist():
                    codes[at] = self._code_of_other(texts[at])
                new, first = new[1:], first[1:]
            self._add(new[np.argsort(first, kind="stable")])
            codes[missing] = np.where(looks[missing] == _UNMASKED, codes[missing], self._find(looks[missing]))
        return codes

    def _find(self, looks: Looks) -> Codes:
        """Returns the code of each masked text; -1 if it has none yet."""
        if not len(self._sorted):
            return np.full(len(looks), -1, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, looks), len(self._sorted) - 1)
        return np.where(self._sorted[at] == looks, self._codes_sorted[at], np.int64(-1))

    def restore(self, texts: Sequence[str]) -> None:
        for first in range(0, len(texts), AT_ONCE):  # so that it takes little memory for a moment
            self._restore(texts[first : first + AT_ONCE])
        self.saved(len(self))

    def _restore(self, texts: Sequence[str]) -> None:
        looks, codes = _looks_of_texts(texts), np.arange(self._length, self._length + len(texts))
        masked = looks != _UNMASKED
        self._index(looks[masked], codes[masked])
        others = np.flatnonzero(~masked)
        looks[others] = np.arange(len(self._others), len(self._others) + len(others), dtype=np.uint64) * _OTHER
        self._others += [texts[at] for at in others.tolist()]
        self._codes.update(
            zip(self._others[-len(others) :], codes[others].tolist(), strict=True) if others.size else ()
        )
        self._extend(looks)

    def _add(self, looks: Looks) -> None:
        """Gives new masked texts, each once, the next codes."""
        self._index(looks, np.arange(self._length, self._length + len(looks)))
        self._extend(looks)

    def _index(self, looks: Looks, codes: Codes) -> None:
        order = np.argsort(looks)
        at = np.searchsorted(self._sorted, looks[order])
        self._sorted = np.insert(self._sorted, at, looks[order])
        self._codes_sorted = np.insert(self._codes_sorted, at, codes[order].astype(np.int32))

    def _code_of_other(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = self._length
            self._extend(np.array([len(self._others)], np.uint64) * _OTHER)
            self._others.append(text)
        return code

    def _extend(self, looks: Looks) -> None:
        end = self._length + len(looks)
        if end > len(self._looks):
            self._looks = resized(self._looks, end + end // 8)
        self._looks[self._length : end] = looks
        self._length = end


class _Texts(Sequence[str]):
    """The texts by their codes, made when they are asked for."""

    def __init__(self, texts: RecipientTexts) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            return self._texts.some(start, stop)[::step] if step > 0 else list(self)[at]
        code = range(len(self))[at]
        return self._texts.some(code, code + 1)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts.some(0, len(self)))


def _masked(looks: Looks) -> list[str]:
    """Returns the masked texts; anything for other ones."""
    octets = np.ascontiguousarray(looks, "<u8").view(np.uint8).reshape(-1, _SHOWN)
    shown, length = octets[:, 1:].tobytes().decode("latin-1"), _SHOWN - 1
    pairs = zip(range(0, length * len(looks), length), octets[:, 0].tolist(), strict=True)
    return [f"+{shown[at : at + 5]}{_HIDDEN * (count - _SHOWN)}{shown[at + 5 : at + length]}" for at, count in pairs]


def _looks_of_numbers(numbers: Sequence[str]) -> Looks:
    """Returns the masked text of each number; _UNMASKED where its mask has another form (see `monitor.model.privacy.mask`)."""
    return _looks(numbers, "utf-8" if "".join(numbers).isascii() else "utf-32-le")


def _looks_of_texts(texts: Sequence[str]) -> Looks:
    """Returns the masked text that each text is; _UNMASKED where it is none."""
    return _looks(texts, "utf-32-le", are_masked=True)


def _looks(texts: Sequence[str], encoding: str, *, are_masked: bool = False) -> Looks:
    """Returns for each text the masked one with its length and its characters that are shown. _UNMASKED where no mask of the usual form has
    them: it begins with ``+``, hides two characters at least, and shows ASCII only. ``are_masked``: the texts must be masks already."""
    kind = np.uint8 if encoding == "utf-8" else np.uint32
    characters: Characters = np.frombuffer("".join(texts).encode(encoding, "surrogatepass"), kind)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths)
    at = np.flatnonzero((lengths > _SHOWN + 1) & (lengths <= _LONGEST))
    lengths, ends = lengths[at], ends[at]
    starts = ends - lengths
    usual = characters[starts] == ord("+")
    if are_masked:
        hidden = np.concatenate([[0], np.cumsum(characters == ord(_HIDDEN))])  # before each character
        usual &= hidden[ends + _POSITIONS[-2]] - hidden[starts + _POSITIONS[-3] + 1] == lengths - _SHOWN
    octets = np.empty((len(at), _SHOWN), np.uint8)
    octets[:, 0] = lengths
    for place, position in enumerate(_POSITIONS, 1):
        column = characters[(starts if position > 0 else ends) + position]
        usual &= column < _ASCII
        octets[:, place] = column
    looks = np.zeros(len(texts), np.uint64)
    looks[at] = np.where(usual, octets.view("<u8")[:, 0], _UNMASKED)
    return looks
