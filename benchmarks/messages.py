"""Realistic messages for benchmarks: six days of the local Routee's traffic, as pages decoded from its JSON."""

from collections.abc import Iterable, Iterator

from monitor.ingest.routee.wire import decode_page
from monitor.model.batch import Batch
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import DAY, SystemClock
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.search import SearchRequest
from monitor.window import Window

MILLION = 1_000_000
SPAN = 6 * DAY
_DIGITS = "0123456789abcdef"
_OTHER_DIGITS = [str.maketrans(_DIGITS, _DIGITS[turned:] + _DIGITS[:turned]) for turned in range(len(_DIGITS))]
"""For each copy of the messages what becomes of a digit of an id."""


def count(quick: bool) -> int:
    """Returns how many messages a benchmark uses."""
    return MILLION // 10 if quick else MILLION


def bodies(messages: int) -> Iterator[bytes]:
    """Yields pages as Routee answers them, the oldest first."""
    sandbox = Sandbox(SystemClock(), history=SPAN, messages=messages)
    now = sandbox.now()
    numbers = sandbox.select(SearchRequest(), now)[::-1]
    for start in range(0, len(numbers), PAGE_SIZE):
        records = sandbox.encoded(numbers[start : start + PAGE_SIZE], now)
        yield b'{"content":[%b],"totalElements":%d,"last":false}' % (b",".join(records), len(numbers))


def batches(messages: int) -> Iterator[Batch]:
    """Yields the decoded pages."""
    now = SystemClock().now()
    return (decode_page(body, now).batch for body in bodies(messages))


def many_batches(messages: int) -> Iterator[Batch]:
    """Yields the pages of many messages: above a million, those of a million with other ids again and again, which takes less time to draw."""
    copies = -(-messages // MILLION)
    for page in batches(messages // copies):
        ids = page.message_id
        for number in range(copies):
            page.message_id = [text.translate(_OTHER_DIGITS[number]) for text in ids] if number else ids
            yield page


def filled_window(pages: Iterable[Batch]) -> Window:
    """Returns a window with those messages."""
    window = Window("main", RecipientMask("mask", bytes(32)))
    for page in pages:
        window.upsert(page, "all")
    return window
