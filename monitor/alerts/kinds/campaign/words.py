"""The texts about a campaign: its failures, stalls and shortfalls, and its totals."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from monitor.alerts.kinds.campaign.progress import CampaignProgress
from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules.campaign import TOLD_FOR, Campaign, Problem
from monitor.model.format import amount
from monitor.model.message import FAILURES, UNKNOWN
from monitor.model.notification import AlertView
from monitor.model.plurals import money, number, percent, plural
from monitor.runtime.clock import MINUTE, Duration, Instant, format_duration
from monitor.runtime.printable import clean
from monitor.window.campaign_progress import among
from monitor.window.index import Rows

AWAITED: Final = "not enough data: Routee has not been asked about this campaign yet"
MOST_REASONS: Final = 3
"""The most reasons of failures that a report names."""


def _failing(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress, at: int, over: bool) -> str:
    found = progress.runs
    final, failed = int(found.messages[at] - found.waiting[at]), int(found.failed[at])
    failing = failed / final if final else None
    share, limit = amount(failing, "share", rule.failure_above), amount(rule.failure_above, "share", failing)
    share = share if final else "none"
    said = f"{number(failed)} of {plural(final, 'message')} failed ({share})"
    if over:
        return f"fails: {said}, limit {limit}"
    if progress.ended[at]:
        return f"has ended: {said}"
    if final < rule.min_messages:
        return f"not enough data: {plural(final, 'message')} with a final status, min_messages is {rule.min_messages}"
    return f"{said}, limit {limit}" + _unproven(rule, failed / final)


def _unproven(rule: Campaign, share: float) -> str:
    above = rule.failure_above is not None and share > rule.failure_above
    return f", but not with {percent(rule.confidence)} confidence" if above else ""


def _stalled(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress, at: int, over: bool) -> str:
    found, quiet = progress.runs, _span(int(progress.quiet[at]))
    if progress.awaited[at]:
        return AWAITED
    if over:
        return f"has stalled: {_progress(progress, at)} for {quiet}"
    if progress.ended[at]:
        return f"has ended: {plural(int(found.messages[at]), 'message')}"
    if progress.is_held[at]:
        return "waits: Routee says that it is paused or not due yet"
    limit = format_duration(rule.stalled_for or 0)
    waiting = plural(int(found.waiting[at]), "message")
    return f"under way: last progress {quiet} ago, limit {limit}; {waiting} without a final status"


def _progress(progress: CampaignProgress, at: int) -> str:
    found = progress.runs
    messages = int(found.messages[at])
    if progress.missing[at]:
        return f"messages to {number(messages)} of {plural(int(progress.recipients[at]), 'recipient')}, no new one"
    if progress.left[at]:
        return f"{number(int(found.queued[at]))} of {plural(messages, 'message')} still queued, nothing changed"
    return f"{number(int(found.waiting[at]))} of {plural(messages, 'message')} without a final status, nothing changed"


def _short(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress, at: int, over: bool) -> str:
    if progress.awaited[at]:
        return AWAITED
    messages, recipients = int(progress.runs.messages[at]), int(progress.recipients[at])
    said = f"{plural(messages, 'message')} for {plural(recipients, 'recipient')} ({percent(messages / recipients)})"
    if over:
        return f"ended short: {said}, limit {percent(rule.short_below)}"
    if not progress.ended[at]:
        return f"under way: {said}"
    if rule.short_below is not None and progress.is_known[at] and messages / recipients < rule.short_below:
        told = f"limit {percent(rule.short_below)}, reported for {format_duration(TOLD_FOR)} after the end"
        return f"has ended short: {said}, {told}"
    return f"has ended: {said}"


def _ended(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress, at: int, over: bool) -> str:
    return AWAITED if progress.awaited[at] else f"has ended: {totals(inputs, progress, at)}"


def totals(inputs: EvaluationInput, progress: CampaignProgress, at: int) -> str:
    """Returns a campaign's totals in words.

    ``10,204 messages in 42m: 93.4% delivered, 5.1% failed (Unknown Number 312, Expired 40), 1.5% without a final status, 459.18 EUR spent``.
    """
    found = progress.runs
    messages = int(found.messages[at])
    parts = [f"{percent(found.delivered[at] / messages)} delivered"]
    if found.failed[at]:
        parts.append(f"{percent(found.failed[at] / messages)} failed{_reasons(inputs, progress, at)}")
    if found.waiting[at]:
        parts.append(f"{percent(found.waiting[at] / messages)} without a final status")
    if found.spent[at]:
        parts.append(f"{money(float(found.spent[at]))}{_currency(inputs)} spent")
    recipients = f" to {plural(int(progress.recipients[at]), 'recipient')}" if progress.recipients[at] else ""
    span = _span(int(found.appeared[at] - found.began[at]))
    return f"{plural(messages, 'message')}{recipients} in {span}: {', '.join(parts)}"


def _reasons(inputs: EvaluationInput, progress: CampaignProgress, at: int) -> str:
    """Returns the reasons in words. They are counted once for a campaign of which all is in the past, as long as no message changes."""
    runs = progress.runs
    _, known = inputs.kept_while(
        ("reasons", id(runs)), lambda kept: kept[0] is runs, lambda: (runs, dict[int, tuple[Instant, str]]())
    )
    since, said = known.get(at, (inputs.as_of + 1, ""))
    if inputs.as_of >= since:
        return said
    rows = runs.rows_of(at)
    told = inputs.reading.window.columns["date"][rows] <= inputs.as_of
    said = _reasons_of(inputs, rows[told])
    if told.all():
        known[at] = inputs.as_of, said
    return said


def _reasons_of(inputs: EvaluationInput, rows: Rows) -> str:
    reading = inputs.reading
    counts: Counter[str] = Counter()
    for status in FAILURES:
        for reason, count in reading.split(rows[among(reading, rows, {status})], "detailedStatus").items():
            counts[status if reason == UNKNOWN else reason] += count
    worst = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REASONS]
    return f" ({', '.join(f'{reason} {number(count)}' for reason, count in worst)})"


def _currency(inputs: EvaluationInput) -> str:
    return f" {inputs.account_state.currency}".rstrip()


def _span(span: Duration) -> str:
    """Returns a span in words; from ten minutes on without seconds."""
    return format_duration(span if span < 10 * MINUTE else span - span % MINUTE)


WORDS: Final[dict[Problem, Callable[[Campaign, EvaluationInput, CampaignProgress, int, bool], str]]] = {
    "failing": _failing,
    "stalled": _stalled,
    "short": _short,
    "ended": _ended,
}
"""The functions that word each problem's reason; their last argument says whether the limit is crossed."""


