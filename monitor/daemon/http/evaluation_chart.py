"""The chart of one group's recent evaluations: its value, its threshold and what is usual."""

from itertools import pairwise
from typing import Final

from monitor.daemon.read.evaluations import GroupEvaluations
from monitor.model.format import amount
from monitor.notify.render.chart_geometry import FixedLine, Frame, Line, Span, TimeChart, drawable

ALERT_FRAME: Final = Frame(760, 220, left=56, right=66, top=14, bottom=26, text=12)
FEWEST: Final = 2
_GAPS: Final = 3
"""How many of the usual steps may be missing before the line has a gap."""
_OUTAGES: Final = 2
"""So many of the longest steps may be outages; the next one is usual further back, where there are fewer evaluations."""


def evaluation_chart(course: GroupEvaluations, zone: str, spans: tuple[Span, ...] = ()) -> TimeChart | None:
    """Returns the chart; None with fewer than `FEWEST` values."""
    points = course.points
    values = [one.value for one in points if drawable(one.value)]
    if len(values) < FEWEST:
        return None
    steps = sorted(after.as_of - before.as_of for before, after in pairwise(points))
    limits = {one.threshold for one in points if drawable(one.threshold)}
    limit = next(iter(limits)) if len(limits) == 1 else None
    low, high, last = (
        amount(value, course.unit) for value in (min(values, key=_size), max(values, key=_size), values[-1])
    )
    fixed = () if limit is None else (FixedLine("threshold", limit, f"threshold {amount(limit, course.unit)}"),)
    moving = () if limit is not None else (Line("threshold", [(one.as_of, one.threshold) for one in points]),)
    return TimeChart(
        title=f"{course.rule}: {', '.join(course.labels.values()) or 'all messages'}",
        unit=course.unit,
        since=points[0].as_of,
        until=points[-1].as_of,
        lines=(
            Line("value", [(one.as_of, one.value) for one in points]),
            *moving,
            Line("baseline", [(one.as_of, one.baseline) for one in points]),
            Line("evidence", [(one.as_of, one.evidence) for one in points], relative=True),
        ),
        levels=fixed,
        spans=spans,
        text=f"from {low} to {high}, now {last}",
        zone=zone,
        gap=_GAPS * steps[-_OUTAGES - 1 :][0] if steps else 0,
        last="value",
    )


def _size(value: float | None) -> float:
    return value or 0.0
