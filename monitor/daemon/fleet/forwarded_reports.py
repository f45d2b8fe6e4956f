"""What a daemon hands the holder of an account through the store, of callbacks that came to it: everything in them, with the numbers sealed.

Numbers are masked before anything is stored. A sealed one (`monitor.model.privacy.RecipientMask.sealed`) has its text to show and its hash, so that
the holder stores the same as if the callback had come to it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from monitor.model.batch import Batch, Combinations
from monitor.model.message import CODED_FIELDS, INBOUND, Unread
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import CampaignState, RejectedRecord
from monitor.runtime.dataclass import dataclass

FORM: Final = 1
"""The form in which they are written. A daemon takes in only what it knows."""


class NewerForm(ValueError):
    """A newer version has written it."""


@dataclass(frozen=True, slots=True)
class PushedReports:
    """What callbacks of one account have pushed."""

    batch: Batch
    campaigns: Sequence[CampaignState]
    rejected: Sequence[RejectedRecord]


class _Written(msgspec.Struct):
    form: int
    key: list[int]
    parts: list[int]
    date: list[int]
    latency: list[float]
    price: list[float]
    texts: dict[str, list[str]]
    unread: list[Unread]
    campaigns: list[CampaignState]
    rejected: list[RejectedRecord]


def encode(reports: PushedReports, privacy: RecipientMask) -> bytes:
    """Returns the reports as bytes that may be stored."""
    batch, fields = reports.batch, dict(reports.batch.fields)
    inbound = [one.casefold() == INBOUND.casefold() for one in fields["direction"]]
    senders = [privacy.sealed(name) if is_in else name for name, is_in in zip(fields["from"], inbound, strict=True)]
    texts = fields | {
        "from": senders,
        "to": [privacy.sealed(number) for number in batch.recipient],
        "messageId": batch.message_id,
    }
    return msgspec.msgpack.encode(
        _Written(
            FORM,
            batch.key.tolist(),
            batch.parts.tolist(),
            batch.date.tolist(),
            batch.latency.tolist(),
            batch.price.tolist(),
            {name: list(values) for name, values in texts.items()},
            list(batch.unread),
            list(reports.campaigns),
            list(reports.rejected),
        )
    )


def decode(body: bytes) -> PushedReports:
    """Returns the reports. Raises NewerForm if a newer version wrote them, and ValueError if they cannot be read for another reason."""
    try:
        return _decoded(body)
    except (KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"it has another content than its form says: {error!r}") from error


def _decoded(body: bytes) -> PushedReports:
    form = msgspec.msgpack.decode(body, type=dict[str, object]).get("form")
    if isinstance(form, int) and form > FORM:
        raise NewerForm(f"a newer version has written it (form {form})")
    if form != FORM:
        raise ValueError(f"another version has written it (form {form})")
    found = msgspec.msgpack.decode(body, type=_Written)
    texts = dict[str, Sequence[str]](found.texts)
    if texts.keys() != {*CODED_FIELDS, "to", "messageId"}:
        raise ValueError(f"it has the fields {', '.join(sorted(texts))}")
    numbers: list[Sequence[object]] = [found.key, found.parts, found.date, found.latency, found.price]
    if {len(values) for values in (*numbers, *texts.values())} != {len(found.key)}:
        raise ValueError("its fields differ in length")
    batch = Batch(
        message_id=texts.pop("messageId"),
        key=np.array(found.key, np.int64),
        parts=np.array(found.parts, np.int64),
        date=np.array(found.date, np.int64),
        latency=np.array(found.latency, np.float64),
        price=np.array(found.price, np.float64),
        recipient=texts.pop("to"),
        coded=Combinations.of_parts(texts),
        unread=tuple(found.unread),
    )
    return PushedReports(batch, found.campaigns, found.rejected)
