"""Stores a million messages in numpy columns, one row for each part.

A row holds a part's whole life, which is decided when it is drawn: when it was created (Queued), sent and finally reported, and with what
outcome. Its present status is a function of these and of the time, so a change of status needs no event.
"""

from dataclasses import fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.tables import QUEUED_CODE, SENT_CODE

NEVER: Final = 1 << 62
"""The instant of an event that never happens, like a last report that never comes."""

EXACT: Final = 1 << 30
"""A bit of `Rows.odd`: the row represents a message that was added by hand and is kept as it was given."""

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Rows:
    """Columns of one length.

    Instants are ``created``, ``sent_at`` and ``last_at``; ``outcome`` (the last one), ``route``, ``stream`` and ``body`` are codes of the tables;
    ``to`` is the number without ``+``; ``odd`` are the bits of malformed_records.py and EXACT.
    """

    created: NDArray[np.int64]
    sent_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    to: NDArray[np.int64]
    stream: NDArray[np.int32]
    odd: NDArray[np.int32]
    outcome: NDArray[np.int16]
    route: NDArray[np.int16]
    body: NDArray[np.int16]
    part: NDArray[np.int8]
    parts: NDArray[np.int8]

    @classmethod
    def empty(cls, length: int = 0) -> Self:
        """Returns rows of zeros."""
        wide, narrow, tiny = np.dtype(np.int64), np.dtype(np.int16), np.dtype(np.int8)
        return cls(
            created=np.zeros(length, wide),
            sent_at=np.zeros(length, wide),
            last_at=np.zeros(length, wide),
            to=np.zeros(length, wide),
            stream=np.zeros(length, np.int32),
            odd=np.zeros(length, np.int32),
            outcome=np.zeros(length, narrow),
            route=np.zeros(length, narrow),
            body=np.zeros(length, narrow),
            part=np.zeros(length, tiny),
            parts=np.zeros(length, tiny),
        )

    def __len__(self) -> int:
        return len(self.created)

    def take(self, chosen: Ints | NDArray[np.bool_] | slice) -> "Rows":
        """Returns the chosen rows; a slice gives views."""
        return Rows(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def put(self, position: slice, rows: "Rows") -> None:
        """Overwrites the rows at ``position``."""
        for column in fields(self):
            getattr(self, column.name)[position] = getattr(rows, column.name)

    def present(self, now: Instant) -> tuple[NDArray[np.int16], Ints]:
        """Returns the code of each row's outcome at ``now``, and since when it has had it."""
        reported = (self.last_at <= now) | (self.odd >= EXACT)
        if bool(reported.all()):
            return self.outcome, self.last_at
        sent = self.sent_at <= now
        before = np.where(sent, np.int16(SENT_CODE), np.int16(QUEUED_CODE))
        outcome = np.where(reported, self.outcome, before)
        return outcome, np.where(reported, self.last_at, np.where(sent, self.sent_at, self.created))


class Messages:
    """Rows that grow, numbered from 0 in the order of arrival. They are in the order of ``created`` unless ``ordered`` is False."""

    def __init__(self) -> None:
        self._held = Rows.empty(1024)
        self._count = 0
        self.ordered = True
        self.exact: dict[int, dict[str, object]] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> Rows:
        """Every row, as views: writing to them changes the messages."""
        return self._held.take(slice(0, self._count))

    def append(self, rows: Rows) -> None:
        """Adds rows, which are in the order of ``created``."""
        if not len(rows):
            return
        if self._count and rows.created[0] < self._held.created[self._count - 1]:
            self.ordered = False
        end = self._count + len(rows)
        if end > len(self._held):
            self._grow(max(end, len(self._held) * 3 // 2))
        self._held.put(slice(self._count, end), rows)
        self._count = end

    def still_until(self, now: Instant) -> Instant:
        """Returns the first instant after ``now`` at which a row appears or its status changes; NEVER if none will."""
        rows = self.rows
        columns = (rows.created, rows.sent_at, rows.last_at)
        return min((int(column[column > now].min(initial=NEVER)) for column in columns), default=NEVER)

    def _grow(self, capacity: int) -> None:
        held = Rows.empty(capacity)
        held.put(slice(0, self._count), self.rows)
        self._held = held
