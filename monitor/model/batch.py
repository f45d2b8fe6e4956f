"""`Batch`: the parts of messages on a page, as NumPy columns. Apart from the model of a message, because rules and routes do without NumPy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import CODED_FIELDS, UNKNOWN, Unread
from monitor.model.numbering import Numbering
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Combinations:
    """The coded fields of many parts, of which most have values that others have too.

    ``values`` has one sequence for each name of CODED_FIELDS, with one value for each combination of values that occurs, in the order in
    which they first occur. ``of`` is the position of each part's combination. Two combinations may be equal.
    """

    values: Mapping[str, Sequence[str]]
    of: NDArray[np.int64]

    @classmethod
    def of_parts(cls, fields: Mapping[str, Sequence[str]]) -> Self:
        """Returns the combinations of fields that have one value for each part."""
        numbers = Numbering[tuple[str, ...]]()
        of = [numbers[values] for values in zip(*(fields[name] for name in CODED_FIELDS), strict=True)]
        columns = zip(*numbers.values_in_order, strict=True) if of else ([] for _ in CODED_FIELDS)
        return cls(dict(zip(CODED_FIELDS, columns, strict=True)), np.array(of, np.int64))

    def of_each(self, name: str) -> list[str]:
        """Returns the value of each part."""
        values = self.values[name]
        return [values[position] for position in self.of.tolist()]


@dataclass(slots=True)
class Batch:
    """The parts of a page as columns, one sequence of equal length for each field: the form between the decoder and the window.

    ``date`` has instants (status.date), ``latency`` seconds and ``price`` money; NaN stands for a missing one. ``coded`` has the
    CODED_FIELDS, with UNKNOWN for a missing value and ``groups`` joined by GROUPS_SEPARATOR. ``recipient`` is the unmasked number
    with its leading ``+``; it must be masked before it is stored. ``key`` distinguishes the parts of one message: the part's number
    where it is known, else a hash of the smsId. ``unread`` are the values that could not be read.
    """

    message_id: Sequence[str]
    key: NDArray[np.int64]
    parts: NDArray[np.int64]
    date: NDArray[np.int64]
    latency: NDArray[np.float64]
    price: NDArray[np.float64]
    recipient: Sequence[str]
    coded: Combinations
    unread: tuple[Unread, ...] = ()

    def __len__(self) -> int:
        return len(self.message_id)

    @property
    def fields(self) -> Mapping[str, Sequence[str]]:
        """Returns the coded fields, each with one value for each part. To change them, use `replace`."""
        return {name: self.coded.of_each(name) for name in CODED_FIELDS}

    def replace(self, name: str, values: Sequence[str]) -> None:
        """Gives each part another value of a coded field."""
        self.coded = Combinations.of_parts({**self.fields, name: values})

    def rows(self) -> Iterator[dict[str, object]]:
        """Yields each part as a plain dictionary: the names of FIELDS except ``account``, and ``messageId``, ``part``, ``parts``, ``date``,
        ``latency`` and ``price``."""
        fields = self.fields
        for i in range(len(self)):
            row: dict[str, object] = {
                "messageId": self.message_id[i],
                "part": int(self.key[i]),
                "parts": int(self.parts[i]),
            }
            row["date"] = Instant(self.date[i])
            row |= {name: values[i] for name, values in fields.items()}
            row["to"] = self.recipient[i]
            row["latency"] = None if np.isnan(self.latency[i]) else float(self.latency[i])
            row["price"] = None if np.isnan(self.price[i]) else float(self.price[i])
            yield row


def batch_of(rows: Sequence[dict[str, object]]) -> Batch:
    """Returns a batch of plain dictionaries like those of `Batch.rows`. Fields that are left out are unknown. For tests, rule tests and
    tools."""
    return Batch(
        message_id=[str(row["messageId"]) for row in rows],
        key=np.array([row.get("part", 1) for row in rows], np.int64),
        parts=np.array([row.get("parts", 1) for row in rows], np.int64),
        date=np.array([row["date"] for row in rows], np.int64),
        latency=_floats(rows, "latency"),
        price=_floats(rows, "price"),
        recipient=[str(row.get("to") or UNKNOWN) for row in rows],
        coded=Combinations.of_parts({name: [str(row.get(name) or UNKNOWN) for row in rows] for name in CODED_FIELDS}),
    )


def _floats(rows: Sequence[dict[str, object]], name: str) -> NDArray[np.float64]:
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], np.float64)
