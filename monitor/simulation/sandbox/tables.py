"""Stores what many messages share (outcome, route, stream) once, by code, together with its piece of JSON."""

from collections.abc import Callable, Hashable, Mapping
from typing import Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.model.message import DELIVERED, FAILED, QUEUED, SENT, UNDELIVERED, UNSENT
from monitor.runtime.dataclass import dataclass

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class StatusOutcome:
    """A status with its reason."""

    status: str
    detail: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRoute:
    """Where a message goes, and the price of one part there."""

    operator: str | None
    country: str | None
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Everything that the messages of one sender or one campaign have in common."""

    sender: str | None = None
    application: str | None = None
    label: str | None = None
    direction: str | None = "Outbound"
    service: str | None = "Sms"
    groups: tuple[str, ...] = ()
    campaign: str | None = None
    tracking_id: str | None = None


class CodeTable(Generic[T]):
    """Entries in the order in which they were first seen; an entry's index is its code."""

    def __init__(self, *entries: T) -> None:
        self.entries: list[T] = []
        self._codes: dict[T, int] = {}
        self._pieces: dict[Callable[[T], bytes], list[bytes]] = {}
        for entry in entries:
            self.code(entry)

    def code(self, entry: T) -> int:
        """Returns the entry's code; a new entry gets one."""
        code = self._codes.setdefault(entry, len(self.entries))
        if code == len(self.entries):
            self.entries.append(entry)
        return code

    def pieces(self, encode: Callable[[T], bytes]) -> list[bytes]:
        """Returns ``encode`` of each entry, by code; each entry is encoded once."""
        pieces = self._pieces.setdefault(encode, [])
        pieces.extend(encode(entry) for entry in self.entries[len(pieces) :])
        return pieces

    def where(self, holds: Callable[[T], bool]) -> NDArray[np.bool_]:
        """Returns for which codes a condition holds."""
        return np.array([holds(entry) for entry in self.entries], np.bool_)

    def ranks(self, value: Callable[[T], str]) -> NDArray[np.int64]:
        """Returns each code's rank when the entries are sorted by ``value``; equal values have equal ranks."""
        values = [value(entry) for entry in self.entries]
        positions = {text: position for position, text in enumerate(sorted(set(values)))}
        return np.array([positions[text] for text in values], np.int64)


QUEUED_CODE: Final = 0
SENT_CODE: Final = 1
DELIVERED_CODE: Final = 2
OUTCOMES: Final = (
    StatusOutcome(QUEUED),
    StatusOutcome(SENT, "Sent", "The message was handed to the operator"),
    StatusOutcome(DELIVERED, "Delivered", "The handset confirmed the message"),
    StatusOutcome(UNDELIVERED, "Undelivered", "The operator could not deliver the message"),
    StatusOutcome(FAILED, "Failed", "The message could not be processed"),
    StatusOutcome(UNSENT, None, "The balance does not suffice"),
    StatusOutcome(UNDELIVERED, "Unknown Number", "The number is not in use"),
    StatusOutcome(UNDELIVERED, "Undelivered on Handset", "The handset is off or out of reach"),
    StatusOutcome(UNDELIVERED, "Carrier Violation", "The operator's content filter refused the message"),
    StatusOutcome(UNDELIVERED, "Expired", "The validity period ran out"),
    StatusOutcome(UNDELIVERED, "Roaming", "The handset is abroad"),
    StatusOutcome(UNDELIVERED, "Call Barred", "The subscriber does not take messages"),
    StatusOutcome(UNDELIVERED, "Unknown Status", "The operator gave no reason"),
    StatusOutcome(UNDELIVERED, "DND Error Code", "The number is on a do-not-disturb list"),
)
"""The outcomes that every sandbox starts with; the first three have fixed codes."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one sandbox. ``bodies`` holds texts of messages."""

    outcomes: CodeTable[StatusOutcome]
    routes: CodeTable[DeliveryRoute]
    streams: CodeTable[Stream]
    bodies: CodeTable[str]


def new_tables() -> Tables:
    """Returns tables that hold only the known outcomes."""
    return Tables(CodeTable(*OUTCOMES), CodeTable(), CodeTable(), CodeTable())


def outcome_piece(outcome: StatusOutcome) -> bytes:
    """Returns ``"status":{…,"date":"``, which the date follows."""
    reason = {"detailedStatus": outcome.detail, "description": outcome.description}
    fields: dict[str, object] = {"status": outcome.status}
    fields |= {"reason": _given(reason)} if outcome.detail else {}
    return b',"status":' + msgspec.json.encode(fields)[:-1] + b',"date":"'


def route_piece(route: DeliveryRoute) -> bytes:
    """Returns country, operator and price."""
    return _members({"country": route.country, "operator": route.operator, "price": route.price})


def stream_piece(stream: Stream) -> bytes:
    """Returns the stream's fields as a search gives them."""
    return _stream_members(stream, "campaignName")


def single_stream_piece(stream: Stream) -> bytes:
    """Returns the stream's fields as the tracking of one message gives them."""
    return _stream_members(stream, "campaign")


def body_piece(body: str) -> bytes:
    """Returns the text of the message."""
    return _members({"body": body})


def _stream_members(stream: Stream, campaign_key: str) -> bytes:
    members = {
        "from": stream.sender,
        "groups": list(stream.groups),
        "applicationName": stream.application,
        "originatingService": stream.service,
        campaign_key: stream.campaign,
        "campaignTrackingId": stream.tracking_id,
        "label": stream.label,
        "direction": stream.direction,
    }
    return _members(members)


def _members(fields: Mapping[str, object]) -> bytes:
    """Returns the given fields as members of an object, each after a comma."""
    given = msgspec.json.encode(_given(fields))[1:-1]
    return b"," + given if given else b""


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
