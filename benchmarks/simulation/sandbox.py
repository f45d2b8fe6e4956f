"""Measures the local Routee of the demo and the tests: drawing a week of messages, and encoding a page of them."""

from benchmarks.figure import Figure, median_of, timed
from benchmarks.messages import SPAN, count
from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.search import SearchRequest


def run(quick: bool) -> list[Figure]:
    """Returns the time of one drawing, and the median of ten pages."""
    messages, made = count(quick), list[Sandbox]()
    drawing = timed(lambda: made.append(Sandbox(SystemClock(), history=SPAN, messages=messages)), 1)
    [sandbox] = made
    now = sandbox.now()
    numbers = sandbox.select(SearchRequest(), now)
    starts = iter(range(0, 10 * PAGE_SIZE, PAGE_SIZE))

    def page() -> None:
        start = next(starts)
        sandbox.encoded(numbers[start : start + PAGE_SIZE], now)

    return [
        median_of(f"{messages:,} messages drawn", drawing.seconds, "s", at_most=10),
        median_of(f"a page of {PAGE_SIZE:,} messages encoded", timed(page, 10).milliseconds, "ms", at_most=20),
    ]
