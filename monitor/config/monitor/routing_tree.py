"""Builds the routing tree from its model, and finds routes that have no effect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.config.monitor.route import RootRoute as Written
from monitor.config.monitor.route import Subroute
from monitor.routing.matchers import show
from monitor.routing.route import Route
from monitor.routing.time_intervals import NamedInterval

Intervals = Mapping[str, NamedInterval]


def tree_of(written: Written, intervals: Intervals) -> Route:
    """Returns the tree, with everything inherited filled in. ``intervals`` must contain every interval that routes name."""
    root = Route(
        written.receiver,
        tuple(written.group_by),
        written.group_wait,
        written.group_interval,
        written.repeat_interval,
        group_incidents=written.group_incidents,
    )
    return replace(root, routes=_below(root, written.routes, intervals))


def _below(above: Route, written: Sequence[Subroute], intervals: Intervals) -> tuple[Route, ...]:
    found: list[Route] = []
    for entry in written:
        key = f"{above.key}/{show(entry.matchers)}"
        twins = sum(show(one.matchers) == show(entry.matchers) for one in found)
        found.append(_route(entry, above, f"{key}/{twins}" if twins else key, intervals))
    return tuple(found)


def _route(written: Subroute, above: Route, key: str, intervals: Intervals) -> Route:
    route = Route(
        written.receiver or above.receiver,
        above.group_by if written.group_by is None else written.group_by,
        above.group_wait if written.group_wait is None else written.group_wait,
        written.group_interval or above.group_interval,
        written.repeat_interval or above.repeat_interval,
        key,
        written.matchers,
        written.continue_,
        mute=tuple(intervals[name] for name in written.mute_time_intervals),
        active=tuple(intervals[name] for name in written.active_time_intervals),
        group_incidents=above.group_incidents if written.group_incidents is None else written.group_incidents,
    )
    return replace(route, routes=_below(route, written.routes, intervals))


def every_route(root: Route) -> Iterator[Route]:
    """Yields all routes of the tree, each before those below it."""
    yield root
    for route in root.routes:
        yield from every_route(route)


def reachable_receivers(root: Route) -> set[str]:
    """Returns the receivers that some alert can reach."""
    reachable = set().union(
        *(reachable_receivers(route) for route in root.routes if _taker(route, root.routes) is None)
    )
    passed_on = any(not route.matchers for route in root.routes)
    return reachable if passed_on else reachable | {root.receiver}


def doubts(root: Route) -> Iterator[str]:
    """Yields a sentence for each route that is never reached."""
    for route in root.routes:
        taker = _taker(route, root.routes)
        if taker is not None:
            yield f"the route {route.key} is never reached: {taker.key} takes all of its alerts first (continue: true passes them on)"
        else:
            yield from doubts(route)


def _taker(route: Route, siblings: Sequence[Route]) -> Route | None:
    """Returns the earlier sibling that takes every alert of this route; None if there is none."""
    for other in siblings:
        if other is route:
            return None
        if not other.continue_ and set(other.matchers) <= set(route.matchers):
            return other
    return None
