"""The charts of a report: the share of delivered messages, and how many messages failed, over time."""

from collections.abc import Sequence
from typing import Final

from monitor.alerts.report.model import DeliveryReport
from monitor.model.finding import Unit
from monitor.model.format import number, percent
from monitor.notify.render.chart_geometry import Frame, Line, Role, Span, TimeChart
from monitor.notify.render.chart_svg import svg
from monitor.notify.render.sanitize import clean

FEWEST: Final = 10
"""The fewest final messages of a step that have a share of delivered ones."""
_FRAME: Final = Frame(860, 220, top=16, text=12)
_NARROW: Final = Frame(340, 200, top=16, text=12)
"""For a phone, where the other would have to be scrolled, or its words be too small."""

Drawing = tuple[str, str]
"""A heading, and the same chart twice, ``wide`` and ``narrow``; the style shows one of them."""


def charts(report: DeliveryReport) -> list[Drawing]:
    """Returns the charts; none if no message got a final status."""
    course = report.course
    if not any(course.final):
        return []
    pairs = list(zip(course.final, course.delivered, strict=True))
    shares = [good / final if final >= FEWEST else None for final, good in pairs]
    failures = [float(final - good) for final, good in pairs]
    known = [share for share in shares if share is not None]
    worst = f"At the lowest {percent(min(known, default=None))}, at the highest {percent(max(known, default=None))}."
    most = f"At most {number(max(failures))} in a step of time."
    return [
        ("Delivered, as a share", _drawn(report, "Share of delivered messages", worst, "share", "value", shares)),
        ("Failed messages", _drawn(report, "Failed messages over time", most, "count", "second", failures)),
    ]


def _drawn(
    report: DeliveryReport, title: str, text: str, unit: Unit, role: Role, values: Sequence[float | None]
) -> str:
    course = report.course
    points = [(course.start + number * course.step + course.step // 2, one) for number, one in enumerate(values)]
    incidents = tuple(
        Span(
            "critical",
            max(one.began, report.since),
            min(one.ended or report.until, report.until),
            clean(one.title, 200),
        )
        for one in report.incidents
    )
    chart = TimeChart(
        title,
        unit,
        report.since,
        report.until,
        (Line(role, points),),
        spans=incidents,
        text=f"{text} Shaded: {number(len(incidents))} incidents." if incidents else text,
        zone=report.time_zone,
        ceiling=1.0 if unit == "share" else None,
    )
    return f'<div class="wide">{svg(chart, _FRAME)}</div><div class="narrow">{svg(chart, _NARROW)}</div>'
