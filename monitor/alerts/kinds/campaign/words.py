"""What is said of a campaign: how it fails, stalls or falls short, and its totals."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules import Campaign
from monitor.config.rules.campaign import TOLD_FOR, Problem
from monitor.model.evaluate_words import money, number, percent, plural
from monitor.model.message import FAILURES, UNKNOWN
from monitor.runtime.clock import MINUTE, Duration, format_duration
from monitor.window.campaign_progress import among

if TYPE_CHECKING:
    from monitor.alerts.kinds.campaign.kind import CampaignProgress

AWAITED: Final = "not enough data: Routee has not been asked about this campaign yet"
MOST_REASONS: Final = 3
"""So many reasons of failures a report names."""


def _failing(rule: Campaign, moment: EvaluationInput, course: "CampaignProgress", at: int, over: bool) -> str:
    found, limit = course.runs, percent(rule.failure_above)
    final, failed = int(found.messages[at] - found.waiting[at]), int(found.failed[at])
    share = percent(failed / final) if final else "none"
    said = f"{number(failed)} of {plural(final, 'message')} failed ({share})"
    if over:
        return f"fails: {said}, limit {limit}"
    if course.ended[at]:
        return f"has ended: {said}"
    if final < rule.min_messages:
        return f"not enough data: {plural(final, 'message')} with a final status, min_messages is {rule.min_messages}"
    return f"{said}, limit {limit}" + _unproven(rule, failed / final)


def _unproven(rule: Campaign, share: float) -> str:
    above = rule.failure_above is not None and share > rule.failure_above
    return f", but not with {percent(rule.confidence)} confidence" if above else ""


def _stalled(rule: Campaign, moment: EvaluationInput, course: "CampaignProgress", at: int, over: bool) -> str:
    found, quiet = course.runs, _span(int(course.quiet[at]))
    if course.awaited[at]:
        return AWAITED
    if over:
        return f"has stalled: {_progress(course, at)} for {quiet}"
    if course.ended[at]:
        return f"has ended: {plural(int(found.messages[at]), 'message')}"
    if course.is_held[at]:
        return "waits: Routee says that it is paused or not due yet"
    limit = format_duration(rule.stalled_for or 0)
    waiting = plural(int(found.waiting[at]), "message")
    return f"under way: last progress {quiet} ago, limit {limit}; {waiting} without a final status"


def _progress(course: "CampaignProgress", at: int) -> str:
    found = course.runs
    messages = int(found.messages[at])
    if course.missing[at]:
        return f"messages to {number(messages)} of {plural(int(course.recipients[at]), 'recipient')}, no new one"
    if course.left[at]:
        return f"{number(int(found.queued[at]))} of {plural(messages, 'message')} still queued, nothing changed"
    return f"{number(int(found.waiting[at]))} of {plural(messages, 'message')} without a final status, nothing changed"


def _short(rule: Campaign, moment: EvaluationInput, course: "CampaignProgress", at: int, over: bool) -> str:
    if course.awaited[at]:
        return AWAITED
    messages, recipients = int(course.runs.messages[at]), int(course.recipients[at])
    said = f"{plural(messages, 'message')} for {plural(recipients, 'recipient')} ({percent(messages / recipients)})"
    if over:
        return f"ended short: {said}, limit {percent(rule.short_below)}"
    if not course.ended[at]:
        return f"under way: {said}"
    if rule.short_below is not None and course.is_known[at] and messages / recipients < rule.short_below:
        told = f"limit {percent(rule.short_below)}, which is told for {format_duration(TOLD_FOR)} from the end on"
        return f"has ended short: {said}, {told}"
    return f"has ended: {said}"


def _ended(rule: Campaign, moment: EvaluationInput, course: "CampaignProgress", at: int, over: bool) -> str:
    return AWAITED if course.awaited[at] else f"has ended: {totals(moment, course, at)}"


def totals(moment: EvaluationInput, course: "CampaignProgress", at: int) -> str:
    """``10,204 messages in 42m: 93.4% delivered, 5.1% failed (Unknown Number 312, Expired 40), 1.5% without a final status, 459.18 EUR spent``."""
    found = course.runs
    messages = int(found.messages[at])
    parts = [f"{percent(found.delivered[at] / messages)} delivered"]
    if found.failed[at]:
        parts.append(f"{percent(found.failed[at] / messages)} failed{_reasons(moment, course, at)}")
    if found.waiting[at]:
        parts.append(f"{percent(found.waiting[at] / messages)} without a final status")
    if found.spent[at]:
        parts.append(f"{money(float(found.spent[at]))}{_currency(moment)} spent")
    recipients = f" to {plural(int(course.recipients[at]), 'recipient')}" if course.recipients[at] else ""
    span = _span(int(found.appeared[at] - found.began[at]))
    return f"{plural(messages, 'message')}{recipients} in {span}: {', '.join(parts)}"


def _reasons(moment: EvaluationInput, course: "CampaignProgress", at: int) -> str:
    reading, rows = moment.reading, course.runs.rows_of(at)
    rows = rows[reading.window.columns["date"][rows] <= moment.as_of]
    counts: Counter[str] = Counter()
    for status in FAILURES:
        for reason, count in reading.split(rows[among(reading, rows, {status})], "detailedStatus").items():
            counts[status if reason == UNKNOWN else reason] += count
    worst = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REASONS]
    return f" ({', '.join(f'{reason} {number(count)}' for reason, count in worst)})"


def _currency(moment: EvaluationInput) -> str:
    known = moment.facts.balances
    return f" {known[-1].balance.currency}" if known and known[-1].balance.currency else ""


def _span(span: Duration) -> str:
    """To the minute, from an hour's length of minutes on without seconds: nobody reads more."""
    return format_duration(span if span < 10 * MINUTE else span - span % MINUTE)


WORDS: Final[dict[Problem, Callable[[Campaign, EvaluationInput, "CampaignProgress", int, bool], str]]] = {
    "failing": _failing,
    "stalled": _stalled,
    "short": _short,
    "ended": _ended,
}
"""The reason of each problem; the last argument says whether it is one."""
