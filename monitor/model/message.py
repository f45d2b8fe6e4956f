"""The model of a message: its statuses and its fields.

Routee reports *parts* of messages; all parts of one message share its id. The fields have the names that people write in rules.
"""

from typing import Final

from monitor.runtime.dataclass import dataclass

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
"""Statuses that do not change any more."""

_RANK = {QUEUED: 0, SENT: 1, DELIVERED: 3, UNDELIVERED: 4, FAILED: 5, UNSENT: 6}
RANK_OF_OTHERS: Final = 2
"""The rank of a status that Routee does not document: such a status is not final, and later than Sent."""


def rank(status: str) -> int:
    """Returns how far along a status is. Of two reports with the same date, the one with the higher rank is the later one."""
    return _RANK.get(status, RANK_OF_OTHERS)


INBOUND: Final = "Inbound"
"""The direction of messages from people to the account. Their ``from`` is a person's number."""


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
"""Fields with few different values, which the window stores as codes of a dictionary."""

FIELDS: Final = (*CODED_FIELDS, "to", "account")
"""Every field that a rule can name."""

GROUPS_SEPARATOR: Final = "\x1f"
"""Separates the groups of a message in one text. It cannot occur in a group's name."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that could not be read and counts as missing: its field, a masked text of it, and how many parts of the page have it."""

    field: str
    value: str
    count: int
