"""Reads one record of Routee's: the needed fields, and nothing of the message's text.

msgspec decodes `SmsPart` directly from JSON. `read_part` makes one from a record with other types than the documented ones: numbers as
texts, texts as numbers, null anywhere, or a status that is a plain text.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from monitor.ingest.routee.clean_text import LONGEST
from monitor.ingest.routee.coerce import amount_of, count_of, date_of, text_of

Id = Annotated[str, msgspec.Meta(max_length=LONGEST)]
Count = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]

SMALLEST_HASH: Final = 65_536
"""The smallest key that is a hash of an smsId. Numbers of parts are smaller."""


class UnreadableRecord(ValueError):
    """A record cannot be used. The text says why and quotes nothing private."""


class StatusReason(msgspec.Struct, gc=False):
    """The reason of a status."""

    detailedStatus: str | None = None  # noqa: N815 - Routee's name


class Status(msgspec.Struct, gc=False):
    """A status report. Callbacks have ``name`` and ``updatedDate`` instead of ``status`` and ``date``."""

    status: str | None = None
    date: str | None = None
    reason: StatusReason | None = None
    name: str | None = None
    updatedDate: str | None = None  # noqa: N815 - Routee's name


class SmsPart(msgspec.Struct, gc=False, rename={"from_": "from"}):
    """One SMS part, with Routee's names."""

    status: Status
    smsId: Id | None = None  # noqa: N815 - Routee's name, as all below
    messageId: Id | None = None  # noqa: N815 - as above
    to: str | None = None
    from_: str | None = None
    groups: list[str] | None = None
    country: str | None = None
    operator: str | None = None
    applicationName: str | None = None  # noqa: N815 - as above
    campaignName: str | None = None  # noqa: N815 - as above
    campaign: str | None = None
    campaignTrackingId: str | None = None  # noqa: N815 - as above
    originatingService: str | None = None  # noqa: N815 - as above
    latency: float | None = None
    parts: Count | None = None
    part: Count | None = None
    price: float | None = None
    label: str | None = None
    direction: str | None = None
    receivedDate: str | None = None  # noqa: N815 - as above

    @property
    def date(self) -> str:
        """Returns the date of the status as written. An inbound part may only have the date of its receipt."""
        return self.status.date or self.status.updatedDate or self.receivedDate or ""

    @property
    def number(self) -> int | None:
        """Returns which part of its message it is; None if that is not known."""
        if self.part is not None and 0 <= self.part < SMALLEST_HASH:
            return self.part
        return 1 if (self.parts or 1) <= 1 else None


def problem_text(part: SmsPart) -> str | None:
    """Returns why a part is invalid: it has no identity or no status. Returns None for a valid one. Dates are checked elsewhere."""
    if not (part.messageId or part.smsId):
        return "it has neither messageId nor smsId"
    if not (part.status.status or part.status.name):
        return "it has no status"
    if not part.smsId and part.number is None:
        return "it is one of several parts, but has neither part nor smsId"
    return None


def read_part(record: object) -> SmsPart:
    """Returns the part of a ``record`` (parsed JSON). Raises UnreadableRecord."""
    if not isinstance(record, Mapping):
        raise UnreadableRecord("it is not an object")
    texts = {name: text_of(record.get(name)) for name in _TEXTS}
    return SmsPart(
        status=_status(record),
        smsId=_id(record, "smsId"),
        messageId=_id(record, "messageId"),
        from_=text_of(record.get("from")),
        groups=_groups(_unless_null(record.get("groups"))),
        latency=amount_of(_unless_null(record.get("latency"))),
        price=amount_of(_unless_null(record.get("price"))),
        parts=count_of(record.get("parts")),
        part=count_of(record.get("part")),
        receivedDate=date_of(record.get("receivedDate")),
        **texts,
    )


_TEXTS = (
    "to",
    "country",
    "operator",
    "applicationName",
    "campaignName",
    "campaign",
    "campaignTrackingId",
    "originatingService",
    "label",
    "direction",
)


def _status(record: Mapping[str, object]) -> Status:
    found = record.get("status")
    status = found if isinstance(found, Mapping) else record
    return Status(
        status=text_of(status.get("status")),
        name=text_of(status.get("name")) if status is found else None,
        date=date_of(status.get("date")),
        updatedDate=date_of(status.get("updatedDate")),
        reason=_reason(_unless_null(status.get("reason"))),
    )


def _unless_null(value: object) -> object:
    """Returns the value of a field that is documented to be no text; None if it is the text ``null``, which msgspec takes for null there."""
    return None if isinstance(value, str) and value.lower() == "null" else value


def _reason(value: object) -> StatusReason | None:
    if isinstance(value, Mapping):
        return StatusReason(text_of(value.get("detailedStatus")))
    return StatusReason(text_of(value))


def _id(record: Mapping[str, object], name: str) -> str | None:
    value = text_of(record.get(name))
    if value is not None and len(value) > LONGEST:
        raise UnreadableRecord(f"its {name} is longer than {LONGEST} characters")
    return value


def _groups(value: object) -> list[str] | None:
    values = value if isinstance(value, list) else [value]
    return [text for text in map(text_of, values) if text]
