"""The result of one evaluation of an account's rules, and the account's state once it is applied."""

from collections.abc import Mapping
from dataclasses import field

from monitor.alerts.kinds import RuleResult
from monitor.alerts.kinds.rule_state import RuleState
from monitor.model.account_state import AccountState
from monitor.model.alert import Alert, Step, Transition
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import Cursor
from monitor.window import WindowReader

Group = tuple[tuple[str, str], ...]
Key = tuple[str, Group]
"""A rule's name and a group."""
Evaluations = dict[tuple[str, Instant], RuleResult]
"""Results by the rule's name and the time as of which it was evaluated. They refer to the reader, so it must never keep them."""


@dataclass(slots=True)
class EvaluationResult:
    """What an evaluation changes: alerts by their key (None: removed), transitions, and how each rule fared.

    ``evaluated`` maps each rule that did not fail to the time as of which it was evaluated and the window's version. ``errors`` and
    ``seconds`` are by rule, too. ``reader`` is the reader of the window that the rules were evaluated on, if there was one. ``found`` are the
    results of the rules that were evaluated alone.
    """

    alerts: dict[Key, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    evaluated: dict[str, tuple[Instant, int]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    kept: dict[str, RuleState] = field(default_factory=dict)
    """By rule, what its next evaluation needs."""
    reader: WindowReader | None = None
    found: Evaluations = field(default_factory=dict)
    account_state: AccountState | None = None
    """What Routee had answered besides messages when the evaluation began; None: it needed none."""
    pushed: bool = False
    """Whether the evaluation was between polls, because reports were pushed."""

    def add(self, key: Key, before: Alert | None, step: Step) -> None:
        """Adds one alert's step, if it changes anything."""
        alert, transition = step
        if transition is not None:
            self.transitions.append(transition)
        if alert is not before and (alert is not None or before is not None):
            self.alerts[key] = alert

    def include(self, other: "EvaluationResult") -> None:
        """Adds the alerts and transitions of another result."""
        self.alerts |= other.alerts
        self.transitions += other.transitions


@dataclass(frozen=True, slots=True)
class ViewContext:
    """An account as it is once an evaluation is applied, from which its alerts are rendered.

    ``found`` collects results on ``reading``, so that no rule is evaluated twice as of one time. ``held_back`` is, by rule, how many more groups
    would fire without the rule's ``limit``.
    """

    reading: WindowReader
    cursors: Mapping[str, Cursor]
    held_back: Mapping[str, int]
    found: Evaluations = field(default_factory=dict)
    account_state: AccountState | None = None
    """What Routee had answered besides messages; None: as it is when an alert is rendered."""
