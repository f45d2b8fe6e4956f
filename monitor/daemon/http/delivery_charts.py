"""The charts of delivery: share, volume and latency of one account, with the day before, the thresholds and the alerts."""

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.config.rules import FAILED, Rule
from monitor.config.rules.latency import Latency
from monitor.config.rules.rate import Rate
from monitor.daemon.read.delivery import DeliveryPoint
from monitor.model.finding import Unit
from monitor.model.format import amount
from monitor.notify.render.chart_geometry import FixedLine, Frame, Line, Role, Span, TimeChart
from monitor.notify.render.chart_svg import svg
from monitor.runtime.clock import DAY, HOUR, Duration, Instant
from monitor.runtime.dataclass import dataclass

SPAN: Final = 6 * HOUR
P95: Final = 95.0
_HIGHEST_FLOOR: Final = 0.8
"""Where the scale of delivery shares begins, unless some are lower: what matters happens near 100%."""

_FRAME: Final = Frame(360, 180, left=50, right=14, top=12, bottom=26, text=12)


@dataclass(frozen=True, slots=True)
class DrawnChart:
    """A chart as the page shows it: its heading, what it shows now, the SVG, and its key (role and words)."""

    title: str
    now: str
    svg: str
    key: tuple[tuple[Role, str], ...]


@dataclass(frozen=True, slots=True)
class DeliveryMarks:
    """What an account's charts show besides: how far its searches were polled, since when no message is missing, the times at which alerts
    fired or data was missing, its rules, and its time zone."""

    as_of: Instant
    since: Instant
    spans: tuple[Span, ...]
    rules: Sequence[Rule]
    zone: str


def delivery_charts(
    points: Sequence[DeliveryPoint], before: Sequence[DeliveryPoint], marks: DeliveryMarks
) -> list[DrawnChart]:
    """Returns the charts of delivery share, volume and latency; ``before`` are the points of the day before."""
    step = points[1].start - points[0].start if len(points) > 1 else 0
    known = [(one.start + step, one) for one in points if one.start >= marks.since]
    usual = [(one.start + step + DAY, one) for one in before if one.start >= marks.since]
    day_before = any(one.messages for _, one in usual)
    failing = _lowest(rule for rule in marks.rules if isinstance(rule, Rate) and _is_of_everything(rule))
    slow = _lowest(rule for rule in marks.rules if isinstance(rule, Latency) and not rule.by and rule.percentile == P95)
    return [
        _drawn(
            "Delivery share",
            "share",
            [
                Line("baseline", [(at, one.delivered_share) for at, one in usual]),
                Line("value", [(at, one.delivered_share) for at, one in known]),
            ],
            []
            if failing is None
            else [FixedLine("threshold", 1 - failing, f"threshold {amount(1 - failing, 'share')}")],
            [("value", "delivered, of those with a final status"), *_usual(day_before)],
            marks,
            step,
        ),
        _drawn(
            "Messages in 5 minutes",
            "count",
            [
                Line("baseline", [(at, float(one.messages) if day_before else None) for at, one in usual]),
                Line("value", [(at, float(one.messages)) for at, one in known if at <= marks.as_of]),
            ],
            [],
            [("value", "messages"), *_usual(day_before)],
            marks,
            step,
        ),
        _drawn(
            "Time to delivery",
            "seconds",
            [
                Line("second", [(at, one.latency_p95) for at, one in known]),
                Line("value", [(at, one.latency_p50) for at, one in known]),
            ],
            [] if slow is None else [FixedLine("threshold", slow, f"threshold {amount(slow, 'seconds')}")],
            [("value", "p50: half are faster"), ("second", "p95: 95% are faster")],
            marks,
            step,
        ),
    ]


def _is_of_everything(rule: Rate) -> bool:
    return not rule.by and not rule.where.conditions and rule.match == FAILED


def _lowest(rules: Iterable[Rate | Latency]) -> float | None:
    limits = [level.limit for rule in rules if rule.comparison == "above" for level in rule.levels_]
    return min((limit for limit in limits if isinstance(limit, float)), default=None)


def _usual(known: bool) -> list[tuple[Role, str]]:
    return [("baseline", "the day before")] if known else []


def _drawn(
    title: str,
    unit: Unit,
    lines: list[Line],
    levels: list[FixedLine],
    key: list[tuple[Role, str]],
    marks: DeliveryMarks,
    step: Duration,
) -> DrawnChart:
    last = [_latest(line) for line in lines if line.role != "baseline"]
    said = " · ".join(amount(value, unit) for value in reversed(last) if value is not None)
    values = [value for line in lines if line.role == "value" for _, value in line.points if value is not None]
    range_ = f", from {amount(min(values), unit)} to {amount(max(values), unit)}" if values else ""
    spans = [span for span in marks.spans if span.role != "blind"]
    chart = TimeChart(
        title=f"{title}, the last 6 hours",
        unit=unit,
        since=marks.as_of - SPAN,
        until=marks.as_of,
        lines=tuple(lines),
        levels=tuple(levels),
        spans=marks.spans,
        text=f"now {said or 'unknown'}{range_}; {len(spans)} alerts fired"
        if spans
        else f"now {said or 'unknown'}{range_}",
        zone=marks.zone,
        gap=2 * step,
        ceiling=1.0 if unit == "share" else None,
        floor=_HIGHEST_FLOOR if unit == "share" else 0.0,
    )
    return DrawnChart(title, said, svg(chart, _FRAME), tuple(key))


def _latest(line: Line) -> float | None:
    return next((value for _, value in reversed(line.points) if value is not None), None)
