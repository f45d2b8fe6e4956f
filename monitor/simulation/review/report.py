"""Shows reviews as JSON, and as lines of text."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from monitor.alerts.kinds import condition
from monitor.model.format import amount, duration, number
from monitor.model.plurals import plural
from monitor.runtime.clock import MINUTE, SECOND, format_duration, iso
from monitor.simulation.review.alerts import AlertTotals
from monitor.simulation.review.reach import Nearest
from monitor.simulation.review.verdict import RuleReview, whole

MOST_OVERLAPS: Final = 3
MOST_SMALL: Final = 5
"""The most other rules, and the most small groups, that are named in text."""


def as_json(reviews: Sequence[RuleReview]) -> list[dict[str, Any]]:
    """Returns one entry for each rule; see docs/commands.md."""
    return [_entry(one) for one in reviews]


def _entry(one: RuleReview) -> dict[str, Any]:
    nearest = one.nearest
    return {
        "rule": one.rule.name,
        "kind": one.rule.kind,
        "verdict": one.verdict,
        "advice": one.advice,
        "raised": _totals(one.raised)
        | {
            "acknowledged": one.raised.acknowledged,
            "silenced": one.raised.silenced,
            "ignored": one.raised.ignored,
            "firing": sum(alert.end is None for alert in one.raised.alerts),
        },
        "judged": None if one.judged is None else _totals(one.judged),
        "overlaps": [
            {"rule": overlap.other, "together": overlap.together, "alerts": overlap.alerts} for overlap in one.overlaps
        ],
        "nearest": None
        if nearest is None
        else {
            "reached": round(nearest.reached, 6),
            "threshold": nearest.threshold.size,
            "account": nearest.account,
            "labels": dict(nearest.group),
        },
        "never": list(one.never),
        "groups": one.groups,
        "too_small": [dict(group) for group in one.small],
        "unknown": one.unknown or None,
    }


def _totals(totals: AlertTotals) -> dict[str, Any]:
    return {
        "since": iso(totals.since),
        "until": iso(totals.until),
        "alerts": len(totals.alerts),
        "reports": totals.reports,
        "a_week": None if totals.a_week is None else round(totals.a_week, 2),
        "firing_seconds": sum(totals.lengths) / SECOND,
        "median_seconds": totals.median / SECOND,
        "came_back": totals.came_back,
    }


def lines(reviews: Sequence[RuleReview]) -> Iterator[str]:
    """Yields a paragraph for each rule."""
    for one in reviews:
        yield f"{one.rule.name} ({condition(one.rule)}): {one.verdict.replace('judged', 'evaluated')}"
        yield f"  {one.advice}"
        yield f"  alerts: {_said(one.raised)}{_people(one.raised)}"
        if one.judged is not None:
            yield f"  as the rule is now, it would have had: {_said(one.judged)}"
        if one.overlaps:
            named = (f"{overlap.together} with {overlap.other}" for overlap in one.overlaps[:MOST_OVERLAPS])
            yield f"  fired together with other rules, of {plural(one.overlaps[0].alerts, 'alert')}: {', '.join(named)}"
        if one.nearest is not None:
            yield f"  {_nearest(one.nearest)}"
        if one.small and not one.never:
            yield f"  {_too_small(one)}"
        if one.unknown and one.verdict != "not judged":
            yield f"  {one.unknown}"
        yield ""


def _said(totals: AlertTotals) -> str:
    length = totals.until - totals.since
    span = format_duration(whole(length))
    reports = f", {plural(totals.reports, 'report')}" if totals.reports else ""
    if not totals.alerts:
        return f"no alerts {f'in {span}' if length >= MINUTE else 'yet'}{reports}"
    weekly = "" if totals.a_week is None else f" ({number(totals.a_week)} a week)"
    return f"{plural(len(totals.alerts), 'alert')} in {span}{weekly}, median {duration(totals.median)}{reports}"


def _people(totals: AlertTotals) -> str:
    if not totals.alerts:
        return ""
    return f"; {totals.acknowledged} acknowledged, {totals.silenced} silenced, {totals.ignored} ignored"


def _nearest(nearest: Nearest) -> str:
    group = ", ".join(value for _, value in nearest.group) or "all messages"
    reached, limit, form = nearest.reached, nearest.threshold.size, nearest.threshold.form
    what = "went furthest beyond its threshold" if nearest.crossed else "came nearest to firing"
    return f"{what}: {_amount(reached, form, limit)}, threshold {_amount(limit, form, reached)} ({group})"


def _amount(size: float, form: str, beside: float) -> str:
    if form == "share":
        return amount(float(size), "share", float(beside))
    if form == "seconds":
        return amount(float(size), "seconds", float(beside))
    if form == "relative":
        return f"{100 * (size - 1):+.3g}%"
    return number(size) + {"factor": "x", "sigma": " sigma"}.get(form, "")


def _too_small(one: RuleReview) -> str:
    named = [", ".join(value for _, value in group) or "all messages" for group in one.small[:MOST_SMALL]]
    more = f" and {len(one.small) - MOST_SMALL} more" if len(one.small) > MOST_SMALL else ""
    return (
        f"{len(one.small)} of {plural(one.groups, 'group')} never had min_messages messages: {'; '.join(named)}{more}"
    )
