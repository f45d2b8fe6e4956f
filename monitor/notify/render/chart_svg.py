"""Paints a chart as SVG. Its colours are classes: a page's style sheet, or `STYLE` in a file that stands alone, gives them."""

from collections.abc import Iterator
from html import escape
from typing import Final

from monitor.notify.render.chart_geometry import Box, Dot, Frame, Mark, Stroke, TextMark, TimeChart, layout
from monitor.runtime.printable import clean

STYLE: Final = """
.chart{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
.chart path{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.chart text{fill:#1f2328}.chart .label{fill:#59636e}
.chart path.grid{stroke:#e4e8ec;stroke-width:1}.chart path.axis{stroke:#8c959f;stroke-width:1}
.chart path.value{stroke:#0969da}.chart path.second{stroke:#8250df}.chart path.third{stroke:#1a7f37}.chart path.fourth{stroke:#bc4c00}
.chart path.baseline{stroke:#6e7781;stroke-width:1.2;stroke-dasharray:2 3}.chart path.evidence{stroke:#6e7781;stroke-width:.8}
.chart path.threshold{stroke:#c0392b;stroke-width:1.4;stroke-dasharray:7 4}
.chart text.threshold{fill:#a8281b}.chart text.baseline{fill:#59636e}
.chart .dashed{stroke-width:1.2;stroke-dasharray:5 4}
.chart rect.critical,.chart circle.critical{fill:#cf222e}.chart rect.warning,.chart circle.warning{fill:#d4a72c}
.chart rect.info,.chart circle.info{fill:#0969da}.chart rect.resolved,.chart circle.resolved{fill:#1a7f37}
.chart circle.value,.chart rect.value{fill:#0969da}.chart circle.second,.chart rect.second{fill:#8250df}
.chart circle.third,.chart rect.third{fill:#1a7f37}.chart circle.fourth,.chart rect.fourth{fill:#bc4c00}
.chart rect{fill-opacity:.3}.chart rect.pending{fill:#d4a72c;fill-opacity:.14}.chart rect.blind{fill:#6e7781;fill-opacity:.2}
.chart rect.band{fill-opacity:1}.chart rect.paper{fill:#fff;fill-opacity:1}
"""
"""The look of charts on white, for files that stand alone. `monitor/daemon/http/pages/page.css` has the page's own."""


def svg(chart: TimeChart, frame: Frame) -> str:
    """Returns the chart as an SVG element that says in words what it shows."""
    said = f"<title>{words(chart.title)}</title>" + (f"<desc>{words(chart.text)}</desc>" if chart.text else "")
    size = f'viewBox="0 0 {frame.width:g} {frame.height:g}"'
    label = words(f"{chart.title}. {chart.text}" if chart.text else chart.title)
    return f'<svg class="chart" role="img" aria-label="{label}" {size}>{said}{paint(layout(chart, frame))}</svg>'


def paint(marks: Iterator[Mark]) -> str:
    """Returns the marks as SVG."""
    return "".join(map(_painted, marks))


def words(text: str) -> str:
    """Returns text from data so that it can stand in SVG: without control characters, escaped."""
    return escape(clean(text, 1000))


def _painted(mark: Mark) -> str:
    match mark:
        case Stroke(role, points, dashed):
            return f'<path class="{role}{" dashed" if dashed else ""}" d="M{" ".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'
        case Box(role, x0, y0, x1, y1, title, is_band):
            said = f"<title>{words(title)}</title>" if title else ""
            shape = f'x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
            return f'<rect class="{role}{" band" if is_band else ""}" {shape}>{said}</rect>'
        case Dot(role, x, y, radius):
            return f'<circle class="{role}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
        case TextMark():
            return _text(mark)


def _text(mark: TextMark) -> str:
    # Not every viewer knows dominant-baseline: the base line is computed.
    y = mark.y + {"base": 0.0, "middle": 0.35, "top": 0.8}[mark.up] * mark.size
    anchor = "" if mark.across == "start" else f' text-anchor="{mark.across}"'
    weight = ' font-weight="650"' if mark.strong else ""
    place = f'x="{mark.x:.1f}" y="{y:.1f}" font-size="{mark.size:g}"'
    return f'<text class="{mark.role}" {place}{anchor}{weight}>{words(mark.text)}</text>'
