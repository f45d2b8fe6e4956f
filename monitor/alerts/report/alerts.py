"""What alerts did in a span: incidents with what they cost, the noisiest rules, those that never fired, and receivers that failed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.alerts.incident_loss import IncidentLoss
from monitor.alerts.report.model import IncidentLine, ReceiverLine, RuleLine
from monitor.config.rules import Rule
from monitor.model.alert import is_report
from monitor.model.message import FIELDS
from monitor.model.plurals import plural
from monitor.runtime.clock import Instant
from monitor.store.protocol import NotificationRecord


def in_span(alerts: Iterable[AlertEpisode], since: Instant, until: Instant) -> list[AlertEpisode]:
    """Returns the alerts that fired for some of the span, without reports of ended campaigns."""
    return [
        one
        for one in alerts
        if one.fired
        and not is_report(one.group)
        and _fired_at(one) < until
        and (one.ended_at is None or one.ended_at > since)
    ]


def with_earlier(alerts: Iterable[AlertEpisode], every: Iterable[AlertEpisode], until: Instant) -> list[AlertEpisode]:
    """Returns the alerts with all others of the same incidents that had fired by ``until``, also those that ended before."""
    some = list(alerts)
    going_on = {(one.account, one.incident) for one in some if one.incident}
    known = {id(one) for one in some}
    earlier = [
        one
        for one in every
        if id(one) not in known
        and one.fired
        and not is_report(one.group)
        and _fired_at(one) < until
        and (one.account, one.incident) in going_on
    ]
    return some + earlier


def together(alerts: Iterable[AlertEpisode]) -> list[list[AlertEpisode]]:
    """Returns the alerts of each incident in the order of time; an alert that is of none is alone. The latest incident is first."""
    found: dict[tuple[str, str], list[AlertEpisode]] = defaultdict(list)
    for number, one in enumerate(alerts):
        found[one.account, one.incident or f"alone {number}"].append(one)
    ordered = [sorted(some, key=_fired_at) for some in found.values()]
    return sorted(ordered, key=lambda some: _fired_at(some[0]), reverse=True)


def line_of(alerts: Sequence[AlertEpisode], until: Instant, loss: IncidentLoss | None) -> IncidentLine:
    """Returns the line of one incident as it was at ``until``."""
    named = max(alerts, key=lambda one: len(_fields(one)))
    ends = [_ended_by(one, until) for one in alerts]
    known = [end for end in ends if end is not None]
    by = [event.about.by for one in alerts for event in one.events if event.what == "acknowledged" and event.about]
    return IncidentLine(
        id=named.incident,
        account=named.account,
        fingerprint=named.fingerprint,
        title=title_of(named, len(alerts) - 1),
        rules=tuple(dict.fromkeys(one.rule for one in alerts)),
        alerts=len(alerts),
        began=_fired_at(alerts[0]),
        ended=max(known) if len(known) == len(ends) else None,
        acknowledged_by=", ".join(dict.fromkeys(by)),
        loss=loss,
    )


def title_of(named: AlertEpisode, others: int) -> str:
    """Returns ``OperatorFailureShift Cosmote, GR and 3 more alerts``."""
    place = ", ".join(value for _, value in _fields(named))
    return f"{named.rule} {place}".strip() + (f" and {plural(others, 'more alert')}" if others else "")


def _fields(one: AlertEpisode) -> list[tuple[str, str]]:
    return [(name, value) for name, value in one.group if name in FIELDS and name != "account"] or list(one.group)


def _fired_at(one: AlertEpisode) -> Instant:
    return one.began_at if one.firing_at is None else one.firing_at


def _ended_by(one: AlertEpisode, until: Instant) -> Instant | None:
    return one.ended_at if one.ended_at is not None and one.ended_at <= until else None


def noise(alerts: Iterable[AlertEpisode], since: Instant, until: Instant) -> list[RuleLine]:
    """Returns a line for each rule of these alerts of the span, the one with most alerts first; each counts for as long as it fired in the span."""
    of_rule: dict[str, list[AlertEpisode]] = defaultdict(list)
    for one in alerts:
        of_rule[one.rule].append(one)
    found = [
        RuleLine(
            rule,
            len(some),
            sum(min(one.ended_at or until, until) - max(_fired_at(one), since) for one in some),
            sum(any(event.what == "acknowledged" for event in one.events) for one in some),
        )
        for rule, some in of_rule.items()
    ]
    return sorted(found, key=lambda line: (-line.alerts, -line.firing, line.rule))


def never_fired(rules: Iterable[Rule], alerts: Sequence[AlertEpisode], since: Instant, until: Instant) -> list[str]:
    """Returns the rules that are switched on and did not fire for any of the span; a campaign's report counts as firing when it was made."""
    fired = {one.rule for one in in_span(alerts, since, until)}
    fired |= {one.rule for one in alerts if one.fired and since < _fired_at(one) <= until}
    return [rule.name for rule in rules if rule.enabled and rule.name not in fired]


def receivers(
    notifications: Iterable[NotificationRecord],
    waiting: Mapping[tuple[str, str], tuple[int, Instant]],
    until: Instant,
) -> list[ReceiverLine]:
    """Returns a line for each channel that was notified, or has something waiting. The notifications are newest first."""
    tally: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    errors: dict[tuple[str, str], str] = {}
    for one in notifications:
        if one.at <= until:
            tally[one.receiver, one.channel][one.outcome] += 1
            if one.error:
                errors.setdefault((one.receiver, one.channel), one.error)
    found = [
        ReceiverLine(*key, tally[key]["sent"], tally[key]["dead"], waiting.get(key, (0, 0))[0], errors.get(key, ""))
        for key in tally.keys() | waiting.keys()
    ]
    return sorted(found, key=lambda line: (-line.dead, -line.waiting, line.receiver, line.channel))


def by_rule(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Returns the rules by their names."""
    return {rule.name: rule for rule in rules}
