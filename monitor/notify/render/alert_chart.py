"""Makes the chart of one alert: its values, the threshold, what is usual, and when it fired. The page shows it as SVG, Slack as a picture."""

from typing import Final

from monitor.alerts.kinds.registry import wording_of
from monitor.model.format import amount, duration
from monitor.model.notification import AlertView
from monitor.notify.render.alert_sentence import place, threshold
from monitor.notify.render.chart_geometry import FixedLine, Line, Span, TimeChart, drawable
from monitor.notify.render.sanitize import clean, tone
from monitor.runtime.clock import Instant

_FEWEST: Final = 3


def worth_drawing(view: AlertView) -> bool:
    """Returns whether there are at least three values to draw."""
    return sum(drawable(value) for value in view.history) >= _FEWEST


def alert_chart(view: AlertView) -> TimeChart:
    """Returns the chart of an alert that is worth drawing."""
    points = _points(view)
    limit, usual = view.threshold, view.baseline
    return TimeChart(
        title=f"{clean(view.name)}: {measure(view)}",
        unit=view.unit,
        since=points[0][0],
        until=points[-1][0],
        lines=(Line("value", points),),
        levels=(
            *((FixedLine("baseline", usual, f"usual {amount(usual, view.unit)}"),) if usual is not None else ()),
            *(
                (FixedLine("threshold", limit, f"threshold {threshold(limit, view.unit, view.value)}"),)
                if limit is not None
                else ()
            ),
        ),
        spans=(_fired(view),),
        text=_said(view, points),
        gap=view.history_step,
        last=tone(view.severity, view.status),
    )


def where(view: AlertView) -> str:
    """Returns the group of the alert: as the sentence names it, else its values."""
    others = [value for name, value in view.labels.items() if name not in ("alertname", "severity")]
    return clean(place(view) or " · ".join(others), 120)


def measure(view: AlertView) -> str:
    """Returns what the vertical axis measures."""
    name = {"share": "share of messages", "seconds": "time", "money": "money", "count": "messages"}[view.unit]
    wording = wording_of(view.kind)
    if wording is not None and wording.axis:
        name = wording.axis
    return name if view.window is None else f"{name} in {duration(view.window)}"


def _points(view: AlertView) -> list[tuple[Instant, float]]:
    """Returns the times and values that are known and can be drawn."""
    last = len(view.history) - 1
    dated = [(view.as_of - (last - i) * view.history_step, value) for i, value in enumerate(view.history)]
    known = [(at, value) for at, value in dated if value is not None and drawable(value)]
    if known and known[-1][0] < view.as_of and view.value is not None and drawable(view.value):
        known.append((view.as_of, view.value))
    return known


def _fired(view: AlertView) -> Span:
    end = view.as_of if view.ends_at is None else view.ends_at
    return Span(
        tone(view.severity, "firing"), view.starts_at, end, f"{view.severity}: fired for {duration(view.duration)}"
    )


def _said(view: AlertView, points: list[tuple[Instant, float]]) -> str:
    values = [value for _, value in points]
    low, high, last = (amount(value, view.unit, view.threshold) for value in (min(values), max(values), values[-1]))
    said = f"From {low} to {high}, now {last}"
    return (
        said
        if view.threshold is None
        else f"{said}; the threshold is {threshold(view.threshold, view.unit, values[-1])}"
    )
