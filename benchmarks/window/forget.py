"""Measures forgetting half a million messages at once, as after a long pause: the step of one poll, and what each poll writes."""

import time

from benchmarks.figure import Figure
from benchmarks.messages import SPAN, batches, count, filled_window
from monitor.daemon.account_pipeline import EXPIRE_AT_ONCE
from monitor.runtime.clock import SystemClock
from monitor.window import Query, WindowReader


def run(quick: bool) -> list[Figure]:
    """Returns the worst step rather than the median, because it delays a poll."""
    window = filled_window(batches(count(quick)))
    window.saved(window.unsaved(), 1)
    WindowReader(window).tally(Query(0, 1))  # as every poll does
    middle = SystemClock().now() - SPAN // 2
    steps, blobs, rows = [0.0], [0], len(window)
    forgotten = 1
    while forgotten:
        began = time.process_time()
        forgotten = window.expire(middle, EXPIRE_AT_ONCE)
        steps.append(time.process_time() - began)
        unsaved = window.unsaved()
        blobs.append(len(unsaved.blob or b""))
        window.saved(unsaved, len(steps))
    return [
        Figure(f"{rows - len(window):,} rows forgotten in steps, the longest", max(steps) * 1e3, "ms"),
        Figure("journal entry of a step, the largest", max(blobs) / 1e6, "MB"),
    ]
