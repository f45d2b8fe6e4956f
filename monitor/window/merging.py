"""Merges several reports of one part that have the same status and date.

Routee adds some values later, such as a price or an operator, without changing the status and its date. So each field is merged on its
own, and a known value is never replaced by a missing one.

The order of arrival does not say which of two different known values is newer: pages are fetched concurrently and repeatedly, sweeps
overlap, and the journal keeps states instead of reports. So the values themselves decide, with the same result in any order: the larger
number is kept (0 may stand for a value that is not known yet), or the text with the larger digest.
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

_NUMBERS = ("parts", "latency", "price")  # a missing one is NOT_GIVEN, the lowest value
_TEXTS = tuple(name for name in CODED_FIELDS if name != "status")


class Merging:
    """Merges reports with the rows of the same parts. ``no_recipient`` is the value of the column ``to`` for a missing recipient."""

    def __init__(self, columns: Columns, dictionaries: Mapping[str, Dictionary], no_recipient: int) -> None:
        self._columns = columns
        self._dictionaries = dictionaries
        self._no_recipient = np.uint64(no_recipient)

    def merge(self, rows: Rows, values: Values, positions: Rows) -> tuple[Values, Mask]:
        """Returns the reports, with those at ``positions`` merged with their ``rows``, and which of all reports have new values."""
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
        """Merges recipients. A recipient's hash and its text are replaced together."""
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
        return np.where(hashes == self._no_recipient, np.uint64(0), hashes)


def _with(column: NDArray[Any], positions: Rows, values: NDArray[Any]) -> NDArray[Any]:
    """Returns a copy of the column with other values at some positions."""
    copy = column.astype(np.result_type(column, values))
    copy[positions] = values
    return copy
