"""Alerts as people are shown them: labels, annotations, the numbers, and what explains them."""

import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import msgspec

from monitor.alerts.evaluation import Group, ViewContext, evaluation_key
from monitor.alerts.evaluation_history import Evaluation
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.explain import breakdown, samples
from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate, matched, unit_of
from monitor.alerts.lifecycle import policy_of
from monitor.alerts.sampled_series import SPACED
from monitor.config.rules import Rule
from monitor.model.alert import Alert, fires_on_until
from monitor.model.builtin_alerts import BUILT_IN, BuiltIn
from monitor.model.notification import AlertView, Link
from monitor.routing.route import RANKS
from monitor.runtime.clock import Instant

log = logging.getLogger(__name__)

HISTORY = SPACED
"""The number of past values that are shown."""
DEEPEST = 20
"""Number of alerts in one notification that get their breakdown, samples and history; the others get only their numbers."""


class Annotator(Protocol):
    """Renders the annotations of an alert; gives the texts and what went wrong."""

    def render_annotations(self, templates: Mapping[str, str], view: AlertView) -> tuple[dict[str, str], list[str]]: ...


@dataclass(slots=True)
class Views:
    """Makes views of an account's alerts. ``distinguish``: the alerts say which account they are of, because there are several."""

    evaluator: RuleEvaluator
    annotator: Annotator
    distinguish: bool = False
    time_zone: str = "UTC"
    """By whose clock times are shown beside UTC."""
    errors: list[str] = field(default_factory=list)
    """What went wrong in templates since this was last emptied."""

    def labels(self, alert: Alert) -> dict[str, str]:
        """The labels that receivers know the alert by."""
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        labels = {"alertname": alert.rule} | dict(alert.group)
        if rule is None and built_in is None:
            return dict(alert.view.labels) if alert.view is not None else labels
        if self.distinguish and (built_in is None or built_in.of_account):
            labels["account"] = alert.account
        return labels | {"severity": self.severity(alert)} | (rule.labels if rule is not None else {})

    def knows(self, alert: Alert) -> bool:
        """Whether what the alert comes of is still there, so that its labels depend on nothing but its level."""
        return alert.rule in BUILT_IN or alert.rule in self.evaluator.rules

    def severity(self, alert: Alert) -> str:
        """How bad it is now; of an alert that is over, how bad it last was; of a pending one, what its threshold stands for."""
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        if built_in is not None:
            return built_in.severity
        if rule is None:
            return alert.view.severity if alert.view is not None else "warning"
        level = alert.crossed if alert.state == "pending" else alert.level
        return rule.levels_[min(max(level, 1), len(rule.levels_)) - 1].severity

    def fires_on_until(self, alert: Alert) -> Instant | None:
        """See `monitor.model.alert.fires_on_until`."""
        rule = self.evaluator.rules.get(alert.rule)
        return None if rule is None else fires_on_until(alert, policy_of(rule))

    def ranks(self) -> dict[str, float]:
        """How bad each severity is; a word of one's own is a little worse than the level below it."""
        ranks = dict(RANKS)
        for rule in self.evaluator.rules.values():
            rank = 0.0
            for level in rule.levels_:
                rank = max(RANKS.get(level.severity, rank + 0.1), ranks.get(level.severity, 0.0))
                ranks[level.severity] = rank
        return ranks

    def view(self, alert: Alert, context: ViewContext | None = None, *, deep: bool = False) -> AlertView:
        """The alert in that scene (as it is now, where none is given); ``deep``: also with what explains it."""
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        if built_in is not None:
            return self._built_in(alert, built_in)
        if rule is None:
            return self._orphan(alert)
        context = context or self.evaluator.view_context()
        plain = self._plain(alert, rule, context)
        return self._annotated(rule, self._explained(alert, rule, plain, context) if deep else plain)

    def over(self, alert: Alert, severity: str, context: ViewContext | None = None) -> AlertView:
        """An alert that is over for those who were told of it under ``severity``, with the labels that it was shown with.

        One that still fires is over for them because it goes on under another severity, in another group.
        """
        view = self.view(alert, context)
        labels = (alert.view.labels if alert.view is not None else view.labels) | {"severity": severity}
        if view.status == "firing":
            view = msgspec.structs.replace(view, status="resolved", ends_at=alert.as_of, resolved_because="moved")
        return msgspec.structs.replace(view, labels=labels, severity=severity, was_severity="", more=0)

    def as_told(self, alert: Alert, severity: str, context: ViewContext | None = None) -> AlertView:
        """An alert that fires for those who were told of it under ``severity`` and are to hear nothing else of it now."""
        view = self.view(msgspec.structs.replace(alert, state="firing", resolved_at=None, because=None), context)
        labels = (alert.view.labels if alert.view is not None else view.labels) | {"severity": severity}
        return msgspec.structs.replace(view, labels=labels, severity=severity)

    def _plain(self, alert: Alert, rule: Rule, context: ViewContext) -> AlertView:
        return AlertView(
            fingerprint=alert.fingerprint,
            name=rule.name,
            rule=rule.name,
            kind=rule.kind,
            unit=unit_of(rule, alert.group),
            status="resolved" if alert.state == "resolved" else "firing",
            severity=self.severity(alert),
            labels=self.labels(alert),
            annotations={},
            comparison=rule.comparison,
            window=rule.alert_window,
            history_every=rule.history_step,
            matched=matched(rule),
            more=context.held_back.get(rule.name, 0),
            time_zone=self.time_zone,
            **_numbers(alert),
        )

    def _explained(self, alert: Alert, rule: Rule, view: AlertView, context: ViewContext) -> AlertView:
        span = self.evaluator.coverage.as_of(rule, context.cursors)
        if span is None or tuple(name for name, _ in alert.group) != rule.grouping:
            return view
        moment, firing = self.evaluator.input_for(rule, context.reading, *span), alert.state == "firing"
        try:
            return msgspec.structs.replace(
                view,
                breakdown=breakdown(rule, moment, alert.group, alert.pending_at) if firing else (),
                samples=samples(rule, moment, alert.group) if firing else (),
                history=history(rule, moment, alert.group, self.evaluator.history.progress(rule.name, alert.group)),
            )
        except (
            Exception
        ):  # a rule that cannot be judged cannot be explained either, and its alerts are told all the same
            log.exception("what explains alert %s cannot be worked out", rule.name)
            return view

    def _annotated(self, rule: Rule, view: AlertView) -> AlertView:
        texts, errors = self.annotator.render_annotations(rule.annotations, view)
        self.errors += errors
        return msgspec.structs.replace(view, annotations=texts, links=links_of(rule))

    def _built_in(self, alert: Alert, built_in: BuiltIn) -> AlertView:
        over = {"summary": built_in.ended}
        fires = {"summary": f"{built_in.summary}: {alert.why}", "description": built_in.advice}
        return AlertView(
            fingerprint=alert.fingerprint,
            name=built_in.name,
            rule=built_in.name,
            kind="builtin",
            unit="count",
            status="resolved" if alert.state == "resolved" else "firing",
            severity=built_in.severity,
            labels=self.labels(alert),
            annotations=over if alert.state == "resolved" else fires,
            time_zone=self.time_zone,
            **_numbers(alert),
        )

    def _orphan(self, alert: Alert) -> AlertView:
        """The rule is gone: as it was last shown, and over."""
        if alert.view is None:
            return self._built_in(alert, BuiltIn(alert.rule, "warning", "its rule is gone", "its rule is gone", ""))
        status: Literal["firing", "resolved"] = "resolved" if alert.state == "resolved" else "firing"
        return msgspec.structs.replace(alert.view, status=status, **_numbers(alert))


