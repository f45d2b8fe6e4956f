"""Polls searches: what is requested of Routee, when, and when a poll counts as complete.

`poll_search` keeps one search up to date while it runs. In a poll, `plan` computes the span of time, `reader` reads it completely, and the
`sink` takes rows and the cursor. `sweep` reads older spans again, and avoids downloads with `sweep_ledger`.
"""

from monitor.ingest.poll.plan import SearchPlan, Slice
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import NoObserver, PollFigures, PollObserver, Sink
from monitor.ingest.poll.trouble import Trouble

__all__ = ["NoObserver", "PollFigures", "PollObserver", "SearchPlan", "Sink", "Slice", "Trouble", "poll_search"]
