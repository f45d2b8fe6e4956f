"""Makes what the top of every page says: how old the data is, and what is stuck, blind or stale."""

from collections.abc import Iterable, Iterator

from monitor.config.monitor import Config, Search
from monitor.daemon.health import Health
from monitor.daemon.http.html_pages import Masthead
from monitor.daemon.pipeline import Pipeline
from monitor.ingest.poll.blindness import INTERVALS
from monitor.model.format import datetime, duration
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor


def masthead_of(config: Config, pipeline: Pipeline, health: Health, version: str) -> Masthead:
    """Returns the masthead at this time, from memory."""
    now = pipeline.services.clock.now()
    polled = max((cursor.as_of for cursor in pipeline.known_cursors()), default=None)
    stale = (_sentence(search, at, now) for search, at in _stale(config, pipeline.known_cursors(), now))
    warnings = (*health.stuck(), *health.unready(), *stale, *health.warnings())
    return Masthead(version, polled, now, warnings)


def is_stale(config: Config, cursors: Iterable[Cursor], now: Instant) -> bool:
    """Returns whether the data of one of these searches is older than `INTERVALS` of its intervals."""
    return any(True for _ in _stale(config, cursors, now))


def _stale(config: Config, cursors: Iterable[Cursor], now: Instant) -> Iterator[tuple[Search, Instant]]:
    """Yields each search whose data is stale, and when it was polled last."""
    polled = {(cursor.account, cursor.search): cursor.as_of for cursor in cursors}
    for search in config.searches:
        at = polled.get((search.account, search.name))
        if at is not None and now - at > INTERVALS * search.every + search.settle:
            yield search, at


def _sentence(search: Search, at: Instant, now: Instant) -> str:
    return (
        f"What is shown of search {search.name} (account {search.account}) is stale: its last complete poll was "
        f"{duration(now - at)} ago, at {datetime(at, '%H:%M UTC')}; it should come every {duration(search.every)}"
    )
