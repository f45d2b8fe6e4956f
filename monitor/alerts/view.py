"""Renders alerts as people are shown them: labels, annotations, numbers, and what explains them."""

import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal, Protocol

import msgspec

from monitor.alerts.evaluation import Evaluations, Group, ViewContext
from monitor.alerts.evaluation_history import Evaluation
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.explain import breakdown, samples
from monitor.alerts.kinds import EvaluationInput, evaluate, matched, unit_of
from monitor.alerts.lifecycle import policy_of
from monitor.alerts.sampled_series import SPACED
from monitor.config.rules import Rule
from monitor.model.alert import Alert, fires_on_until, forgotten_at
from monitor.model.builtin_alerts import BUILT_IN, BuiltIn
from monitor.model.notification import AlertView, Link
from monitor.routing.route import RANKS
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once

log = logging.getLogger(__name__)

HISTORY = SPACED
"""The number of past values that are shown."""
DEEPEST = 20
"""Number of alerts in one notification that get their breakdown, samples and history; the others get only their numbers."""


class Annotator(Protocol):
    """Renders the annotations of an alert; returns the texts and the errors."""

    def render_annotations(self, templates: Mapping[str, str], view: AlertView) -> tuple[dict[str, str], list[str]]: ...


class NoAnnotations:
    """Leaves annotations out, where nobody sees them."""

    def render_annotations(self, templates: Mapping[str, str], view: AlertView) -> tuple[dict[str, str], list[str]]:
        """Returns nothing."""
        return {}, []


