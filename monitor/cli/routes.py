"""``routee-monitor routes``: shows the routing tree, and where an alert would go."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.choices import known
from monitor.cli.load import read_config, read_rules
from monitor.cli.options import config_option, json_option, level_option, wide_option
from monitor.cli.output import name_variables, say, say_lines
from monitor.cli.table import Column, print_json, print_table
from monitor.cli.times import TIME

if TYPE_CHECKING:
    from monitor.config.monitor import Config
    from monitor.config.rules.incident import IncidentGrouping
    from monitor.routing.route import Route
    from monitor.routing.time_intervals import NamedInterval
    from monitor.runtime.clock import Instant

_AFTER = "Use this time (2026-11-21T10:00, in your time zone) instead of now."


@click.group(short_help="Show the routing tree; say where an alert would go.")
@config_option
@click.pass_context
def routes(ctx: click.Context, config: Path | None) -> None:
    """Show the routing tree of the configuration, or say where an alert would go. Nothing is sent to anybody.

    \b
    Exit codes: 0 shown; 1 with --expect, if other receivers would be notified;
    78 bad or missing configuration.
    """
    ctx.obj = config


@routes.command(short_help="Show the routing tree.")
@config_option
@json_option
@level_option
@click.pass_obj
def show(above: Path | None, config: Path | None, as_json: bool) -> None:
    """Show the routing tree: which alerts each route takes, which receiver is notified, and how alerts are grouped.

    \b
    Exit codes: 0 shown; 78 bad or missing configuration.
    """
    name_variables()
    root = read_config(config or above).route_tree()
    if as_json:
        print_json(_tree(root))
        return
    for line in _drawn(root):
        say_lines(line)
    grouped = [rule.name for rule in read_rules(config or above) if rule.incident is not None]
    if grouped and _puts_incidents_together(root):
        from monitor.model.plurals import plural

        say("")
        say(f"Alerts of {plural(len(grouped), 'rule')} are grouped by incident instead of by name and message fields.")


@routes.command("test", short_help="Say where an alert would go.")
@click.argument("labels", metavar="LABEL=VALUE...", nargs=-1)
@config_option
@json_option
@wide_option
@level_option
@click.option("--at", type=TIME, metavar="TIME", help=_AFTER)
@click.option(
    "--expect", metavar="RECEIVERS", help="Exit with 1 unless exactly these receivers would be notified (ops,oncall)."
)
@click.pass_obj
def test_labels(
    above: Path | None,
    config: Path | None,
    as_json: bool,
    labels: tuple[str, ...],
    at: "Instant | None",
    expect: str | None,
) -> int:
    """Show where an alert with these labels would go: which routes take it, which receivers are notified, how it is grouped,
    how soon and how often.

    \b
    routee-monitor routes test severity=critical operator=Cosmote country=GR

    The alert has only the labels that you give. If alertname is a rule with
    `incident`, it is grouped by that.

    \b
    Exit codes: 0 shown; 1 with --expect, if other receivers would be notified;
    78 bad or missing configuration.
    """
    from monitor.routing.route import routes_for
    from monitor.runtime.clock import SystemClock

    given = dict(map(_label, labels))
    instant = SystemClock().now() if at is None else at
    name_variables()
    loaded = read_config(config or above)
    wanted = None if expect is None else _receivers(expect, loaded)
    found = routes_for(loaded.route_tree(), given)
    rules = read_rules(config or above)
    rule = next((one for one in rules if one.name == given.get("alertname")), None)
    incident = None if rule is None else rule.incident
    inhibits = list(_inhibitions(loaded, given))
    if as_json:
        print_json(
            {"routes": [_found(route, given, incident, instant) for route in found], "inhibited_while": inhibits}
        )
    else:
        _table(found, given, incident, instant)
        for one in inhibits:
            say("")
            say(f"Inhibited while an alert fires that matches {one['source']}{_alike(one['equal'])}.")
        if hint := _about_name(given.get("alertname"), [one.name for one in rules]):
            say("")
            say(hint)
    return _verdict(found, wanted)


def _about_name(name: str | None, rules: list[str]) -> str:
    """Returns what a person should know about the alert's name, if it is missing or the name of no rule; otherwise empty."""
    from monitor.config.yaml import nearest
    from monitor.model.builtin_alerts import BUILT_IN

    if name in (*rules, *BUILT_IN) or not rules:
        return ""
    if name:
        near = nearest(name, [*rules, *BUILT_IN])
        return f"There is no rule {name!r}" + (f"; did you mean {near!r}?" if near is not None else ".")
    return (
        "This alert has no alertname, so it is of no rule and of no incident. Every real alert has one. "
        f"Add it, for instance alertname={rules[0]}."
    )


