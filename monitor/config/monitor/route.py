"""The models of the routing tree (receivers, grouping and intervals of notifications) and of inhibition rules."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ConfigDict, Field

from monitor.config.monitor.matchers import Label, Matchers, in_new_form
from monitor.config.yaml import FieldProblem, Flag, Name, Period, PeriodOrZero, Text, ValidationContext, YamlModel
from monitor.config.yaml.document import KeyPath
from monitor.runtime.clock import HOUR, MINUTE

_BELOW: Final = "the first route takes every alert; write this on a route under routes"


class _Node(YamlModel):
    """What every route of the tree has."""

    def check_values(self) -> Iterable[FieldProblem]:
        grouped: tuple[str, ...] = getattr(self, "group_by", None) or ()
        for index, label in enumerate(grouped):
            if label in grouped[:index]:
                yield FieldProblem(("group_by", index), f"{label!r} is listed twice")
        if "..." in grouped and len(grouped) > 1:
            yield FieldProblem(("group_by",), '"..." means every label and must be the only entry')

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        if key in ("match", "match_re"):
            return in_new_form("matchers", value, key == "match_re")
        return super().unknown_key(key, value)


class Subroute(_Node):
    """A route below another: for the alerts that meet its matchers. What is left out is as in the route above."""

    matchers: Matchers = ()
    """The matchers that alerts must meet; left out: all alerts of the route above."""
    receiver: Name | None = None
    """Who is notified."""
    continue_: Flag = Field(default=False, alias="continue")
    """true: alerts of this route are also offered to the routes after it."""
    group_by: tuple[Label, ...] | None = None
    """The labels that alerts of one message share; ["..."]: each alert by itself."""
    group_incidents: Flag | None = None
    """false: alerts of one incident are grouped by group_by like others."""
    group_wait: PeriodOrZero | None = None
    """How long to wait for further alerts before the first notification of a group."""
    group_interval: Period | None = None
    """How long to wait before changes of a group are notified."""
    repeat_interval: Period | None = None
    """After how long the notification of a group that still fires is repeated."""
    mute_time_intervals: tuple[Text, ...] = ()
    """Names of time_intervals: nobody is notified during them. Not inherited."""
    active_time_intervals: tuple[Text, ...] = ()
    """Names of time_intervals: notifications are sent only during them. Not inherited."""
    routes: tuple["Subroute", ...] = ()
    """The routes below. An alert goes to the first one whose matchers it meets."""


class RootRoute(_Node):
    """The root route: it gets every alert that no route below it gets."""

    receiver: Name
    """Who is notified."""
    group_by: tuple[Label, ...] = ("alertname",)
    """The labels that alerts of one message share; ["..."]: each alert by itself."""
    group_incidents: Flag = True
    """Alerts of one incident make one message; false: they are grouped by group_by like others."""
    group_wait: PeriodOrZero = 0
    """How long to wait for further alerts before the first notification of a group."""
    group_interval: Period = 5 * MINUTE
    """How long to wait before changes of a group are notified."""
    repeat_interval: Period = 4 * HOUR
    """After how long the notification of a group that still fires is repeated."""
    routes: tuple[Subroute, ...] = ()
    """The routes below. An alert goes to the first one whose matchers it meets."""

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        if key in ("matchers", "continue", "mute_time_intervals", "active_time_intervals"):
            return _BELOW
        return super().unknown_key(key, value)


class InhibitRule(YamlModel):
    """While alerts that match the source fire, alerts that match the target are not notified."""

    model_config = ConfigDict(json_schema_extra={"required": ["source_matchers", "target_matchers"]})

    source_matchers: Matchers = ()
    """The matchers of the alerts that inhibit others."""
    target_matchers: Matchers = ()
    """The matchers of the alerts that are inhibited."""
    equal: tuple[Label, ...] = ()
    """The labels whose values both alerts must share."""

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        for side in ("source", "target"):
            if key in (f"{side}_match", f"{side}_match_re"):
                return in_new_form(f"{side}_matchers", value, key.endswith("_re"))
        return super().unknown_key(key, value)

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        for side in ("source", "target"):
            key = f"{side}_matchers"
            if data.get(key) == []:
                yield FieldProblem((key,), "needs at least one matcher")
            elif not data.keys() & {
                key,
                f"{side}_match",
                f"{side}_match_re",
            }:  # the old forms have a message of their own
                yield FieldProblem((key,), "is missing")


def names_used(route: object, path: KeyPath = ("route",)) -> Iterator[tuple[str, KeyPath, object]]:
    """Yields each receiver and time interval named by a raw route and the routes below it: what it is, its path, and the name."""
    if not isinstance(route, dict):
        return
    yield "receiver", (*path, "receiver"), route.get("receiver")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for index, name in enumerate(_entries(route.get(key))):
            yield "time interval", (*path, key, index), name
    for index, below in enumerate(_entries(route.get("routes"))):
        yield from names_used(below, (*path, "routes", index))


def _entries(written: object) -> list[Any]:
    return written if isinstance(written, list) else []
