"""Draws an alert as a picture (PNG): its values over time, the threshold, the usual value, and when it fired. Only this module uses Pillow.

Pillow is an extra (``charts``): without it there are no pictures, and `problem` says how to install it.
"""

import io
import math
from typing import TYPE_CHECKING, Final

from monitor.alerts.kinds.registry import wording_of
from monitor.model.format import amount, duration
from monitor.model.notification import AlertView
from monitor.notify.render.alert_sentence import place, threshold
from monitor.notify.render.chart_scale import Scale, ticks, times
from monitor.notify.render.sanitize import Tone, clean, clip, tone
from monitor.runtime.clock import Instant

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

WIDTH: Final = 600
HEIGHT: Final = 240
_FINE: Final = 2
"""Pixels for each unit, so that text is sharp on a high-resolution screen."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 76, 50, 40
_PAPER, _INK, _FAINT, _GRID, _LINE = "#ffffff", "#1d1c1d", "#616061", "#e8e8e8", "#1264a3"
_LIMIT, _USUAL = "#c0392b", "#7a7f85"
_FIRED: Final = "#fdeef2"
_COLOURS: Final[dict[Tone, str]] = {
    "critical": "#e01e5a",
    "warning": "#c98a00",
    "info": "#1d8fc1",
    "resolved": "#2a9d6a",
}
_FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
"""System fonts that have more letters than Pillow's own Latin font."""

_LARGEST: Final = 1e300
_FEWEST: Final = 3
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


def worth_drawing(view: AlertView) -> bool:
    """Returns whether there are at least three values to draw."""
    return len(_points(view)) >= _FEWEST


def png(view: AlertView, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Returns the picture, for ``width`` by ``height`` units at twice the resolution. Raises NoPictures without Pillow."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise NoPictures(_MISSING) from None
    image = Image.new("RGB", (width * _FINE, height * _FINE), _PAPER)
    sheet = _Sheet(ImageDraw.Draw(image), width, height)
    _draw(sheet, view)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _points(view: AlertView) -> list[tuple[Instant, float]]:
    """Returns the times and values that are known and can be drawn."""
    last = len(view.history) - 1
    dated = [(view.as_of - (last - i) * view.history_step, value) for i, value in enumerate(view.history)]
    return [(at, value) for at, value in dated if value is not None and abs(value) < _LARGEST]


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < _LARGEST else None


class _Sheet:
    """The image to draw on, in units of the picture as it is shown."""

    def __init__(self, draw: "ImageDraw", width: int, height: int) -> None:
        self.draw = draw
        self.width = width
        self.left, self.right, self.top, self.bottom = _LEFT, width - _RIGHT, _TOP, height - _BOTTOM
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

    def line(self, points: list[tuple[float, float]], fill: str, width: float) -> None:
        fine = [(x * _FINE, y * _FINE) for x, y in points]
        self.draw.line(fine, fill, round(width * _FINE), joint="curve")

    def dashes(self, y: float, fill: str, on: float, off: float, width: float) -> None:
        """Draws a dashed horizontal line."""
        x = float(self.left)
        while x < self.right:
            self.line([(x, y), (min(x + on, self.right), y)], fill, width)
            x += on + off

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: str) -> None:
        self.draw.rectangle((x0 * _FINE, y0 * _FINE, max(x1, x0) * _FINE, max(y1, y0) * _FINE), fill)

    def dot(self, x: float, y: float, radius: float, fill: str) -> None:
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


def _draw(sheet: _Sheet, view: AlertView) -> None:
    points = _points(view)
    limit, usual = _finite(view.threshold), _finite(view.baseline)
    values = [value for _, value in points] + [value for value in (limit, usual) if value is not None]
    up = ticks(min([0.0, *values]), max(values, default=0.0), view.unit)
    across = Scale(points[0][0], points[-1][0], sheet.left, sheet.right)
    down = Scale(up[0], up[-1], sheet.bottom, sheet.top)
    _fired(sheet, view, across)
    _axes(sheet, view, across, down, up)
    _limits(sheet, view, down, limit, usual)
    _timeline(sheet, view, points, across, down)
    _heads(sheet, view)


