"""Paints the chart of an alert as a picture (PNG). Only this module uses Pillow.

Pillow is an extra (``charts``): without it there are no pictures, and `problem` says how to install it.
"""

import io
from typing import TYPE_CHECKING, Final

from monitor.model.format import duration
from monitor.model.notification import AlertView
from monitor.notify.render.alert_chart import alert_chart, measure, where
from monitor.notify.render.chart_geometry import Box, Dot, Frame, Mark, Point, Role, Stroke, TextMark, layout
from monitor.notify.render.sanitize import clean, clip

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

WIDTH: Final = 600
HEIGHT: Final = 240
_FINE: Final = 2
"""Pixels for each unit, so that text is sharp on a high-resolution screen."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 76, 50, 40
_PAPER, _INK, _FAINT, _FIRED = "#ffffff", "#1d1c1d", "#616061", "#fdeef2"
_COLOURS: Final[dict[Role, str]] = {
    "grid": "#e8e8e8",
    "axis": _FAINT,
    "label": _FAINT,
    "value": "#1264a3",
    "threshold": "#c0392b",
    "baseline": "#7a7f85",
    "critical": "#e01e5a",
    "warning": "#c98a00",
    "info": "#1d8fc1",
    "resolved": "#2a9d6a",
}
_WIDTHS: Final[dict[Role, float]] = {"grid": 0.5, "axis": 0.5}
_DASHES: Final[dict[Role, tuple[float, float, float]]] = {"baseline": (2, 3, 1), "threshold": (7, 4, 1.5)}
"""By role: the length of a dash and of a gap, and the width of the line."""

_ACROSS: Final = {"start": "l", "middle": "m", "end": "r"}
_UP: Final = {"base": "s", "middle": "m", "top": "a"}
_FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
"""System fonts that have more letters than Pillow's own Latin font."""

_MISSING: Final = "Pillow is not installed; install routee-monitor[charts], or take chart out of the configuration"


class NoPictures(Exception):
    """No picture can be drawn; the text says why and what to do."""


def problem() -> str:
    """Returns why no pictures can be drawn; empty if they can."""
    try:
        import PIL.ImageFont  # noqa: F401 - whether it is there is the question
    except ImportError:
        return _MISSING
    return ""


def png(view: AlertView, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Returns the picture, for ``width`` by ``height`` units at twice the resolution. Raises NoPictures without Pillow."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise NoPictures(_MISSING) from None
    image = Image.new("RGB", (width * _FINE, height * _FINE), _PAPER)
    sheet = _Sheet(ImageDraw.Draw(image), width, height)
    for mark in layout(alert_chart(view), Frame(width, height, _LEFT, _RIGHT, _TOP, _BOTTOM, text=10)):
        sheet.paint(mark)
    _heads(sheet, view)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


class _Sheet:
    """The image to draw on, in units of the picture as it is shown."""

    def __init__(self, draw: "ImageDraw", width: int, height: int) -> None:
        self.draw = draw
        self.width = width
        self._fonts: dict[int, Font] = {}

    def text(self, x: float, y: float, text: str, size: int, fill: str, anchor: str, *, strong: bool = False) -> None:
        """Draws text; ``anchor`` is Pillow's: l, m or r horizontally, then a, m or s vertically."""
        where = (x * _FINE, y * _FINE)
        self.draw.text(where, text, fill, self.font(size), anchor, stroke_width=0.4 if strong else 0)

    def long(self, text: str, size: int) -> float:
        return self.draw.textlength(text, self.font(size)) / _FINE

    def fitted(self, text: str, size: int, width: float) -> str:
        """Returns the part of ``text`` that fits into ``width``."""
        longest = len(text)
        while longest > 1 and self.long(clip(text, longest), size) > width:
            longest -= 1
        return clip(text, longest)

    def paint(self, mark: Mark) -> None:
        """Draws one mark of the chart."""
        match mark:
            case Stroke():
                self._stroke(mark)
            case Box(_, x0, y0, x1, y1):
                self.draw.rectangle((x0 * _FINE, y0 * _FINE, x1 * _FINE, y1 * _FINE), _FIRED)
            case Dot(role, x, y, radius):
                self._dot(x, y, radius, _COLOURS[role])
            case TextMark(role, x, y, text, size, across, up, strong):
                anchor = _ACROSS[across] + _UP[up]
                self.text(x, y, text, round(size), _COLOURS[role], anchor, strong=strong)

    def _stroke(self, stroke: Stroke) -> None:
        on, off, width = _DASHES.get(stroke.role, (0, 0, _WIDTHS.get(stroke.role, 2.0)))
        if not on:
            self._line(stroke.points, _COLOURS[stroke.role], width)
            return
        (x, y), (end, _) = stroke.points[0], stroke.points[-1]  # only horizontal lines are dashed
        while x < end:
            self._line([(x, y), (min(x + on, end), y)], _COLOURS[stroke.role], width)
            x += on + off

    def _line(self, points: list[Point], fill: str, width: float) -> None:
        fine = [(x * _FINE, y * _FINE) for x, y in points]
        self.draw.line(fine, fill, round(width * _FINE), joint="curve")

    def _dot(self, x: float, y: float, radius: float, fill: str) -> None:
        for size, colour in ((radius + 1.5, _PAPER), (radius, fill)):
            self.draw.ellipse(((x - size) * _FINE, (y - size) * _FINE, (x + size) * _FINE, (y + size) * _FINE), colour)

    def font(self, size: int) -> "Font":
        if size not in self._fonts:
            self._fonts[size] = _font(size * _FINE)
        return self._fonts[size]


def _font(size: int) -> "Font":
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _heads(sheet: _Sheet, view: AlertView) -> None:
    """Draws the alert's name, its group and how long it has lasted."""
    name = sheet.fitted(clean(view.name), 14, (sheet.width - 24) * 0.6)
    sheet.text(12, 19, name, 14, _INK, "ls", strong=True)
    rest = sheet.width - 24 - sheet.long(name, 14) - 10
    sheet.text(12 + sheet.long(name, 14) + 10, 19, sheet.fitted(where(view), 12, rest), 12, _FAINT, "ls")
    state = "resolved after" if view.status == "resolved" else "firing for"
    measured = f"{measure(view)} · {state} {duration(view.duration)}"
    sheet.text(12, 35, sheet.fitted(measured, 11, sheet.width - 24), 11, _FAINT, "ls")
