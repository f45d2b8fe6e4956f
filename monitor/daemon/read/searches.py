"""The searches: how fresh their messages are, and how much of the past was read. Pure."""

from monitor.config.monitor import Search
from monitor.daemon.overview import caught_up
from monitor.daemon.read.fields import Seconds, Time, read_model
from monitor.daemon.search_plan import plan_of
from monitor.ingest.poll.blindness import INTERVALS
from monitor.runtime.clock import Duration, Instant
from monitor.store.protocol import Cursor


@read_model
class SearchSummary:
    """A search as of now."""

    account: str
    search: str
    every: Seconds
    """How often it is polled."""
    filters: tuple[str, ...]
    """Routee's filters that it uses; empty: it returns every message."""
    last_poll: Time | None
    """The end of the last complete poll; null before the first one."""
    age: Seconds | None
    """How old its data is."""
    is_stale: bool
    """Whether its data is older than three intervals."""
    covered_since: Time | None
    """Since when no message is missing."""
    caught_up: float
    """The share of the past that was read, as a fraction."""
    blind: str
    """Why it cannot be polled; empty while it can."""
    pages: int | None
    """The number of pages that it has read since the start: each is a request. Null if it is not known."""
    messages: int | None
    """The number of messages of its account in memory."""


def search_summary(
    search: Search,
    cursor: Cursor | None,
    blind: str,
    pages: int | None,
    messages: int | None,
    now: Instant,
    unread: Duration = 0,
) -> SearchSummary:
    """Returns the state of a search. ``unread`` is how far back messages are still to be read beside its resweeps."""
    age = None if cursor is None else max(now - cursor.as_of, 0)
    question = search.question
    filters = [f"{one.field} {one.operator} {one.term}" for one in question.filters]
    filters += [] if question.campaign is None else [f"campaign {str(question.campaign).lower()}"]
    filters += [] if question.tracking_id is None else [f"tracking_id {question.tracking_id}"]
    return SearchSummary(
        account=search.account,
        search=search.name,
        every=search.every,
        filters=tuple(filters),
        last_poll=None if cursor is None else cursor.as_of,
        age=age,
        is_stale=age is None or age > INTERVALS * search.every + search.settle,
        covered_since=None if cursor is None else cursor.covered_since,
        caught_up=caught_up(plan_of(search), cursor, unread),
        blind=blind,
        pages=pages,
        messages=messages,
    )