@dataclass(slots=True)
class Views:
    """Makes views of an account's alerts. ``distinguish`` adds the account to their labels, because there are several accounts."""

    evaluator: RuleEvaluator
    annotator: Annotator
    distinguish: bool = False
    time_zone: str = "UTC"
    """The time zone in which times are shown beside UTC."""
    errors: list[str] = field(default_factory=list)
    """Errors of templates since the list was last emptied."""

    def labels(self, alert: Alert) -> dict[str, str]:
        """Returns the labels by which receivers know the alert: those that it was told with first, until it is over, except for the severity."""
        if alert.view is not None and not (alert.is_untold and self.knows(alert)):
            return alert.view.labels | {"severity": self.severity(alert)}
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        labels = {"alertname": alert.rule} | dict(alert.group)
        if self.distinguish and (built_in is None or built_in.of_account):
            labels["account"] = alert.account
        return labels | {"severity": self.severity(alert)} | (rule.labels if rule is not None else {})

    def knows(self, alert: Alert) -> bool:
        """Returns whether the alert's rule still exists, so that its labels depend only on its level."""
        return alert.rule in BUILT_IN or alert.rule in self.evaluator.rules

    def severity(self, alert: Alert) -> str:
        """Returns the severity: the present one; if resolved, the last one; if pending, that of the threshold which is crossed."""
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        if built_in is not None:
            return built_in.severity
        if rule is None:
            return alert.view.severity if alert.view is not None else "warning"
        level = alert.crossed if alert.state == "pending" else alert.level
        return rule.severity_at(level)

    def fires_on_until(self, alert: Alert) -> Instant | None:
        """See `monitor.model.alert.fires_on_until`."""
        rule = self.evaluator.rules.get(alert.rule)
        return None if rule is None else fires_on_until(alert, policy_of(rule))

    def forgotten_at(self, alert: Alert) -> Instant | None:
        """See `monitor.model.alert.forgotten_at`."""
        rule = self.evaluator.rules.get(alert.rule)
        return None if rule is None else forgotten_at(alert, policy_of(rule))

    def missing_before(self, alert: Alert, context: ViewContext) -> Instant | None:
        """Returns before when messages are missing without which a firing alert does not end; see `SearchCoverage.missing_before`."""
        rule = self.evaluator.rules.get(alert.rule)
        if rule is None or alert.state != "firing" or alert.is_report:
            return None
        return self.evaluator.coverage.missing_before(rule, context.cursors)

    def ranks(self) -> dict[str, float]:
        """Returns the rank of each severity; a severity of the user's own ranks a little above the level below it."""
        ranks = dict(RANKS)
        for rule in self.evaluator.rules.values():
            rank = 0.0
            for level in rule.levels_:
                rank = max(RANKS.get(level.severity, rank + 0.1), ranks.get(level.severity, 0.0))
                ranks[level.severity] = rank
        return ranks

    def view(self, alert: Alert, context: ViewContext | None = None, *, deep: bool = False) -> AlertView:
        """Returns the alert in that context (None: as it is now). ``deep`` adds what explains it."""
        return at_once(self.viewing(alert, context, deep=deep))

    def viewing(self, alert: Alert, context: ViewContext | None = None, *, deep: bool = False) -> Work[AlertView]:
        """Does what `view` does, in pieces. The window must not change meanwhile."""
        built_in, rule = BUILT_IN.get(alert.rule), self.evaluator.rules.get(alert.rule)
        if built_in is not None:
            return self._with_what_is_gone(alert, self._built_in(alert, built_in))
        if rule is None:
            return self._with_what_is_gone(alert, self._orphan(alert))
        context = context or self.evaluator.view_context()
        plain = self._plain(alert, rule, context)
        if deep:
            plain = yield from self._explained(alert, rule, plain, context)
        return self._annotated(rule, plain)

    def as_resolved(self, alert: Alert, severity: str, context: ViewContext | None = None) -> AlertView:
        """Returns the alert as resolved for receivers that were notified of it under ``severity``, with the labels that it was shown with.

        An alert that still fires counts as resolved for them if it continues under another severity, in another group.
        """
        view = self.view(alert, context)
        if view.status == "firing":
            ended = {"status": "resolved", "ends_at": alert.as_of, "resolved_because": "moved", "fires_on_until": None}
            view = msgspec.structs.replace(view, **ended)
        return msgspec.structs.replace(
            view, labels=view.labels | {"severity": severity}, severity=severity, was_severity="", more=0
        )

    def as_notified(self, alert: Alert, severity: str, context: ViewContext | None = None) -> AlertView:
        """Returns the alert as firing for receivers that were notified of it under ``severity`` and get no news of it now."""
        view = self.view(msgspec.structs.replace(alert, state="firing", resolved_at=None, because=None), context)
        return msgspec.structs.replace(view, labels=view.labels | {"severity": severity}, severity=severity)

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
            fires_on_until=self.fires_on_until(alert),
            **_numbers(alert),
        )

    def _explained(self, alert: Alert, rule: Rule, view: AlertView, context: ViewContext) -> Work[AlertView]:
        span = self.evaluator.coverage.as_of(rule, context.cursors)
        if span is None or tuple(name for name, _ in alert.group) != rule.grouping:
            return view
        state, firing = context.account_state, alert.state == "firing"
        inputs = self.evaluator.input_for(rule, context.reading, *span, account_state=state)
        until = replace(inputs, as_of=min(alert.as_of, inputs.as_of))  # the values after an alert's end are not its own
        shown = view
        try:
            if firing:
                shown = msgspec.structs.replace(shown, breakdown=breakdown(rule, inputs, alert.group, alert.pending_at))
                yield
                shown = msgspec.structs.replace(shown, samples=samples(rule, inputs, alert.group))
                yield
            progress = self.evaluator.history.progress(rule.name, alert.group)
            values = yield from past_values(rule, until, alert.group, progress, context.found)
            return msgspec.structs.replace(shown, history=values)
        except Exception:  # a rule that fails cannot be explained either; its alerts are still notified
            log.exception("what explains alert %s cannot be worked out", rule.name)
            return view

    def _annotated(self, rule: Rule, view: AlertView) -> AlertView:
        texts, errors = self.annotator.render_annotations(rule.annotations, view)
        self.errors += errors
        return msgspec.structs.replace(view, annotations=texts, links=links_of(rule))

    def _built_in(self, alert: Alert, built_in: BuiltIn) -> AlertView:
        ended = {"summary": built_in.ended}
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
            annotations=ended if alert.state == "resolved" else fires,
            time_zone=self.time_zone,
            **_numbers(alert),
        )

    def _orphan(self, alert: Alert) -> AlertView:
        """Returns an alert whose rule was removed as it was last shown, with its present status."""
        if alert.view is None:
            return self._built_in(alert, BuiltIn(alert.rule, "warning", "its rule is gone", "its rule is gone", ""))
        status: Literal["firing", "resolved"] = "resolved" if alert.state == "resolved" else "firing"
        return msgspec.structs.replace(alert.view, status=status, **_numbers(alert))

    def _with_what_is_gone(self, alert: Alert, view: AlertView) -> AlertView:
        """Says of an alert that ended because its account, rule or search was removed that this is so, in place of how it fires or is mended."""
        if alert.because != "removed" or view.status == "firing":
            return view
        because = view.resolved_because
        if not self.evaluator.coverage.searches:
            because, what = "unwatched", f"account {alert.account} is no longer watched"
        elif alert.rule in BUILT_IN:
            what = "what it was about is no longer configured"
        else:
            what = f"rule {alert.rule} is no longer configured"
        texts = {name: text for name, text in view.annotations.items() if name != "description"}
        return msgspec.structs.replace(view, annotations=texts | {"summary": what}, resolved_because=because)


