"""Writes the routing as Alertmanager's own configuration, so that its tools (`amtool config routes test`) can read it.

Receivers appear by name only, without their channels and secrets.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from monitor.config.monitor.interval import written
from monitor.routing.inhibition import Inhibition
from monitor.routing.route import Route
from monitor.routing.time_intervals import NamedInterval
from monitor.runtime.clock import format_duration


def routing_as_yaml(root: Route, receivers: Iterable[str], inhibitions: Sequence[Inhibition] = ()) -> str:
    """Returns YAML with the routes, the names of the receivers, the inhibition rules, and the time intervals that routes use."""
    intervals = {interval.name: interval for interval in _intervals(root)}
    whole: dict[str, Any] = {
        "route": _route(root),
        "receivers": [{"name": name} for name in receivers],
        "inhibit_rules": [_inhibition(one) for one in inhibitions],
        "time_intervals": [_interval(one) for one in intervals.values()],
    }
    text: str = yaml.safe_dump({key: value for key, value in whole.items() if value}, sort_keys=False)
    return text


def _route(route: Route) -> dict[str, Any]:
    repeat = {} if route.repeat_interval is None else {"repeat_interval": format_duration(route.repeat_interval)}
    below: dict[str, Any] = {
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        "mute_time_intervals": [one.name for one in route.mute],
        "active_time_intervals": [one.name for one in route.active],
        "routes": [_route(one) for one in route.routes],
    }
    return {
        "receiver": route.receiver,
        "group_by": list(route.group_by),
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        **repeat,
        **{key: value for key, value in below.items() if value},
    }


def _inhibition(one: Inhibition) -> dict[str, Any]:
    return {
        "source_matchers": [str(matcher) for matcher in one.source],
        "target_matchers": [str(matcher) for matcher in one.target],
        "equal": list(one.equal),
    }


def _intervals(route: Route) -> Iterator[NamedInterval]:
    yield from (*route.mute, *route.active)
    for one in route.routes:
        yield from _intervals(one)


def _interval(one: NamedInterval) -> dict[str, Any]:
    return {"name": one.name, "time_intervals": [written(interval) for interval in one.intervals]}
