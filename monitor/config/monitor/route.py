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
    """What alerts must meet to come here; left out: all that come to the route above."""
    receiver: Name | None = None
    """Who is told."""
    continue_: Flag = Field(default=False, alias="continue")
    """true: what comes here is also looked at by the routes behind this one."""
    group_by: tuple[Label, ...] | None = None
    """The labels that alerts of one message share; ["..."]: each alert by itself."""
    group_wait: PeriodOrZero | None = None
    """How long to wait for further alerts before a group is told for the first time."""
    group_interval: Period | None = None
    """How long to wait before changes of a group are told."""
    repeat_interval: Period | None = None
    """After how long a group that still fires is told again."""
    mute_time_intervals: tuple[Text, ...] = ()
    """Names of time_intervals: nobody is told in them. Not inherited."""
    active_time_intervals: tuple[Text, ...] = ()
    """Names of time_intervals: somebody is told only in them. Not inherited."""
    routes: tuple["Subroute", ...] = ()
    """The routes below; the first that an alert meets takes it."""


class RootRoute(_Node):
    """The first route: it takes every alert that no route below it takes."""

    receiver: Name
    """Who is told."""
    group_by: tuple[Label, ...] = ("alertname",)
    """The labels that alerts of one message share; ["..."]: each alert by itself."""
    group_wait: PeriodOrZero = 0
    """How long to wait for further alerts before a group is told for the first time."""
    group_interval: Period = 5 * MINUTE
    """How long to wait before changes of a group are told."""
    repeat_interval: Period = 4 * HOUR
    """After how long a group that still fires is told again."""
    routes: tuple[Subroute, ...] = ()
    """The routes below; the first that an alert meets takes it."""

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        if key in ("matchers", "continue", "mute_time_intervals", "active_time_intervals"):
            return _BELOW
        return super().unknown_key(key, value)


class InhibitRule(YamlModel):
    """While alerts of one kind fire, those of another are not told."""

    model_config = ConfigDict(json_schema_extra={"required": ["source_matchers", "target_matchers"]})

    source_matchers: Matchers = ()
    """What the alerts meet that inhibit."""
    target_matchers: Matchers = ()
    """What the alerts meet that are inhibited."""
    equal: tuple[Label, ...] = ()
    """The labels that both must have alike."""

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
            }:  # the old forms are told of by themselves
                yield FieldProblem((key,), "is missing")


def names_used(route: object, path: KeyPath = ("route",)) -> Iterator[tuple[str, KeyPath, object]]:
    """The names of receivers and time intervals in a route as written, and in all below it: what it names, where, and the name."""
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
