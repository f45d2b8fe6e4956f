"""Makes what the top of every page says: how old the data is, what is stuck, blind or stale, and of which accounts the numbers are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from monitor.config.monitor import Config, Search
from monitor.daemon.health import Health
from monitor.daemon.http.html_pages import Masthead, OtherHolder
from monitor.daemon.pipeline import Pipeline
from monitor.ingest.poll.blindness import INTERVALS
from monitor.model.format import datetime, duration
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor


def masthead_of(
    config: Config,
    pipeline: Pipeline,
    health: Health,
    version: str,
    fleet: Callable[[], Mapping[str, Any]] | None = None,
) -> Masthead:
    """Returns the masthead at this time, from memory. ``fleet`` returns the daemons that share the store, as JSON has them."""
    now = pipeline.services.clock.now()
    polled = max((cursor.as_of for cursor in pipeline.known_cursors()), default=None)
    stale = (_sentence(search, at, now) for search, at in _stale(config, pipeline.known_cursors(), now))
    warnings = (*health.stuck(), *health.unready(), *stale, *health.warnings())
    configured = {one.name for one in config.accounts}
    held = tuple(one for one in pipeline.accounts if one in configured)
    return Masthead(version, polled, now, warnings, held, () if fleet is None else _others(fleet(), pipeline))


def _others(fleet: Mapping[str, Any], pipeline: Pipeline) -> tuple[OtherHolder, ...]:
    """Returns the other holders. What was removed from all configurations is among their accounts only while it has alerts."""
    removed = {name for one in fleet["workers"] for name in one.get("removed", ())}
    known = pipeline.elsewhere.accounts
    over = {name for name in removed if name not in known or not any(known[name].evaluator.every_alert())}
    return other_holders(fleet, over.union(pipeline.accounts))


def other_holders(fleet: Mapping[str, Any], held: Iterable[str]) -> tuple[OtherHolder, ...]:
    """Returns who holds the accounts that are not among those ``held`` here; last, without a name, those that no other daemon holds."""
    here, found = {one["name"] for one in fleet["workers"] if one["isThis"]}, dict[str, list[str]]()
    for one in fleet["accounts"]:
        if one["account"] not in held:
            name = one["worker"] or ""
            found.setdefault("" if name in here else name, []).append(one["account"])
    urls = {one["name"]: one["url"] or "" for one in fleet["workers"]}
    return tuple(
        OtherHolder(name, urls.get(name, ""), tuple(found[name]))
        for name in sorted(found, key=lambda one: (not one, one))
    )


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
