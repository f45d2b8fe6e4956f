"""The base model of rules. Each kind has a model in a file of its own, which ``kinds.py`` lists."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr, WithJsonSchema

from monitor.config.rules.incident import IncidentGrouping
from monitor.config.rules.labels import RESERVED, Pairs
from monitor.config.rules.match import EVERYTHING, Condition, Match, MatchField, contradiction
from monitor.config.rules.threshold import Comparison, Level
from monitor.config.yaml import (
    AnyText,
    FieldProblem,
    Flag,
    Name,
    Period,
    PeriodOrZero,
    WholeNumber,
    YamlModel,
    suggest,
    value_at,
)
from monitor.config.yaml.document import Document, KeyPath, show_path
from monitor.model.message import FIELDS
from monitor.model.notification import history_step
from monitor.runtime.clock import DAY, HOUR, Duration
from monitor.runtime.errors import Problem

LONGEST_WINDOW: Final = 7 * DAY
"""Routee returns at most this much history after an empty start; a longer window might never be complete."""
BUILT_IN: Final = (
    "MonitorBlind",
    "NotificationFailing",
    "GapInHistory",
    "HistoryUnread",
    "RuleError",
    "InternalError",
    "Watchdog",
)
"""The alerts that routee-monitor raises about itself; no rule may have such a name."""


def _field(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"messages have no field {name!r}{suggest(name, FIELDS)}")
    return name


def _window(duration: Duration) -> Duration:
    if duration > LONGEST_WINDOW:
        raise ValueError("is longer than the 7d for which Routee gives messages back; write 7d or less")
    return duration


FieldName = Annotated[str, AfterValidator(_field), WithJsonSchema({"enum": list(FIELDS)})]
"""The name of a message field."""
Window = Annotated[Period, AfterValidator(_window)]
"""The span that a rule looks at, in microseconds."""


class RuleOrigin:
    """The location of a rule. All origins are equal, so that a rule that only moved within its file stays equal."""

    def __init__(self, document: Document | None = None, path: KeyPath = ()) -> None:
        self.document = document
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleOrigin)


class CountingKey:
    """What a rule counts, apart from its thresholds. Rules with equal keys share their counting. The hash is cached for fast look-ups."""

    __slots__ = ("_hash", "_what")

    def __init__(self, *what: Hashable) -> None:
        self._what = what
        self._hash = hash(what)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CountingKey) and self._what == other._what)


class Rule(YamlModel):
    """One rule: which messages it looks at, how they are grouped, and what its alerts are like."""

    name: Name
    """The alert's name; unique over all files."""
    kind: str
    """What the rule measures."""
    description: AnyText = ""
    """What the rule is for, for people."""
    enabled: Flag = True
    """false: the rule is checked but not evaluated."""
    search: Name | None = None
    """Only messages that this search returns; left out: all of the account's."""
    where: MatchField = EVERYTHING
    """Which messages are considered; left out: all."""
    by: tuple[FieldName, ...] = ()
    """One alert for each combination of these fields' values; left out: one alert in all."""
    for_: PeriodOrZero = Field(default=0, alias="for")
    """How long the threshold must be crossed without a break before the alert fires."""
    keep_firing_for: PeriodOrZero = 0
    """How long the alert goes on after the threshold was last crossed."""
    severity: Name = "warning"
    """The severity: info, warning, critical, or a word of your own."""
    labels: Pairs = Field(default_factory=dict)
    """Labels that its alerts get, to route and group by."""
    annotations: Pairs = Field(default_factory=dict)
    """Texts for people, as templates: summary, description, runbook_url."""
    limit: Annotated[WholeNumber, Field(ge=1)] | None = None
    """The most groups that may fire at once: the worst are sent, of the others only the number."""
    incident: IncidentGrouping | None = None
    """Its alerts and those of other rules that fire for one cause make one notification; left out: they are grouped by the route's group_by."""
    every: Period | None = None
    """How often the rule is evaluated; left out: at each completed poll."""
    forget_after: Period = 6 * HOUR
    """How long a firing alert stays while there is not enough data; then it resolves."""
    unit: Literal["messages", "parts"] = "messages"
    """Whether messages are counted, or the parts that long ones are made of."""

    asks_routee: ClassVar[bool] = False
    """Whether the rule needs answers of Routee that only the daemon gets and that are not stored."""
    counted_by: ClassVar[tuple[str, ...]] = ("kind", "search", "where", "by", "unit")
    """The fields that determine what is counted."""
    reach_is_in: ClassVar[tuple[str, ...]] = ()
    """The path of the value that says how far back the rule looks; empty: several do."""

    _origin: RuleOrigin = PrivateAttr(default_factory=RuleOrigin)

    @cached_property
    def counted(self) -> CountingKey:
        """Returns the key of what the rule counts."""
        return CountingKey(*(getattr(self, name) for name in self.counted_by))

    @property
    def source(self) -> tuple[str, int]:
        """Returns the file and line of the rule."""
        file, line, _ = self.location()
        return file, line

    @property
    def as_written(self) -> object:
        """Returns the rule's data as in its file; None if it came from no file."""
        document = self._origin.document
        return value_at(document.data, self._origin.path) if document else None

    def location(self, *path: str | int) -> tuple[str, int, int]:
        """Returns file, line and column of the value at ``path`` below the rule (``"annotations", "summary"``), or of the rule itself."""
        document = self._origin.document
        return document.location(self._origin.path + path) if document else ("", 1, 1)

    def problem(self, message: str, *path: str | int) -> Problem:
        """Returns a problem of the value at ``path`` below the rule that was found after validation."""
        return Problem(*self.location(*path), show_path(self._origin.path + path), message)

    def read_from(self, document: Document, path: KeyPath) -> None:
        """Records the location of the rule."""
        self._origin = RuleOrigin(document, path)

    @property
    def reach(self) -> Duration:
        """Returns how far back from ``as_of`` the rule looks. Each kind defines it, or derives from `Windowed`."""
        raise NotImplementedError

    @property
    def alert_window(self) -> Duration | None:
        """Returns the span that its alerts mention; None if they mention none."""
        return None

    @property
    def history_step(self) -> Duration:
        """Returns the time between two values in the history of its alerts."""
        return history_step(self.alert_window)

    @property
    def speaks_early(self) -> bool:
        """Returns whether a crossed threshold is certain even while some messages have not been fetched yet."""
        return False

    @property
    def keeps_state(self) -> bool:
        """Returns whether each evaluation goes on from the last one, so that the window alone does not say what earlier ones were."""
        return False

    @property
    def waits_for_polls(self) -> bool:
        """Returns whether the rule tells what did not happen. Only a complete poll shows that; pushed reports do not."""
        return False

    @property
    def grouping(self) -> tuple[str, ...]:
        """Returns the fields of its alerts' groups."""
        return self.by

    @property
    def polled_resource(self) -> Literal["balance", "campaigns"] | None:
        """Returns what the daemon asks Routee for, besides messages, to evaluate the rule."""
        return None

    @property
    def is_of_one_campaign(self) -> bool:
        """Returns whether the messages of one campaign suffice to evaluate the rule."""
        return False

    @property
    def own_labels(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the labels of its groups that are no message fields, with the values that each can have."""
        return {}

    def values_of(self, label: str) -> frozenset[str] | None:
        """Returns the values that a label of its groups can have; None means any value that messages have."""
        if label in self.own_labels:
            return frozenset(self.own_labels[label])
        pinned = [set(one.values) for one in self.where.conditions if one.field == label and one.operator == "is"]
        return frozenset(set.intersection(*pinned)) if pinned else None

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        """Returns the thresholds, from the least to the most severe; at least one."""
        return (Level(self.severity, 0.0),)

    def severity_at(self, level: int) -> str:
        """The severity of a level, counted from 1. A stored alert may know more levels than the rule has now: then the most severe."""
        return self.levels_[min(max(level, 1), len(self.levels_)) - 1].severity

    @property
    def comparison(self) -> Comparison:
        """Returns on which side of the thresholds the rule fires."""
        return "above"

    def matches(self) -> Iterator[tuple[str, Match]]:
        """Yields every match of the rule with its key."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Match):
                yield name, value

    def meant(self) -> tuple[Condition, ...]:
        """Returns what a message must meet to be counted or, for a share, to be in the numerator."""
        return self.where.conditions

    def measured_against(self) -> tuple[Condition, ...] | None:
        """Returns what a message must meet to be in the denominator; None if the rule only counts messages.

        A search that hides some of these messages by their status cannot answer the rule. Each kind defines this.
        """
        raise NotImplementedError

    @property
    def remembers(self) -> bool:
        """Returns whether the rule compares with past messages; it would miss those that a search has lost since."""
        return False

    def conditions(self) -> Iterator[tuple[KeyPath, Condition]]:
        """Yields every condition of the rule with its path."""
        for name, match in self.matches():
            yield from (((name, condition.field), condition) for condition in match.conditions)

    def check_values(self) -> Iterable[FieldProblem]:
        if self.name in BUILT_IN:
            yield FieldProblem(
                ("name",), f"{self.name} is an alert that routee-monitor raises itself; choose another name"
            )
        for index, name in enumerate(self.by):
            if name in self.by[:index]:
                yield FieldProblem(("by", index), f"{name!r} is listed twice")
        if problem_text := contradiction(self.meant()):
            written = [name for name, _ in self.matches() if name in self.model_fields_set]
            yield FieldProblem((written[-1],) if written else (), problem_text)
        for name in self.labels:
            if name in RESERVED or name in self.grouping:
                yield FieldProblem(
                    ("labels", name), "is set by routee-monitor itself; choose another name", at_key=True
                )


class Windowed(Rule):
    """A rule that looks at a window."""

    window: Window
    """The span of time that is evaluated, up to now."""

    @property
    def reach(self) -> Duration:
        return self.window

    @property
    def alert_window(self) -> Duration | None:
        return self.window
