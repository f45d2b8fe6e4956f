"""Since when, and for how much of a span, rules could not be evaluated, so that it says nothing that they did not fire. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.report.model import BlindRule
from monitor.config.rules import Rule
from monitor.model.builtin_alerts import MONITOR_BLIND, RULE_ERROR
from monitor.runtime.clock import Duration, Instant

Span = tuple[Instant, Instant]


def unseen_times(
    rules: Iterable[Rule],
    alerts: Iterable[AlertEpisode],
    known_since: Mapping[str, Mapping[str, Instant | None]],
    first_evaluations: Mapping[tuple[str, str], Instant],
    since: Instant,
    until: Instant,
) -> dict[str, BlindRule]:
    """Returns for how long each rule could not be evaluated in (since, until], by the rule's name; leaves out those that always could.

    ``first_evaluations`` is by account and rule as of when it was evaluated first. What was before in the span is told apart, as
    `BlindRule.since`; one that is not in it was not evaluated at all.

    ``known_since`` is by account and search since when its messages are known; None: it was not polled completely yet. A rule is evaluated
    in the accounts that have all searches which it reads. It could not be before ``known_since`` of these searches, while `MonitorBlind`
    fired for one of them, and while `RuleError` fired for the rule. Of several accounts the one counts for which it was longest; a rule
    that is evaluated in none could not be evaluated at all.
    """
    own = [one for one in alerts if one.rule in (MONITOR_BLIND.name, RULE_ERROR.name) and one.firing_at is not None]
    found = {}
    for rule in rules:
        of_accounts = []
        for account, searches in known_since.items():
            needed = SearchCoverage(searches).needed(rule)
            if needed and searches.keys() >= set(needed):
                known = [searches[name] for name in needed]
                spans = [(since, until if one is None else one) for one in known]
                spans += _own_spans(rule, account, own, until)
                of_accounts.append(_unseen(rule, spans, first_evaluations.get((account, rule.name)), since, until))
        worst = max(
            of_accounts, key=lambda one: _before(one, since) + one.blind, default=_not_at_all(rule, since, until)
        )
        if worst.blind or worst.since is not None:
            found[rule.name] = worst
    return found


def _unseen(rule: Rule, spans: Sequence[Span], first: Instant | None, since: Instant, until: Instant) -> BlindRule:
    if first is None or first >= until:
        return _not_at_all(rule, since, until)
    start = max(first, since)
    return BlindRule(rule.name, _covered(spans, start, until), first if first > since else None)


def _not_at_all(rule: Rule, since: Instant, until: Instant) -> BlindRule:
    return BlindRule(rule.name, until - since)


def _before(one: BlindRule, since: Instant) -> Duration:
    """Returns how much of the span was before the rule's first evaluation."""
    return 0 if one.since is None else one.since - since


def _own_spans(rule: Rule, account: str, own: Iterable[AlertEpisode], until: Instant) -> Iterator[Span]:
    for one in own:
        group = dict(one.group)
        reads = rule.search in (None, group.get("search")) if one.rule == MONITOR_BLIND.name else False
        if one.account == account and one.firing_at is not None and (reads or group.get("rule") == rule.name):
            yield one.firing_at, until if one.ended_at is None else one.ended_at


def _covered(spans: Sequence[Span], since: Instant, until: Instant) -> Duration:
    """Returns how much of (since, until] the spans cover together."""
    covered, reached = 0, since
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, until)
        if end > start:
            covered += end - start
            reached = end
    return covered
