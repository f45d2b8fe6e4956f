"""Counts the notifications that people would have got: the daemon's dispatcher works on the alerts of a backtest.

A notification is what people see as one message: the first one about an incident or a group, with its later changes and its end. It counts
once, whoever gets it. Silences and acknowledgements of that time are not used.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

import msgspec

from monitor.alerts.evaluation import EvaluationResult, ViewContext
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import NoAnnotations, Views
from monitor.config.rules import Rule
from monitor.dispatch.dispatcher import Dispatcher, DispatchPlan
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import BUILT_IN
from monitor.model.notification import AlertView, Notification
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work

Identity = tuple[frozenset[tuple[str, str]], Instant]
"""What the groups of all receivers have in common that are about the same: their labels, and when they began."""


@dataclass(slots=True)
class NotificationCount:
    """The notifications of one set of rules. ``rules`` has for each notification the rules whose alerts were in it; ``sent`` counts
    everything that is sent, changes, repeats and ends included."""

    rules: list[set[str]] = field(default_factory=list)
    sent: int = 0

    @property
    def total(self) -> int:
        """The number of notifications."""
        return len(self.rules)

    def of(self, rule: str) -> int:
        """Returns the number of notifications that had an alert of this rule."""
        return sum(rule in one for one in self.rules)


class NotificationCounter:
    """Dispatches the alerts of one account as they begin and end.

    ``rules`` maps the name under which the evaluator has each rule to the rule as it is dispatched: a changed rule has a name of its own there.
    """

    def __init__(
        self, evaluator: RuleEvaluator, rules: Mapping[str, Rule], dispatcher: Dispatcher, count: NotificationCount
    ) -> None:
        self.count = count
        self._evaluator = evaluator
        self._names = {name: rule.name for name, rule in rules.items()}
        self._shown = RuleEvaluator(evaluator.window, rules.values(), evaluator.coverage.searches)
        self._shown.coverage, self._shown.time_zone = evaluator.coverage, evaluator.time_zone
        self._views = _PlainViews(self._shown, NoAnnotations(), time_zone=evaluator.time_zone)
        self._dispatcher = dispatcher
        self._alerts: dict[str, Alert] = {}
        self._next: Instant | None = None
        self._changed = False
        self._open: dict[tuple[str, str], set[str]] = {}
        self._known: dict[Identity, set[str]] = {}

    def wait_until(self, now: Instant) -> None:
        """Sends what becomes due before ``now``."""
        while self._next is not None and self._next < now:
            due, self._next = self._next, None
            self._flush(due)

    def take(self, outcome: EvaluationResult) -> None:
        """Takes what an evaluation changed."""
        for (name, _), alert in outcome.alerts.items():
            if alert is not None and name in self._names and name not in BUILT_IN:
                self._put(msgspec.structs.replace(alert, rule=self._names[name]))
        for (name, group), alert in outcome.alerts.items():
            if alert is None and name in self._names:
                self._drop(self._names[name], group)

    def dispatch(self, now: Instant) -> None:
        """Sends what is due at ``now``, after an evaluation."""
        if self._changed or (self._next is not None and self._next <= now):
            self._next = None
            self._flush(now)

    def _put(self, alert: Alert) -> None:
        before = self._alerts.get(alert.fingerprint)
        if before is not None and before.firing_at == alert.firing_at and alert.firing_at is not None:
            alert = msgspec.structs.replace(alert, incident=before.incident, view=before.view)
        elif alert.state == "pending" and alert.earlier is None and before is not None:
            alert = msgspec.structs.replace(alert, earlier=before if before.state == "resolved" else before.earlier)
        self._changed |= before is None or (before.state, before.level, before.firing_at) != (
            alert.state,
            alert.level,
            alert.firing_at,
        )
        self._alerts[alert.fingerprint] = alert
        self._shown.put(alert.rule, alert.group, alert)

    def _drop(self, rule: str, group: tuple[tuple[str, str], ...]) -> None:
        before = self._shown.alerts.get(rule, {}).get(group)
        if before is None or before.state != "pending":
            return
        self._changed = True
        self._shown.put(rule, group, before.earlier)
        if before.earlier is None:
            del self._alerts[before.fingerprint]
        else:
            self._alerts[before.fingerprint] = before.earlier

    def _flush(self, now: Instant) -> None:
        self._changed = False
        if not self._alerts and not self._dispatcher.groups:
            return
        for name, as_dispatched in self._names.items():
            if (kept := self._evaluator.kept.get(name)) is not None:
                self._shown.kept[as_dispatched] = kept
        context = self._shown.view_context()
        plan = self._dispatcher.flush([(one, self._views, context) for one in self._alerts.values()], now)
        self._keep_shown(plan)
        self._dispatcher.apply(plan)
        self._count(plan)
        self._forget_resolved()
        self._next = plan.next_flush if plan.next_flush is None or plan.next_flush > now else None

    def _keep_shown(self, plan: DispatchPlan) -> None:
        """Keeps each alert's incident, and how it was last shown while it fired."""
        shown = {view.fingerprint: view for view in plan.views if view.status == "firing"}
        for one in shown.keys() | plan.incidents.keys():
            if (alert := self._alerts.get(one)) is not None:
                view, incident = shown.get(one, alert.view), plan.incidents.get(one, alert.incident)
                alert = self._alerts[one] = msgspec.structs.replace(alert, view=view, incident=incident)
                self._shown.put(alert.rule, alert.group, alert)

    def _count(self, plan: DispatchPlan) -> None:
        begun = {(group.receiver, group.key): group.started_at for group in plan.groups}
        for notification in _each_once(plan):
            key = notification.receiver, notification.group_key
            if notification.reason == "first" or key not in self._open:
                began = begun.get(key, notification.created_at)
                identity = frozenset(notification.group_labels.items()), began
                if identity not in self._known:
                    self._known[identity] = set()
                    self.count.rules.append(self._known[identity])
                self._open[key] = self._known[identity]
            self._open[key] |= {view.rule for view in notification.alerts}
        self.count.sent += len({(frozenset(one.group_labels.items()), one.reason) for one in _each_once(plan)})

    def _forget_resolved(self) -> None:
        notified = self._dispatcher.notified_fingerprints()
        for one, alert in list(self._alerts.items()):
            if one in notified:
                continue
            if alert.state == "resolved":
                del self._alerts[one]
                self._shown.put(alert.rule, alert.group, None)
            elif alert.earlier is not None:
                self._alerts[one] = msgspec.structs.replace(alert, earlier=None)
                self._shown.put(alert.rule, alert.group, self._alerts[one])


def _each_once(plan: DispatchPlan) -> Iterator[Notification]:
    """Yields the notifications of a plan, each once for a receiver with several channels; not those that only change a message silently."""
    seen = set()
    for pending in plan.outbox:
        one = pending.notification
        if one.key not in seen and one.reason != "acknowledged":
            seen.add(one.key)
            yield one


class _PlainViews(Views):
    """Views without what explains an alert: that takes most of the time, and nobody reads it here."""

    def viewing(self, alert: Alert, context: ViewContext | None = None, *, deep: bool = False) -> Work[AlertView]:
        """Returns the alert with its numbers only."""
        return super().viewing(alert, context, deep=False)


MakeDispatcher = Callable[[], Dispatcher]
"""Returns a dispatcher without groups, with the routes of the configuration."""
