"""The window's columns: one row for each part of a message, and one more for a message of several parts. Rows are overwritten in place."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import SECOND
from monitor.runtime.pieces import Work
from monitor.window.compact_columns import CodedColumn, Columnlike, InstantColumn, LinkColumn
from monitor.window.growing import as_type
from monitor.window.index import Keys, Rows
from monitor.window.profiles import PROFILED, Profiles
from monitor.window.table import ColumnTable, Values
from monitor.window.timeline import AS_MESSAGE, AS_PART, Timeline

__all__ = ["AS_MESSAGE", "AS_PART", "COLUMNS", "HALF_SECOND", "LATENCY_UNIT", "NOT_GIVEN", "PRICE_UNIT", "Columns"]

NOT_GIVEN = -1
PRICE_UNIT = 1e9
LATENCY_UNIT = 1e3
HALF_SECOND: Final = SECOND // 2
"""The unit of ``asked``: spans begin at half seconds (`monitor.ingest.poll.plan.on_grid`)."""

_TYPES: dict[str, Columnlike] = {
    "high": np.uint64,  # the message's id
    "low": np.uint64,
    "key": np.int8,  # the part; HEAD for the row of a message of several parts
    "parts": np.uint8,
    "date": np.int64,  # the instant of the present status; an array, because every rule reads it
    "first_seen": InstantColumn,  # the earliest status date that was seen of it
    "latency": lambda: CodedColumn(np.int32),  # in milliseconds, or NOT_GIVEN
    "price": lambda: CodedColumn(np.int32),  # in billionths, so that sums do not depend on their order, or NOT_GIVEN
    "to": np.uint64,  # keyed hash of the recipient
    "recipient": np.uint8,  # code of the text to show for the recipient
    "asked": np.uint8,  # in half seconds: the latest start of a span in which a search that messages can leave returned it
    "link": LinkColumn,  # the next row of the same message, -1 at the end
    "kind": np.uint8,  # AS_PART | AS_MESSAGE: what the row counts as; 0 for a free row
    "profile": np.uint8,  # the number of its profile: the values of all other fields
}
COLUMNS = tuple(_TYPES)
SPARE_PROFILES = 1 << 15
"""The most profiles without messages, besides as many as have messages, before the profiles are renumbered."""

_DATED = {"date", "kind", "profile"}
_SEEN = {"first_seen", "kind", "profile"}
_TOLD = _DATED | _SEEN | {"latency"}


class Columns(ColumnTable):
    """The rows of a window. Fields of the profile are written by their names like all others, and read with `of`."""

    def __init__(self) -> None:
        super().__init__(_TYPES)
        self.profiles = Profiles()
        self.timeline = Timeline(self)
        self._seen: Timeline | None = None
        self.written: list[Callable[[Rows], None]] = []
        """Whom to tell of rows whose kind, profile, dates or latency were written."""

    @property
    def nbytes(self) -> int:
        seen = 0 if self._seen is None else self._seen.nbytes
        return super().nbytes + self.profiles.nbytes + self.timeline.nbytes + seen

    @property
    def timelines(self) -> tuple[Timeline, ...]:
        """Returns the timelines that are kept."""
        return (self.timeline,) if self._seen is None else (self.timeline, self._seen)

    @property
    def seen(self) -> Timeline:
        """Returns the rows in the order in which their messages were first seen. It is kept from the first call on."""
        if self._seen is None:
            self._seen = Timeline(self, by="first_seen")
            self._seen.changing(np.flatnonzero(self["kind"][: self.length]))
            self._seen.settle()
        return self._seen

    @property
    def keys(self) -> Keys:
        return Keys(self["high"], self["low"], self["key"])

    def of(self, name: str, rows: Rows) -> NDArray[Any]:
        """Returns the values of ``rows`` in a column, also in one of the profile."""
        return np.asarray(self.profiles[name][self["profile"][rows]] if name in PROFILED else self[name][rows])

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrites the given columns of ``rows``, which must all be different. With the column ``profile``, the fields of the profile are
        those that it has."""
        own = {name: new for name, new in values.items() if name not in PROFILED}
        if len(own) < len(values) and "profile" not in own:
            codes = {name: values[name] if name in values else self.of(name, rows) for name in PROFILED}
            own["profile"] = self.profiles.numbers(codes)
        if not _DATED.isdisjoint(own):
            self.timeline.changing(rows)
        if self._seen is not None and not _SEEN.isdisjoint(own):
            self._seen.changing(rows)
        super().write(rows, own)
        if self.written and not _TOLD.isdisjoint(own):
            for tell in self.written:
                tell(rows)

    def restore(self, rows: Rows, values: Values) -> None:
        """Overwrites columns as `write` does, but not those of a profile's fields, and only `restoring` tells the timeline."""
        super().write(rows, values)

    def restoring(self, rows: Rows) -> Work[None]:
        """Sorts the rows in use into the timeline, in pieces, after all rows were read from the store."""
        self.timeline.changing(rows)
        yield from self.timeline.settling()

    def forget_profiles(self) -> bool:
        """Renumbers the profiles without the unused ones, if most are unused; returns whether it did."""
        used = np.flatnonzero(np.bincount(self["profile"], minlength=self.profiles.length))
        if self.profiles.length < 2 * len(used) + SPARE_PROFILES:
            return False
        profiles, number = Profiles(), np.zeros(self.profiles.length, np.uint32)
        number[used] = profiles.numbers({name: self.profiles[name][used] for name in PROFILED})
        self._columns["profile"] = as_type(number[self["profile"]], np.min_scalar_type(profiles.length))
        self.profiles = profiles
        for timeline in self.timelines:
            timeline.settle(everything=True)
        return True
