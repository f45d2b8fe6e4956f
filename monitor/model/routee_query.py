"""Queries to Routee's tracking API and their results, as plain values without any I/O."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal, Protocol

from monitor.model.message import Unread
from monitor.runtime.clock import DAY, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass

if TYPE_CHECKING:
    from monitor.model.batch import Batch

Operator = Literal["is", "is_not", "contains", "starts_with", "ends_with"]
FILTER_FIELDS: Final = ("smsId", "to", "status.status", "direction", "label", "campaign")
STATUS: Final = "status.status"
PAGE_SIZE: Final = 2000
"""The most messages of a page; Routee returns no larger page."""
LOOK_BACK: Final[Duration] = 7 * DAY - 5 * MINUTE
"""How far back messages are requested: the API's seven days, less five minutes that Routee's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One of Routee's own filters. A message has to pass all filters of a query."""

    field: str
    term: str
    operator: Operator = "is"

    def fits(self, text: str) -> bool:
        """Returns whether a text passes it."""
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
    """Selects messages of an account: all of them unless it is narrowed. ``campaign`` selects those with or without a campaign."""

    filters: tuple[Filter, ...] = ()
    campaign: bool | None = None
    tracking_id: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves out messages, so that a message can leave its results."""
        return bool(self.filters or self.campaign or self.tracking_id)

    @property
    def by_status(self) -> tuple[Filter, ...]:
        """Returns its filters on the status. Every message changes its status."""
        return tuple(one for one in self.filters if one.field == STATUS)

    @property
    def is_of_one_status(self) -> bool:
        """Whether it selects a single status, so that a message leaves its results when its status changes."""
        return any(one.operator == "is" for one in self.by_status)

    def can_have(self, status: str) -> bool:
        """Returns whether messages of that status can be among its results."""
        return all(one.fits(status) for one in self.by_status)

    @property
    def digest(self) -> str:
        """Returns a hash that does not depend on the order of the filters and does not reveal their terms."""
        filters = sorted((one.field, one.operator, one.term) for one in self.filters)
        return hashlib.blake2b(repr((filters, self.campaign, self.tracking_id)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that could not be read: the reason, and what may be stored of it (recipient masked, body dropped) as JSON text."""

    why: str
    record: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of results. ``total`` is Routee's totalElements over all pages; ``last`` is true if no page follows."""

    batch: "Batch"
    number: int
    total: int
    last: bool
    rejected: tuple[RejectedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignState:
    """Routee's state of a campaign. ``statuses`` is the number of SMS by status."""

    tracking_id: str
    name: str
    state: str
    statuses: Mapping[str, int]
    recipients: int | None = None
    scheduled_at: Instant | None = None
    created_at: Instant | None = None
    unread: tuple[Unread, ...] = ()
    """The values that could not be read and count as missing."""


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The account's balance in its currency (``EUR``)."""

    amount: float
    currency: str


class Tracking(Protocol):
    """The interface of Routee's client that polling uses."""

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """Returns page ``page`` (from 0) of the messages between the instants. Raises RouteeError."""