def condition(rule: Campaign) -> str:
    """Returns what the rule watches, for example ``failed above 20%, ended``."""
    said = [f"failed above {percent(rule.failure_above)}"] if rule.failure_above is not None else []
    said += [f"stalled for {format_duration(rule.stalled_for)}"] if rule.stalled_for is not None else []
    said += [f"short below {percent(rule.short_below)}"] if rule.short_below is not None else []
    return ", ".join(said + (["ended"] if rule.ended is not None else []))


def unknown_past(rule: Campaign) -> str:
    """Returns what cannot be known of the past, because Routee's answers are not kept; empty if nothing."""
    if not rule.takes_whole_campaigns:
        return ""
    said = []
    if rule.short_below is not None:
        said.append("no campaign is found to have ended short")
    if rule.stalled_for is not None:
        said.append("a paused campaign can look stalled, and one that stopped early can look ended")
    if rule.ended is not None:
        said.append("ends can come earlier or later")
    known = "judged by messages only, because Routee's past answers about campaigns are not known"
    return f"{known} ({'; '.join(said)})" if said else known


def statement(view: AlertView) -> str:
    """Returns the whole sentence, for example ``Black Friday fails: 411 of 1,204 messages failed (34.1%), limit 20%``."""
    name = view.labels.get("campaign", UNKNOWN)
    called = view.labels.get("campaignTrackingId", UNKNOWN) if name == UNKNOWN else name
    verb = view.status == "firing" or view.why.startswith(("has ", "is "))
    return f"{clean(called, 60)}{' ' if verb else ': '}{clean(view.why, 300)}"


EXAMPLES: Final = {
    "": "fails: 411 of 1,204 messages failed (34.1%), limit 20%",
    "stalled": "has stalled: messages to 300 of 1,000 recipients, no new one for 35m",
    "short": "has ended short: messages to 800 of 1,000 recipients (80%), limit 95%",
    "ended": "has ended: 1,204 messages to 1,210 recipients in 42m: 93.4% delivered, 5.1% failed (Unknown Number 61), "
    "1.5% without a final status",
}
"""Reasons of made-up alerts, by problem."""
