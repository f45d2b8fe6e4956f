"""What can be asked of Routee's tracking, and what comes back: plain values, without any I/O."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from monitor.model.message import Batch, Unread
from monitor.runtime.clock import Instant

Operator = Literal["is", "is_not", "contains", "starts_with", "ends_with"]
FILTER_FIELDS: Final = ("smsId", "to", "status.status", "direction", "label", "campaign")
STATUS: Final = "status.status"
PAGE_SIZE: Final = 2000
"""The largest page that Routee gives."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One of Routee's own filters; several are ANDed."""

    field: str
    term: str
    operator: Operator = "is"

    def fits(self, text: str) -> bool:
        """Whether a text passes it."""
        return _FITS[self.operator](text, self.term)


_FITS: Final[Mapping[Operator, Callable[[str, str], bool]]] = {
    "is": str.__eq__,
    "is_not": str.__ne__,
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


@dataclass(frozen=True, slots=True)
class RouteeQuery:
    """Which messages: all of an account's, unless narrowed."""

    filters: tuple[Filter, ...] = ()
    campaign: bool | None = None
    tracking_id: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves messages out, so that one can cease to be among its answers."""
        return bool(self.filters or self.campaign or self.tracking_id)

    @property
    def by_status(self) -> tuple[Filter, ...]:
        """Its filters on the status, which every message changes."""
        return tuple(one for one in self.filters if one.field == STATUS)

    @property
    def is_of_one_status(self) -> bool:
        """Whether a message whose status changes cannot be among its answers any more."""
        return any(one.operator == "is" for one in self.by_status)

    def can_have(self, status: str) -> bool:
        """Whether messages of that status can be among its answers."""
        return all(one.fits(status) for one in self.by_status)

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
    unread: tuple[Unread, ...] = ()
    """What of it could not be read, and so counts as missing."""


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The account's balance in its currency (``EUR``)."""

    amount: float
    currency: str


class Tracking(Protocol):
    """The one thing that polling needs of an account: a page of messages of a range of time."""

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """Page ``page`` of the messages between the instants. Raises RouteeError."""