def kept(view: AlertView) -> AlertView:
    """Returns the part of a view that an alert keeps: all but what is true only at the time of the view."""
    passing = {
        "was_severity": "",
        "more": 0,
        "acknowledged_by": "",
        "acknowledged_comment": "",
        "flapping": 0,
        "suppressed": "",
        "fires_on_until": None,
        "notified_at": 0,
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
    """Returns a link to the rule's runbook if its URL is fixed; a URL is never built from message data."""
    url = rule.annotations.get("runbook_url", "")
    return (Link("Runbook", url),) if url.startswith(("https://", "http://")) and "{" not in url else ()


def history(
    rule: Rule,
    inputs: EvaluationInput,
    group: Group,
    progress: Sequence[Evaluation] = (),
    found: Evaluations | None = None,
) -> tuple[float | None, ...]:
    """Returns the group's values at the latest times, oldest first, up to now.

    ``progress`` are its recent evaluations. Values from before them are computed from the window, once for all the rule's groups; ``found``
    collects those results. A rule that keeps a state has none from before them.
    """
    return at_once(past_values(rule, inputs, group, progress, found))


def past_values(
    rule: Rule,
    inputs: EvaluationInput,
    group: Group,
    progress: Sequence[Evaluation] = (),
    found: Evaluations | None = None,
) -> Work[tuple[float | None, ...]]:
    """Does what `history` does, in pieces."""
    now, step = inputs.as_of, rule.history_step
    found = {} if found is None else found
    known = [one.as_of for one in progress if one.as_of <= now]
    values = []
    for then in range(now - (HISTORY - 1) * step, now + 1, step):
        position = bisect_right(known, then)
        if position:  # without a change, or while a search is blind, there is no evaluation: the last value holds
            values.append(progress[position - 1].value)
        else:
            if inputs.known:
                yield from inputs.finding_codes(rule.by)
            values.append(_value_at(rule, inputs, then, group, found) if then >= inputs.covered_since else None)
            yield
    return tuple(values)


def _value_at(rule: Rule, inputs: EvaluationInput, then: Instant, group: Group, found: Evaluations) -> float | None:
    if (rule.name, then) not in found:
        if rule.keeps_state:
            return None
        found[rule.name, then] = evaluate(rule, replace(inputs, as_of=then))
    finding = found[rule.name, then].of(group)
    return None if finding.breached is None else finding.value
