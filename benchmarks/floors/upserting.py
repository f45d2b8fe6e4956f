"""Writing a page into the window, against columns written by hand: codes and rows from dictionaries, then one assignment a column."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, timed
from benchmarks.floors.compared import compared
from benchmarks.messages import batches
from monitor.model.batch import Batch
from monitor.model.message import CODED_FIELDS
from monitor.model.privacy import RecipientMask
from monitor.window import Window


class PlainColumns:
    """The latest row of each part in numpy columns. It masks nothing, journals nothing, and believes whatever came last."""

    def __init__(self, length: int) -> None:
        self._rows: dict[tuple[str, int], int] = {}
        self._codes: dict[str, dict[str, int]] = {name: {} for name in CODED_FIELDS}
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(length, np.int32) for name in CODED_FIELDS}
        self._columns |= {"date": np.zeros(length, np.int64)}
        self._columns |= {"latency": np.zeros(length), "price": np.zeros(length)}

    def upsert(self, batch: Batch, fields: Mapping[str, Sequence[str]]) -> None:
        """Writes a page, whose coded fields were made one list each before."""
        keys = zip(batch.message_id, batch.key.tolist(), strict=True)
        known = self._rows
        rows = np.array([known.setdefault(key, len(known)) for key in keys])
        for name, values in fields.items():
            codes = self._codes[name]
            self._columns[name][rows] = [codes.setdefault(value, len(codes)) for value in values]
        self._columns["date"][rows] = batch.date
        self._columns["latency"][rows] = batch.latency
        self._columns["price"][rows] = batch.price


def upserting(messages: int) -> list[Figure]:
    """Returns the time of a page, new and known."""
    pages = list(batches(messages))
    fields = [page.fields for page in pages]
    window, plain = Window("main", RecipientMask("mask", bytes(32))), PlainColumns(sum(map(len, pages)))

    def here() -> None:
        for page in pages:
            window.upsert(page, "all")

    def least() -> None:
        for page, page_fields in zip(pages, fields, strict=True):
            plain.upsert(page, page_fields)

    def a_page(call: Callable[[], None], rounds: int) -> list[float]:
        return [one / len(pages) for one in timed(call, rounds).milliseconds]

    floor = "dictionaries and assignments"
    return [
        *compared("a page of new messages upserted", floor, a_page(here, 1), a_page(least, 1), "ms"),
        *compared("the same page again", floor, a_page(here, 3), a_page(least, 3), "ms"),
    ]