def kept(view: AlertView) -> AlertView:
    """What an alert remembers of how it was shown: all but what explains a moment that is gone."""
    passing = {
        "was_severity": "",
        "more": 0,
        "acknowledged_by": "",
        "acknowledged_comment": "",
        "flapping": 0,
        "suppressed": "",
    }
    return msgspec.structs.replace(view, breakdown=(), samples=(), history=(), **passing)


def _numbers(alert: Alert) -> dict[str, Any]:
    """Returns the part of a view that comes from the alert itself."""
    return {
        "value": alert.value,
        "threshold": alert.threshold,
        "baseline": alert.baseline,
        "change": alert.change,
        "peak": alert.peak,
        "messages": alert.messages,
        "matching": alert.matching,
        "starts_at": alert.firing_at if alert.firing_at is not None else alert.pending_at,
        "began_at": alert.pending_at,
        "ends_at": alert.resolved_at,
        "resolved_because": alert.because or "",
        "as_of": alert.as_of,
        "why": alert.why,
    }


def links_of(rule: Rule) -> tuple[Link, ...]:
    """The rule's runbook, where its URL is fixed: a URL is never made from message data."""
    url = rule.annotations.get("runbook_url", "")
    return (Link("Runbook", url),) if url.startswith(("https://", "http://")) and "{" not in url else ()


def history(
    rule: Rule, moment: EvaluationInput, group: Group, progress: Sequence[Evaluation] = ()
) -> tuple[float | None, ...]:
    """The group's values at the latest moments, oldest first, up to now. ``progress`` is what was found of it lately.

    Of before that the window is asked, which still holds what those values rest on: the same for all the rule's groups.
    """
    now, step = moment.as_of, rule.history_step
    found = [one.as_of for one in progress if one.as_of <= now]
    values = []
    for then in range(now - (HISTORY - 1) * step, now + 1, step):
        position = bisect_right(found, then)
        if (
            position
        ):  # nothing is judged where nothing has changed, nor while a search cannot be seen: the last value stands
            values.append(progress[position - 1].value)
        else:
            values.append(_value_at(rule, moment, then, group) if then >= moment.covered_since else None)
    return tuple(values)


def _value_at(rule: Rule, moment: EvaluationInput, then: Instant, group: Group) -> float | None:
    key = evaluation_key(rule.name, then)
    shared = moment.reading.shared
    if key not in shared:
        shared[key] = evaluate(rule, replace(moment, as_of=then))
    rule_result: RuleResult = shared[key]
    finding = rule_result.of(group)
    return None if finding.breached is None else finding.value
