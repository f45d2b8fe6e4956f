"""The result of one evaluation of an account's rules, and the account's state once it is applied."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from monitor.model.alert import Alert, Step, Transition
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor
from monitor.window import WindowReader

Group = tuple[tuple[str, str], ...]
Key = tuple[str, Group]
"""A rule's name and a group."""
Span = tuple[Instant, Instant]
"""As of when a rule is evaluated, and since when nothing is missing."""


@dataclass(slots=True)
class EvaluationResult:
    """What an evaluation changes: alerts by their key (None: gone), what happened to them, and how each rule fared.

    ``evaluated`` has the moment and the window's version of each rule that did not fail. ``reader`` is the reading of the window that
    the rules were evaluated on, where there was one.
    """

    alerts: dict[Key, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    evaluated: dict[str, tuple[Instant, int]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reader: WindowReader | None = None

    def add(self, key: Key, before: Alert | None, step: Step) -> None:
        """Note one alert's step, if it is one."""
        alert, transition = step
        if transition is not None:
            self.transitions.append(transition)
        if alert is not before and (alert is not None or before is not None):
            self.alerts[key] = alert

    def include(self, other: "EvaluationResult") -> None:
        """Take over what happened to alerts."""
        self.alerts |= other.alerts
        self.transitions += other.transitions


@dataclass(frozen=True, slots=True)
class ViewContext:
    """An account as it will be once an evaluation is applied: what its alerts are shown by.

    ``held_back`` is how many groups of a rule would fire too, were it not for the rule's ``limit``.
    """

    reading: WindowReader
    cursors: Mapping[str, Cursor]
    held_back: Mapping[str, int]


def evaluation_key(rule: str, as_of: Instant) -> Hashable:
    """Where `WindowReader.shared` keeps what the rule found as of that moment."""
    return "evaluation", rule, as_of
