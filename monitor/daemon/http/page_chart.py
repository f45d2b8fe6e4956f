"""Draws the charts of pages twice: for a wide screen, and for a phone, on which a chart made smaller could not be read. The style sheet shows one."""

from dataclasses import replace
from typing import Final

from monitor.notify.render.chart_geometry import Frame, TimeChart
from monitor.notify.render.chart_svg import svg

PHONE: Final = 340.0
"""The width of a chart on a phone, in units that are about a pixel there."""


def page_chart(chart: TimeChart, frame: Frame) -> str:
    """Returns the chart as HTML: in its frame, and in one for a phone."""
    slim = replace(frame, width=PHONE)
    return f'<div class="broad">{svg(chart, frame)}</div><div class="slim">{svg(chart, slim)}</div>'
