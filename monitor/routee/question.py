"""What can be asked of Routee's tracking, and what comes back: plain values, without any I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from monitor.clock import Instant
from monitor.message import Batch

Operator = Literal["is", "is_not", "contains", "starts_with", "ends_with"]
FILTER_FIELDS: Final = ("smsId", "to", "status.status", "direction", "label", "campaign")
PAGE_SIZE: Final = 2000
"""The largest page that Routee gives."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One of Routee's own filters; several are ANDed."""

    field: str
    term: str
    operator: Operator = "is"


@dataclass(frozen=True, slots=True)
class Question:
    """Which messages: all of an account's, unless narrowed."""

    filters: tuple[Filter, ...] = ()
    campaign: bool | None = None
    tracking_id: str | None = None

    @property
    def digest(self) -> str:
        """The same for the same messages, whatever the order of the filters; nobody can read from it what they ask for."""
        filters = sorted((one.field, one.operator, one.term) for one in self.filters)
        return hashlib.blake2b(repr((filters, self.campaign, self.tracking_id)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be read: why, and what of it may be kept (recipient masked, body dropped), as JSON text."""

    why: str
    record: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page: ``total`` is totalElements over all pages, ``last`` says whether another follows."""

    batch: Batch
    number: int
    total: int
    last: bool
    asides: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignState:
    """What Routee says of a campaign as a whole; ``statuses`` is the number of SMS per status."""

    tracking_id: str
    name: str
    state: str
    statuses: Mapping[str, int]
    recipients: int | None = None
    scheduled_at: Instant | None = None
    created_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """The account's balance in its currency (``EUR``)."""

    amount: float
    currency: str


class Tracking(Protocol):
    """The one thing that polling needs of an account: a page of messages of a range of time."""

    async def search(
        self, question: Question, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """Page ``page`` of the messages between the instants. Raises RouteeError."""