def _label(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not sign or not name or name.endswith("!") or value.startswith("~"):
        raise click.BadParameter(f"{text!r} is not a label of an alert; write it like severity=critical")
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return name, value[1:-1] if quoted else value


def _receivers(text: str, config: "Config") -> set[str]:
    """Returns the names of receivers, separated by commas in ``text``. Raises MonitorError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return {known("receiver", name, (one.name for one in config.receivers)) for name in names}


def _verdict(found: "tuple[Route, ...]", wanted: set[str] | None) -> int:
    receivers = {route.receiver for route in found}
    if wanted is None or wanted == receivers:
        return 0
    say(
        f"expected {', '.join(sorted(wanted)) or 'nobody'}, but these would be notified: {', '.join(sorted(receivers))}",
        err=True,
    )
    return 1


def _inhibitions(config: "Config", labels: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yields the inhibition rules whose target such an alert is."""
    from monitor.routing.matchers import matches, show

    for rule in config.inhibitions:
        if matches(rule.target, labels):
            equal = {name: labels.get(name, "") for name in rule.equal}
            yield {"source": show(rule.source), "equal": equal}


def _alike(equal: dict[str, str]) -> str:
    return " and has " + ", ".join(f'{name}="{value}"' for name, value in equal.items()) if equal else ""


def _puts_incidents_together(route: "Route") -> bool:
    from monitor.routing.route import groups_incidents

    return groups_incidents(route) or any(map(_puts_incidents_together, route.routes))


def _grouped(
    route: "Route", labels: dict[str, str], incident: "IncidentGrouping | None"
) -> "tuple[IncidentGrouping | None, dict[str, str]]":
    """Returns the kind of incident that makes the group, if the route groups alerts with it, and the labels that do."""
    from monitor.routing.route import group_labels, groups_incidents, labels_beside_incident

    if incident is None or not groups_incidents(route):
        return None, group_labels(route, labels)
    return incident, labels_beside_incident(route, labels)


def _group_words(route: "Route", labels: dict[str, str], incident: "IncidentGrouping | None") -> str:
    by, grouped = _grouped(route, labels, incident)
    words = [] if by is None else [f"incident ({by.words})"]
    return ", ".join(words + [f"{name}={value}" for name, value in sorted(grouped.items())]) or "(all as one)"


def _table(
    found: "tuple[Route, ...]", labels: dict[str, str], incident: "IncidentGrouping | None", instant: "Instant"
) -> None:
    rows = [
        (
            route.receiver,
            _group_words(route, labels, incident),
            *_timing(route),
            ", ".join(_muting(route, instant)) or "no",
            route.key,
        )
        for route in found
    ]
    print_table(("RECEIVER", "GROUP", "WAIT", "INTERVAL", "REPEAT", "MUTED NOW BY", Column("ROUTE", 1)), rows)


def _found(
    route: "Route", labels: dict[str, str], incident: "IncidentGrouping | None", instant: "Instant"
) -> dict[str, Any]:
    by, grouped = _grouped(route, labels, incident)
    return _node(route) | {
        "group_labels": grouped,
        "incident": None if by is None else {"name": by.name, "by": list(by.by)},
        "muted_by": list(_muting(route, instant)),
    }


def _node(route: "Route") -> dict[str, Any]:
    wait, interval, repeat = _timing(route)
    return {
        "route": route.key,
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        "group_by": list(route.group_by),
        "group_incidents": route.group_incidents,
        "group_wait": wait,
        "group_interval": interval,
        "repeat_interval": repeat,
        "mute_time_intervals": _names(route.mute),
        "active_time_intervals": _names(route.active),
    }


def _tree(route: "Route") -> dict[str, Any]:
    return _node(route) | {"routes": [_tree(below) for below in route.routes]}


def _muting(route: "Route", instant: "Instant") -> tuple[str, ...]:
    from monitor.routing.time_intervals import muting

    return muting(route.mute, route.active, instant)


def _names(intervals: "tuple[NamedInterval, ...]") -> list[str]:
    return [interval.name for interval in intervals]


def _timing(route: "Route") -> tuple[str, str, str]:
    from monitor.runtime.clock import format_duration

    repeat = "never" if route.repeat_interval is None else format_duration(route.repeat_interval)
    return format_duration(route.group_wait), format_duration(route.group_interval), repeat


def _drawn(route: "Route", first: str = "", others: str = "", above: "Route | None" = None) -> Iterator[str]:
    yield first + _line(route, above)
    for number, below in enumerate(route.routes, 1):
        last = number == len(route.routes)
        yield from _drawn(below, others + ("└── " if last else "├── "), others + ("    " if last else "│   "), route)


def _line(route: "Route", above: "Route | None") -> str:
    """Returns one route as a line: what it takes, who is notified, and what differs from the route above."""
    from monitor.routing.matchers import show

    taken = show(route.matchers) if route.matchers else "everything"
    words = (
        [f"by {', '.join(route.group_by) or 'nothing'}"] if above is None or above.group_by != route.group_by else []
    )
    before = (None, None, None) if above is None else _timing(above)
    named = zip(("wait", "interval", "repeat"), _timing(route), before, strict=True)
    words += [f"{name} {value}" for name, value, known in named if value != known]
    words += [f"mute {name}" for name in _names(route.mute)] + [f"only {name}" for name in _names(route.active)]
    above_groups = above is None or above.group_incidents
    if route.group_incidents != above_groups:
        words.append("incidents together" if route.group_incidents else "incidents not together")
    words += ["continue"] if route.continue_ else []
    return f"{taken} → {route.receiver}" + (f"  ({'; '.join(words)})" if words else "")
