"""Polling: what is asked of Routee, when, and when it counts as complete.

`poll_search` keeps one search up to date for as long as it runs. The path of one poll: `plan` says which span of time, `slices`
reads it completely, the `sink` takes rows and cursor. `sweep` does the same further back, with `ledger` to spare downloads.
"""

from monitor.ingest.poll.plan import SearchPlan, Slice
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import NoObserver, PollFigures, PollObserver, Sink
from monitor.ingest.poll.trouble import Trouble

__all__ = ["NoObserver", "PollFigures", "PollObserver", "SearchPlan", "Sink", "Slice", "Trouble", "poll_search"]
