"""Several reports of one part that have the same status and date: what all of them say together.

Routee fills in some values later, a price or an operator, under the status and the date that it has told already. So each field
is taken on its own, and a known value is never replaced by a missing one.

Which of two different known values was seen later cannot be told: pages are fetched side by side and again, sweeps overlap, and a
journal keeps states, not reports. So the values themselves decide, the same in any order of arrival: of numbers the larger one
stays (0 is what programs write before they know), of texts the one with the larger digest.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import CODED_FIELDS
from monitor.window.columns import Columns
from monitor.window.dictionary import Dictionary
from monitor.window.index import Rows
from monitor.window.table import Values

Mask = NDArray[np.bool_]

_NUMBERS = ("parts", "latency", "price")  # a missing one is lowest: NOT_GIVEN
_TEXTS = tuple(name for name in CODED_FIELDS if name != "status")


class Merging:
    """Puts reports together with what is known of the same parts. ``nobody`` is the value of column ``to`` for a missing recipient."""

    def __init__(self, columns: Columns, dictionaries: Mapping[str, Dictionary], nobody: int) -> None:
        self._columns = columns
        self._dictionaries = dictionaries
        self._nobody = np.uint64(nobody)

    def merge(self, rows: Rows, values: Values, positions: Rows) -> tuple[Values, Mask]:
        """Returns the reports, with those at ``positions`` merged with their ``rows``; and which of these say anything new."""
        news = np.zeros(len(rows), np.bool_)
        if not positions.size:
            return values, news
        merged = dict(values)
        for name in (*_TEXTS, *_NUMBERS):
            self._merge_field(merged, name, rows, positions, news)
        self._merge_recipients(merged, rows, positions, news)
        return merged, news

    def _merge_field(self, merged: Values, name: str, rows: Rows, positions: Rows, news: Mask) -> None:
        held, new = self._columns.of(name, rows[positions]), merged[name][positions]
        differ = np.flatnonzero(held != new)
        if not differ.size:
            return
        held, new, positions = held[differ], new[differ], positions[differ]
        more = self._order(name, new) > self._order(name, held)
        merged[name] = _with(merged[name], positions, np.where(more, new, held))
        news[positions[more]] = True

    def _order(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        return values if name in _NUMBERS else self._dictionaries[name].digests()[values]

    def _merge_recipients(self, merged: Values, rows: Rows, positions: Rows, news: Mask) -> None:
        """A recipient's hash and the text that is shown of it belong together."""
        columns, digests = self._columns, self._dictionaries["recipient"].digests
        held, new = columns["to"][rows[positions]], merged["to"][positions]
        text, new_text = columns["recipient"][rows[positions]], merged["recipient"][positions]
        differ = np.flatnonzero((held != new) | (text != new_text))
        if not differ.size:
            return
        held, new, text, new_text, positions = (
            held[differ],
            new[differ],
            text[differ],
            new_text[differ],
            positions[differ],
        )
        more = self._known(new) > self._known(held)
        more |= (held == new) & (digests()[new_text] > digests()[text])
        merged["to"] = _with(merged["to"], positions, np.where(more, new, held))
        merged["recipient"] = _with(merged["recipient"], positions, np.where(more, new_text, text))
        news[positions[more]] = True

    def _known(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return np.where(hashes == self._nobody, np.uint64(0), hashes)


def _with(column: NDArray[Any], positions: Rows, values: NDArray[Any]) -> NDArray[Any]:
    """A copy of the column with other values at some places."""
    copy = column.astype(np.result_type(column, values))
    copy[positions] = values
    return copy
