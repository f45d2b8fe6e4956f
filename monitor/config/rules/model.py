"""What rules of every kind have in common. Each kind has a model in a file of its own, which ``kinds.py`` lists."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr, WithJsonSchema

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
"""What Routee can give back after an empty start: a longer window could not be known to be complete."""
BUILT_IN: Final = ("MonitorBlind", "NotificationFailing", "GapInHistory", "RuleError", "InternalError", "Watchdog")
"""Alerts that routee-monitor raises about itself; no rule may have such a name."""


def _field(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"messages have no field {name!r}{suggest(name, FIELDS)}")
    return name


def _window(duration: Duration) -> Duration:
    if duration > LONGEST_WINDOW:
        raise ValueError("is longer than the 7d for which Routee gives messages back; write 7d or less")
    return duration


FieldName = Annotated[str, AfterValidator(_field), WithJsonSchema({"enum": list(FIELDS)})]
"""A field of messages."""
Window = Annotated[Period, AfterValidator(_window)]
"""A span that a rule looks at, in microseconds."""


class RuleOrigin:
    """Where a rule stands. It makes no difference between rules: one that moved within its file is still the same."""

    def __init__(self, document: Document | None = None, path: KeyPath = ()) -> None:
        self.document = document
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleOrigin)


class CountingKey:
    """What a rule counts, apart from its thresholds: rules for which it is equal share all counting. Made to be looked up fast."""

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
    """false: the rule is checked but not judged."""
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
    """How bad it is: info, warning, critical, or a word of your own."""
    labels: Pairs = Field(default_factory=dict)
    """Labels that its alerts get, to route and group by."""
    annotations: Pairs = Field(default_factory=dict)
    """Texts for people, as templates: summary, description, runbook_url."""
    limit: Annotated[WholeNumber, Field(ge=1)] | None = None
    """The most groups that may fire at once: the worst are sent, of the others only the number."""
    every: Period | None = None
    """How often the rule is judged; left out: at each completed poll."""
    forget_after: Period = 6 * HOUR
    """How long a firing alert stays while there is not enough data; then it resolves."""
    unit: Literal["messages", "parts"] = "messages"
    """Whether messages are counted, or the parts that long ones are made of."""

    asks_routee: ClassVar[bool] = False
    """Whether it rests on answers that the daemon gets from Routee and does not store."""
    counted_by: ClassVar[tuple[str, ...]] = ("kind", "search", "where", "by", "unit")
    """The fields that decide what is counted."""

    _origin: RuleOrigin = PrivateAttr(default_factory=RuleOrigin)

    @cached_property
    def counted(self) -> CountingKey:
        """What the rule counts."""
        return CountingKey(*(getattr(self, name) for name in self.counted_by))

    @property
    def source(self) -> tuple[str, int]:
        """The file and the line where the rule stands."""
        file, line, _ = self.place()
        return file, line

    @property
    def as_written(self) -> object:
        """The rule as it stands in its file: plain data; None where it came from no file."""
        document = self._origin.document
        return value_at(document.data, self._origin.path) if document else None

    def place(self, *path: str | int) -> tuple[str, int, int]:
        """File, line and column of the value at ``path`` below the rule (``"annotations", "summary"``); of the rule without one."""
        document = self._origin.document
        return document.place(self._origin.path + path) if document else ("", 1, 1)

    def problem(self, message: str, *path: str | int) -> Problem:
        """Something wrong with the value at ``path`` below the rule, found later than by reading it."""
        return Problem(*self.place(*path), show_path(self._origin.path + path), message)

    def read_from(self, document: Document, path: KeyPath) -> None:
        """Remember where the rule stands."""
        self._origin = RuleOrigin(document, path)

    @property
    def reach(self) -> Duration:
        """How far back from ``as_of`` the rule looks. Each kind says this itself, or is `Windowed`."""
        raise NotImplementedError

    @property
    def alert_window(self) -> Duration | None:
        """The span that its alerts name; None where they name none."""
        return None

    @property
    def history_step(self) -> Duration:
        """The time between two values of its alerts' history."""
        return history_step(self.alert_window)

    @property
    def speaks_early(self) -> bool:
        """Whether a threshold that is crossed is so for certain also while some of the messages are still to be fetched."""
        return False

    @property
    def grouping(self) -> tuple[str, ...]:
        """The fields of its alerts' groups."""
        return self.by

    @property
    def account_state(self) -> Literal["balance", "campaigns"] | None:
        """What Routee is asked for besides messages, so that the rule can be judged."""
        return None

    @property
    def is_of_one_campaign(self) -> bool:
        """Whether it can be judged on the messages of one campaign alone."""
        return False

    @property
    def own_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of its groups that no message field gives, with the values that each can have."""
        return {}

    def values_of(self, label: str) -> frozenset[str] | None:
        """The values that a label of its groups can have; None: any value that messages have."""
        if label in self.own_labels:
            return frozenset(self.own_labels[label])
        pinned = [set(one.values) for one in self.where.conditions if one.field == label and one.operator == "is"]
        return frozenset(set.intersection(*pinned)) if pinned else None

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        """The thresholds from the least to the most severe; at least one."""
        return (Level(self.severity, 0.0),)

    @property
    def comparison(self) -> Comparison:
        """On which side of the thresholds the rule fires."""
        return "above"

    def matches(self) -> Iterator[tuple[str, Match]]:
        """Every match of the rule with the key under which it stands."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Match):
                yield name, value

    def meant(self) -> tuple[Condition, ...]:
        """What a message must meet to be counted; with a share, to be the part that is looked for."""
        return self.where.conditions

    def measured_against(self) -> tuple[Condition, ...] | None:
        """What a message must meet to be among those against which the value is held; None: it is held against nothing, messages are counted.

        A search that hides some of them by their status cannot answer the rule. Each kind says this itself.
        """
        raise NotImplementedError

    @property
    def remembers(self) -> bool:
        """Whether messages of the past matter as they were: those that have left a search since would be missing."""
        return False

    def conditions(self) -> Iterator[tuple[KeyPath, Condition]]:
        """Every condition of the rule with the path at which it stands."""
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
    """The span that is looked at, up to now."""

    @property
    def reach(self) -> Duration:
        return self.window

    @property
    def alert_window(self) -> Duration | None:
        return self.window
