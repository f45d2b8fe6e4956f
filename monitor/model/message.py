"""What a message is: its statuses, its fields, and the batch in which pages of them travel.

Routee reports *parts*; all parts of one message share its id. The names of fields are those that people write in rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant

UNKNOWN: Final = "unknown"
"""The value of a missing field."""

QUEUED: Final = "Queued"
SENT: Final = "Sent"
DELIVERED: Final = "Delivered"
UNDELIVERED: Final = "Undelivered"
FAILED: Final = "Failed"
UNSENT: Final = "Unsent"

STATUSES: Final = (QUEUED, SENT, DELIVERED, UNDELIVERED, FAILED, UNSENT)
FAILURES: Final = frozenset({FAILED, UNDELIVERED, UNSENT})
FINAL: Final = FAILURES | {DELIVERED}

_RANK = {QUEUED: 0, SENT: 1, DELIVERED: 3, UNDELIVERED: 4, FAILED: 5, UNSENT: 6}
RANK_OF_OTHERS: Final = 2
"""A status that Routee did not document is data: not final, and later than Sent."""


def rank(status: str) -> int:
    """How far along a status is: of two reports with the same date, the one of higher rank is the later one."""
    return _RANK.get(status, RANK_OF_OTHERS)


INBOUND: Final = "Inbound"
"""The direction of messages that people send: their ``from`` is a person's number."""


CODED_FIELDS: Final = (
    "status",
    "detailedStatus",
    "operator",
    "country",
    "campaign",
    "campaignTrackingId",
    "label",
    "from",
    "direction",
    "applicationName",
    "originatingService",
    "groups",
)
"""Fields with few different values, kept as codes of a dictionary."""

FIELDS: Final = (*CODED_FIELDS, "to", "account")
"""Every field that a rule can name."""

GROUPS_SEPARATOR: Final = "\x1f"
"""Stands between the groups of a message where they are one text; it cannot occur in a group's name."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that could not be read and counts as missing: its field, what may be shown of it, and how many parts of the page have it."""

    field: str
    value: str
    count: int


@dataclass(slots=True)
class Batch:
    """Parts as reported, one list a field, all of one length: the form in which a page goes from the wire to the window.

    ``date`` holds instants (status.date), ``latency`` seconds and ``price`` money, NaN where not given. ``fields`` has every
    name of CODED_FIELDS; a missing value is UNKNOWN; ``groups`` are joined by GROUPS_SEPARATOR. ``recipient`` is the number
    with its leading ``+``, as reported: whoever keeps it masks it first. ``key`` tells parts of one message apart: the part's
    number where it is known, else a hash of the smsId. ``unread`` are the values that could not be read.
    """

    message_id: Sequence[str]
    key: NDArray[np.int64]
    parts: NDArray[np.int64]
    date: NDArray[np.int64]
    latency: NDArray[np.float64]
    price: NDArray[np.float64]
    recipient: Sequence[str]
    fields: dict[str, Sequence[str]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()

    def __len__(self) -> int:
        return len(self.message_id)

    def rows(self) -> Iterator[dict[str, object]]:
        """Each part as a plain dictionary (names as in FIELDS, besides ``messageId``, ``part``, ``parts``, ``date``, ``latency``, ``price``)."""
        for i in range(len(self)):
            row: dict[str, object] = {
                "messageId": self.message_id[i],
                "part": int(self.key[i]),
                "parts": int(self.parts[i]),
            }
            row["date"] = Instant(self.date[i])
            row |= {name: values[i] for name, values in self.fields.items()}
            row["to"] = self.recipient[i]
            row["latency"] = None if np.isnan(self.latency[i]) else float(self.latency[i])
            row["price"] = None if np.isnan(self.price[i]) else float(self.price[i])
            yield row


def batch_of(rows: Sequence[dict[str, object]]) -> Batch:
    """A batch from plain dictionaries as `Batch.rows` gives them; what is left out is unknown. For tests, rule tests and tools."""
    return Batch(
        message_id=[str(row["messageId"]) for row in rows],
        key=np.array([row.get("part", 1) for row in rows], np.int64),
        parts=np.array([row.get("parts", 1) for row in rows], np.int64),
        date=np.array([row["date"] for row in rows], np.int64),
        latency=_floats(rows, "latency"),
        price=_floats(rows, "price"),
        recipient=[str(row.get("to") or UNKNOWN) for row in rows],
        fields={name: [str(row.get(name) or UNKNOWN) for row in rows] for name in CODED_FIELDS},
    )


def _floats(rows: Sequence[dict[str, object]], name: str) -> NDArray[np.float64]:
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], np.float64)