def _heads(sheet: _Sheet, view: AlertView) -> None:
    """Draws the alert's name, its group and how long it has lasted."""
    name = sheet.fitted(clean(view.name), 14, (sheet.width - 24) * 0.6)
    sheet.text(12, 19, name, 14, _INK, "ls", strong=True)
    rest = sheet.width - 24 - sheet.long(name, 14) - 10
    where = _where(view)
    sheet.text(12 + sheet.long(name, 14) + 10, 19, sheet.fitted(where, 12, rest), 12, _FAINT, "ls")
    state = "resolved after" if view.status == "resolved" else "firing for"
    measured = f"{_measure(view)} · {state} {duration(view.duration)}"
    sheet.text(12, 35, sheet.fitted(measured, 11, sheet.width - 24), 11, _FAINT, "ls")


def _where(view: AlertView) -> str:
    """Returns the group of the alert: as the sentence names it, else its values."""
    others = [value for name, value in view.labels.items() if name not in ("alertname", "severity")]
    return clean(place(view) or " · ".join(others), 120)


def _measure(view: AlertView) -> str:
    """Returns what the vertical axis measures."""
    name = {"share": "share of messages", "seconds": "time", "money": "money", "count": "messages"}[view.unit]
    wording = wording_of(view.kind)
    if wording is not None and wording.axis:
        name = wording.axis
    return name if view.window is None else f"{name} in {duration(view.window)}"


def _fired(sheet: _Sheet, view: AlertView, across: Scale) -> None:
    """Shades the time in which the alert fired."""
    start = max(across.at(view.starts_at), sheet.left)
    end = min(across.at(view.as_of if view.ends_at is None else view.ends_at), sheet.right)
    if start < end:
        sheet.box(start, sheet.top, end, sheet.bottom, _FIRED)


def _axes(sheet: _Sheet, view: AlertView, across: Scale, down: Scale, up: list[float]) -> None:
    for value in up:
        y = down.at(value)
        sheet.line([(sheet.left, y), (sheet.right, y)], _GRID, 0.5 if value else 1)
        sheet.text(sheet.left - 6, y, amount(value, view.unit), 10, _FAINT, "rm")
    for at, word in times(round(across.low), round(across.high)):
        x = across.at(at)
        sheet.line([(x, sheet.bottom), (x, sheet.bottom + 4)], _FAINT, 0.5)
        sheet.text(x, sheet.bottom + 7, word, 10, _FAINT, "ma")
    sheet.line([(sheet.left, sheet.bottom), (sheet.right, sheet.bottom)], _FAINT, 0.5)
    sheet.text((sheet.left + sheet.right) / 2, sheet.bottom + 22, "time, UTC", 10, _FAINT, "ma")


def _limits(sheet: _Sheet, view: AlertView, down: Scale, limit: float | None, usual: float | None) -> None:
    """Draws the threshold and the usual value, each named at its left end: above its line, or below it for the lower of two close ones."""
    close = limit is not None and usual is not None and abs(down.at(limit) - down.at(usual)) < 16
    if usual is not None:
        y, under = down.at(usual), close and limit is not None and usual <= limit
        sheet.dashes(y, _USUAL, 2, 3, 1)
        _named(sheet, y, f"usual {amount(usual, view.unit)}", _USUAL, under=under)
    if limit is not None:
        y, under = down.at(limit), close and usual is not None and limit < usual
        sheet.dashes(y, _LIMIT, 7, 4, 1.5)
        _named(sheet, y, f"threshold {threshold(limit, view.unit)}", _LIMIT, under=under)


def _named(sheet: _Sheet, y: float, words: str, fill: str, *, under: bool) -> None:
    if under and y + 15 < sheet.bottom:
        sheet.text(sheet.left + 6, y + 3, words, 10, fill, "la")
    else:
        sheet.text(sheet.left + 6, y - 4, words, 10, fill, "ls")


def _timeline(sheet: _Sheet, view: AlertView, points: list[tuple[Instant, float]], across: Scale, down: Scale) -> None:
    """Draws the line, with gaps for unknown values, and its last value."""
    piece: list[tuple[float, float]] = []
    before = points[0][0]
    for at, value in points:
        if at - before > view.history_step:
            _piece(sheet, piece)
            piece = []
        piece.append((across.at(at), down.at(value)))
        before = at
    _piece(sheet, piece)
    x, y = piece[-1]
    colour = _COLOURS[tone(view.severity, view.status)]
    sheet.dot(x, y, 4, colour)
    sheet.text(x + 9, y, amount(points[-1][1], view.unit), 13, colour, "lm", strong=True)


def _piece(sheet: _Sheet, piece: list[tuple[float, float]]) -> None:
    if len(piece) > 1:
        sheet.line(piece, _LINE, 2)
    elif piece and math.isfinite(piece[0][1]):
        sheet.dot(*piece[0], 1.5, _LINE)
