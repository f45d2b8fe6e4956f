"""The groups of a rule, each with its row in the arrays; and the pools in which small groups are judged together.

A rule by country and operator has, besides a row for each operator of each country, one for each country's small operators
(``country: GR, operator: (small)``) and one for all that is small even then. They exist from the first message on and keep their place.
"""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.shift.state import ShiftState
from monitor.window import Codes, WindowReader
from monitor.window.profile_index import Facets

SMALL: Final = "(small)"
"""What a pool has in place of a value. A value that is really called that is shown with one more pair of parentheses, see `shown`."""
_RESERVED: Final = re.compile(r"(\(+)small(\)+)")
MOST: Final = 20_000
"""The most groups that have a row of their own. Messages of further ones go to a pool at once."""

Values = tuple[str, ...]
Ints = NDArray[np.int64]


class GroupRows:
    """Rows by the values of the fields ``by``. Rows are only added, so that states of earlier moments stay valid."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self.by = by
        self.values: list[Values] = []
        self.levels: list[int] = []
        """How many values of a row stand for several: 0 in a group of messages, above in a pool."""
        self._parents: list[int] = []
        self._parents_of: Ints = np.zeros(0, np.int64)
        self._rows: dict[tuple[int, Values], int] = {}
        self._alone = 0
        self._means: object = None
        self._of_codes: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def parents(self) -> Ints:
        """By row, the pool in which it is judged where it is small; -1: none."""
        if len(self._parents_of) < len(self._parents):
            self._parents_of = np.array(self._parents, np.int64)
        return self._parents_of

    def pools(self, rows: Ints) -> Ints:
        """All pools that these groups belong to, of whatever level."""
        found, at = [], rows
        while at.size:
            above = np.unique(self.parents[at])
            at = above[above >= 0]
            found.append(at)
        return np.unique(np.concatenate(found))

    def find(self, values: Values) -> int | None:
        """The row with these values, as people are shown them."""
        level = next((one for one in range(len(values)) if values[-one - 1] != SMALL), len(values))
        return self._rows.get((level, values))

    def add(self, values: Values, level: int = 0) -> int:
        """The row of these values, made where there is none, with the pools that it belongs to; a pool where there are too many already."""
        row = self._rows.get((level, values))
        if row is not None:
            return row
        if level == 0 and self._alone >= MOST:
            return self._pool(values)
        self._alone += level == 0
        row = self._rows[level, values] = len(self.values)
        self.values.append(values)
        self.levels.append(level)
        self._parents.append(-1)
        if level < len(values):
            self._parents[row] = self.add(_pooled(values, level + 1), level + 1)
        return row

    def only(self, alone: Ints) -> tuple["GroupRows", Ints]:
        """These groups of messages, ascending, with the pools that they belong to; and which row each of those had."""
        kept = GroupRows(self.by)
        for row in alone.tolist():
            kept.add(self.values[row])
        were = [self._rows[key] for key in zip(kept.levels, kept.values, strict=True)]
        return kept, np.array(were, np.int64)

    def rows(self, reading: WindowReader, codes: Codes) -> Ints:
        """The row of each code of the window."""
        facets = reading.window.facets
        if self._means is not facets:
            self._means, self._of_codes = facets, np.zeros(0, np.int64)
        if not len(codes):
            return codes
        known = len(self._of_codes)
        most = int(codes.max()) + 1
        if known < most:
            self._of_codes = np.concatenate([self._of_codes, np.full(most - known, -1, np.int64)])
        unknown = np.unique(codes[self._of_codes[codes] < 0])
        if unknown.size:
            self._of_codes[unknown] = [self.add(values) for values in _named(facets, self.by, unknown.tolist())]
        return np.asarray(self._of_codes[codes])

    def _pool(self, values: Values) -> int:
        """The smallest pool there is for a group that has no row."""
        pools = ((level, _pooled(values, level)) for level in range(1, len(values) + 1))
        return next(self._rows[pool] for pool in pools if pool in self._rows)


def shown(value: str) -> str:
    """What a value of messages is called in a group: itself, unless it looks like a pool."""
    return f"({value})" if _looks_pooled(value) else value


def meant(value: str) -> str:
    """The value of messages that is shown as this."""
    return value[1:-1] if _looks_pooled(value) else value


def _looks_pooled(value: str) -> bool:
    found = _RESERVED.fullmatch(value) if SMALL in value else None
    return found is not None and len(found[1]) == len(found[2])


def _named(facets: Facets, by: tuple[str, ...], codes: list[int]) -> list[Values]:
    """The values of each group; thousands may be new at once."""
    numbers = facets.groups(by)
    columns = zip(*(numbers.codes(code) for code in codes), strict=True)
    named = []
    for name, column in zip(by, columns, strict=False):
        texts = {code: shown(facets.text(name, code)) for code in set(column)}
        named.append([texts[code] for code in column])
    return list(zip(*named, strict=True)) if by else [()] * len(codes)


def _pooled(values: Values, level: int) -> Values:
    return (*values[: len(values) - level], *[SMALL] * level)


def grow(state: ShiftState, groups: GroupRows) -> None:
    """The state has a place for each of the groups from now on."""
    known = state.groups
    if known < len(groups):
        state.grow(len(groups))
        state.level[known:] = groups.levels[known:]
