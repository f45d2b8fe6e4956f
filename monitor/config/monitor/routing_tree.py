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
    """The tree with everything inherited filled in; ``intervals`` by their names, which all exist."""
    root = Route(
        written.receiver,
        tuple(written.group_by),
        written.group_wait,
        written.group_interval,
        written.repeat_interval,
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
    )
    return replace(route, routes=_below(route, written.routes, intervals))


def every_route(root: Route) -> Iterator[Route]:
    """All routes of the tree, from the first on downwards."""
    yield root
    for route in root.routes:
        yield from every_route(route)


def receivers_told(root: Route) -> set[str]:
    """The receivers that some alert could reach."""
    told = set().union(*(receivers_told(route) for route in root.routes if _taker(route, root.routes) is None))
    passed_on = any(not route.matchers for route in root.routes)
    return told if passed_on else told | {root.receiver}


def doubts(root: Route) -> Iterator[str]:
    """What of the tree has no effect, in sentences."""
    for route in root.routes:
        taker = _taker(route, root.routes)
        if taker is not None:
            yield f"the route {route.key} is never reached: {taker.key} takes all of its alerts first (continue: true passes them on)"
        else:
            yield from doubts(route)


def _taker(route: Route, siblings: Sequence[Route]) -> Route | None:
    """The route before this one that takes every alert of this one's."""
    for other in siblings:
        if other is route:
            return None
        if not other.continue_ and set(other.matchers) <= set(route.matchers):
            return other
    return None
