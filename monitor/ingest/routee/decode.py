"""Decodes answers in the event loop, or in a thread where that takes long."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from monitor.ingest.routee.wire import page_at_once, page_by_record, parts_at_once, parts_by_record
from monitor.ingest.routee.worker_thread import in_worker
from monitor.model.routee_query import Page
from monitor.runtime.clock import Instant

Result = TypeVar("Result")
Decode = Callable[[bytes], Awaitable[Result]]
"""Returns what a body says. Raises Malformed."""

LARGE: Final = 2**20
"""The largest page in bytes that is decoded in the event loop; a larger one is decoded in a thread."""
LARGE_OTHER: Final = 64 * 1024
"""The same for other answers, which have some 200 bytes; the standard library may take 5 ms for so many."""
LARGE_BY_RECORD: Final = 2 * 1024
"""The same for a page that is read record by record, in up to 0.02 ms for each. A record may have two bytes."""


def usual(decode: Callable[[bytes], Result]) -> Decode[Result]:
    """Returns the decoder of answers that are decoded in one way only."""
    return partial(_usual, decode)


def decoder_of_page(now: Instant, number: int, size: int) -> Decode[Page]:
    """Returns the decoder of page ``number`` of a search; see `decode_page`."""
    return partial(
        _page, lambda body: page_at_once(body, now, number, size), lambda body: page_by_record(body, now, number, size)
    )


def decoder_of_parts() -> Decode[Page]:
    """Returns the decoder of the parts of one message; see `decode_parts`."""
    return partial(_page, parts_at_once, parts_by_record)


async def _usual(decode: Callable[[bytes], Result], body: bytes) -> Result:
    return await in_worker(decode, body, LARGE_OTHER)


async def _page(at_once: Callable[[bytes], Page | None], by_record: Callable[[bytes], Page], body: bytes) -> Page:
    page = await in_worker(at_once, body, LARGE)
    return await in_worker(by_record, body, LARGE_BY_RECORD) if page is None else page
