"""Decoding a page, against msgspec with the fields that are kept and no check of their values."""

from functools import partial

import msgspec

from benchmarks.figure import Figure, timed
from benchmarks.floors.compared import compared
from benchmarks.messages import bodies
from monitor.ingest.routee.wire import decode_page
from monitor.runtime.clock import SystemClock


class _Reason(msgspec.Struct, gc=False):
    detailedStatus: str | None = None  # noqa: N815 - Routee's names, as below


class _Status(msgspec.Struct, gc=False):
    status: str
    date: str
    reason: _Reason | None = None


class _Part(msgspec.Struct, gc=False):
    messageId: str  # noqa: N815 - Routee's name
    status: _Status
    to: str
    part: int = 1
    parts: int = 1
    latency: float | None = None
    price: float | None = None
    operator: str | None = None
    country: str | None = None
    campaignName: str | None = None  # noqa: N815 - Routee's name
    campaignTrackingId: str | None = None  # noqa: N815 - Routee's name
    label: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    direction: str | None = None
    applicationName: str | None = None  # noqa: N815 - Routee's name
    originatingService: str | None = None  # noqa: N815 - Routee's name
    groups: list[str] = []


class PageOfParts(msgspec.Struct, gc=False):
    """A page with the fields that are kept."""

    content: list[_Part]
    totalElements: int  # noqa: N815 - Routee's name
    last: bool


def decoding(messages: int) -> list[Figure]:
    """Returns medians over pages."""
    pages, now, decoder = list(bodies(messages)), SystemClock().now(), msgspec.json.Decoder(PageOfParts)
    here, least = [], []
    for body in pages:
        here.append(timed(partial(decode_page, body, now), 3).best * 1e3)
        least.append(timed(partial(decoder.decode, body), 3).best * 1e3)
    return compared("a page decoded", "msgspec alone", here, least, "ms")
