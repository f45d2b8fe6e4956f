"""Computes where everything on a chart of values over time is drawn. Pure: the painters `chart_svg` (SVG) and `chart` (PNG) share it.

A chart becomes a list of marks (lines, boxes, dots, words) in units of the picture. Each mark has a role, which a painter gives a colour.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from monitor.model.finding import Unit
from monitor.model.format import amount
from monitor.notify.render.chart_scale import MOST_ACROSS, Scale, ticks, times, zone_name
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass

LARGEST: Final = 1e300
"""Values beyond this cannot be drawn."""

Role = Literal[
    "grid", "axis", "label", "text", "value", "second", "third", "fourth", "baseline", "threshold", "evidence",
    "critical", "warning", "info", "resolved", "pending", "blind",
]  # fmt: skip
"""What a mark means."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """Values over time; None and NaN are unknown. A ``relative`` line's values are shares of the height of the chart."""

    role: Role
    points: Sequence[tuple[Instant, float | None]]
    relative: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class FixedLine:
    """A value that is the same all the time. It is drawn if it is within the scale; ``fits`` makes the scale reach it."""

    role: Role
    value: float
    name: str = ""
    fits: bool = True
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A time that is shaded: an alert, or missing data. ``title`` says what it is; ``band`` is a row above the time axis, 0 the whole height."""

    role: Role
    start: Instant
    end: Instant
    title: str = ""
    band: int = 0


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Values from ``since`` to ``until``. ``gap`` is the longest time between two values that a line connects; 0: any.

    ``title`` and ``text`` say to those who cannot see it what it shows. ``zone`` is the time zone of the labels (IANA; empty: UTC).
    ``ceiling`` is the most that its values can be, such as 1.0 for a share; the scale begins at ``floor`` unless some are lower.
    """

    title: str
    unit: Unit
    since: Instant
    until: Instant
    lines: tuple[Line, ...] = ()
    levels: tuple[FixedLine, ...] = ()
    spans: tuple[Span, ...] = ()
    text: str = ""
    zone: str = ""
    gap: Duration = 0
    ceiling: float | None = None
    floor: float = 0.0
    last: Role | None = None
    """The role of the dot and the words that mark the last value; None: neither."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a picture and its margins around the plot, in units. ``text`` is the size of its labels."""

    width: float
    height: float
    left: float = 52
    right: float = 16
    top: float = 12
    bottom: float = 26
    text: float = 11


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points. What is ``dashed`` or not, besides, follows from the role."""

    role: Role
    points: list[Point]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle, from its left upper to its right lower corner."""

    role: Role
    x0: float
    y0: float
    x1: float
    y1: float
    title: str = ""
    is_band: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    role: Role
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class TextMark:
    """Text at a point: ``across`` says which end of it, ``up`` whether the point is at its base line, middle or top."""

    role: Role
    x: float
    y: float
    text: str
    size: float
    across: Literal["start", "middle", "end"] = "start"
    up: Literal["base", "middle", "top"] = "base"
    strong: bool = False


Mark = Stroke | Box | Dot | TextMark

_BAND: Final = 6
_CLOSE: Final = 16
"""Two lines that are nearer than this have no room for a name between them."""
_LETTER: Final = 0.6
"""The width of a letter, in sizes of its text."""
_STRONG_LETTER: Final = 0.7
_BESIDE_AXIS: Final = 6
"""The room between a value's label and its axis."""
_BESIDE_LAST: Final = 9
"""The room between the last value and its label."""
_LAST_SIZE: Final = 13
_TIME: Final = 5
"""The room of a time's label, in sizes of its text."""


def layout(chart: TimeChart, frame: Frame) -> Iterator[Mark]:
    """Yields the marks of a chart, those behind others first."""
    plot = _Plot(chart, frame)
    yield from plot.shades()
    yield from plot.axes()
    yield from plot.levels()
    for line in chart.lines:
        yield from plot.line(line)
    yield from plot.last()


def drawable(value: float | None) -> bool:
    """Returns whether a value is known and can be drawn."""
    return value is not None and abs(value) < LARGEST


class _Plot:
    """The part of the picture inside the axes."""

    def __init__(self, chart: TimeChart, frame: Frame) -> None:
        self._chart, self._frame = chart, frame
        self._top, self._bottom = frame.top, frame.height - frame.bottom
        values = [value for line in chart.lines if not line.relative for _, value in line.points if drawable(value)]
        values += [level.value for level in chart.levels if level.fits and drawable(level.value)]
        known = [value for value in values if value is not None]
        found = ticks(min([chart.floor, *known]), max([chart.floor, *known]), chart.unit)
        if chart.ceiling is not None:
            found = [value for value in found if value <= chart.ceiling * (1 + 1e-9)] or found
            if len(found) < 2:
                found = [0.0, chart.ceiling]
        self._ticks = found
        self._left, self._right = frame.left, frame.width - frame.right
        self._make_room()
        self._across = Scale(chart.since, max(chart.until, chart.since + 1), self._left, self._right)
        self._down = Scale(found[0], found[-1], self._bottom, self._top)

    def _make_room(self) -> None:
        """Moves the plot away from the sides where a label needs more than the frame's margin, such as ``1,000,000``."""
        longest = max(len(amount(value, self._chart.unit)) for value in self._ticks)
        self._left = max(self._left, longest * self._frame.text * _LETTER + _BESIDE_AXIS)
        if self._chart.last is not None and (last := self._last_known()) is not None:
            words = len(amount(last[1], self._chart.unit)) * _LAST_SIZE * _STRONG_LETTER
            self._right = min(self._right, self._frame.width - words - _BESIDE_LAST)

    def _last_known(self) -> tuple[Instant, float] | None:
        points = self._chart.lines[0].points if self._chart.lines else ()
        return next(((at, value) for at, value in reversed(points) if value is not None and drawable(value)), None)

    def _x(self, at: Instant) -> float:
        return min(max(self._across.at(at), self._left), self._right)

    def _y(self, value: float) -> float:
        return min(max(self._down.at(value), self._top), self._bottom)

    def shades(self) -> Iterator[Mark]:
        """Yields the shaded times; a time that is too short to see gets a visible width."""
        for span in self._chart.spans:
            if span.end < self._chart.since or span.start > self._chart.until:
                continue
            x0, x1 = self._x(span.start), self._x(span.end)
            bottom = self._bottom - (span.band - 1) * _BAND if span.band else self._bottom
            top = bottom - _BAND + 1 if span.band else self._top
            if x0 < x1:
                yield Box(
                    span.role, min(x0, self._right - 1.5), top, max(x1, x0 + 1.5), bottom, span.title, span.band > 0
                )

    def axes(self) -> Iterator[Mark]:
        """Yields the grid with its labels, and the time axis."""
        size = self._frame.text
        for value in self._ticks:
            y = self._down.at(value)
            yield Stroke("grid", [(self._left, y), (self._right, y)])
            words = amount(value, self._chart.unit)
            yield TextMark("label", self._left - _BESIDE_AXIS, y, words, size, "end", "middle")
        y, zone = self._bottom, self._chart.zone
        yield Stroke("axis", [(self._left, y), (self._right, y)])
        most = min(max(int((self._right - self._left) / (_TIME * size)), 1), MOST_ACROSS)
        for at, words in times(round(self._chart.since), round(self._chart.until), zone, most):
            x = self._across.at(at)
            yield Stroke("axis", [(x, y), (x, y + 4)])
            wide = len(words) * size * 0.3
            inside = min(x, self._frame.width - wide)
            yield TextMark("label", inside, y + 7, words, size, "middle", "top")
        if self._frame.bottom >= 3 * size:
            yield TextMark(
                "label",
                (self._left + self._right) / 2,
                y + 2.2 * size,
                f"time, {zone_name(zone)}",
                size,
                "middle",
                "top",
            )

    def levels(self) -> Iterator[Mark]:
        """Yields the lines of fixed values, each named at its left end: above its line, or below it for the lower of two close ones. The lower
        one of two that are close to the bottom is named behind the upper one."""
        shown = [
            level
            for level in self._chart.levels
            if drawable(level.value) and self._ticks[0] <= level.value <= self._ticks[-1] * (1 + 1e-9)
        ]
        for level in sorted(shown, key=lambda one: one.role == "threshold"):
            y = self._y(level.value)
            yield Stroke(level.role, [(self._left, y), (self._right, y)], level.dashed)
            above = [one for one in shown if one is not level and one.name and level.value <= one.value]
            close = [one for one in above if abs(self._y(one.value) - y) < _CLOSE]
            if level.name and close and self._is_low(y):
                yield self._named_behind(level, close)
            elif level.name:
                yield self._named(level, y, under=bool(close))

    def _is_low(self, y: float) -> bool:
        return y + 15 >= self._bottom

    def _named_behind(self, level: FixedLine, close: Sequence[FixedLine]) -> TextMark:
        """Returns the name of a level in the row of the names of those that are close above it."""
        size, top = self._frame.text, min(self._y(one.value) for one in close)
        taken = sum(len(one.name) + 2 for one in close) * size * _LETTER
        return TextMark(level.role, self._left + 6 + taken, top - 4, level.name, size)

    def _named(self, level: FixedLine, y: float, *, under: bool) -> TextMark:
        size, x = self._frame.text, self._left + 6
        is_low, is_high = self._is_low(y), y - 0.8 * size - 4 < 0
        if not is_low and (is_high or under or self._crowded(y - size - 4, y) > self._crowded(y, y + size + 4)):
            return TextMark(level.role, x, y + 3, level.name, size, up="top")
        return TextMark(level.role, x, y - 4, level.name, size)

    def _crowded(self, top: float, bottom: float) -> int:
        """Returns how many values are drawn between two heights, at the left where levels have their names."""
        until = self._left + (self._right - self._left) / 3
        drawn = ((self._x(at), value) for line in self._chart.lines if not line.relative for at, value in line.points)
        return sum(
            x <= until and top <= self._y(value) <= bottom
            for x, value in drawn
            if value is not None and drawable(value)
        )

    def line(self, line: Line) -> Iterator[Mark]:
        """Yields a line through the known values, with gaps for unknown ones; a single value becomes a dot."""
        for run in self._runs(line):
            points = [(self._x(at), self._height(value, line)) for at, value in run]
            if len(points) > 1:
                yield Stroke(line.role, _thinned(points), line.dashed)
            else:
                yield Dot(line.role, *points[0], 1.5)

    def _height(self, value: float, line: Line) -> float:
        if line.relative:
            return self._bottom - min(max(value, 0.0), 1.0) * (self._bottom - self._top)
        return self._y(value)

    def _runs(self, line: Line) -> Iterator[list[tuple[Instant, float]]]:
        run: list[tuple[Instant, float]] = []
        for at, value in line.points:
            is_apart = bool(run) and 0 < self._chart.gap < at - run[-1][0]
            if run and (is_apart or not drawable(value)):
                yield run
                run = []
            if value is not None and drawable(value):
                run.append((at, value))
        if run:
            yield run

    def last(self) -> Iterator[Mark]:
        """Yields the mark of the last value."""
        role, last = self._chart.last, self._last_known()
        if role is not None and last is not None:
            at, value = last
            x, y = self._x(at), self._y(value)
            yield Dot(role, x, y, 4)
            words = amount(value, self._chart.unit)
            yield TextMark(role, x + _BESIDE_LAST, y, words, _LAST_SIZE, up="middle", strong=True)


_FINEST: Final = 0.75
"""Points that are nearer to each other than this, in units across, become one column with its lowest and highest."""


def _thinned(points: list[Point]) -> list[Point]:
    """Returns fewer points that look the same: of each column its first, lowest, highest and last."""
    kept: list[Point] = []
    column: list[Point] = []
    for point in points:
        if column and point[0] - column[0][0] >= _FINEST:
            kept += _outline(column)
            column = []
        column.append(point)
    return kept + _outline(column)


def _outline(column: list[Point]) -> list[Point]:
    if len(column) < 4:
        return column
    extremes = {0, len(column) - 1}
    extremes |= {
        min(range(len(column)), key=lambda i: column[i][1]),
        max(range(len(column)), key=lambda i: column[i][1]),
    }
    return [column[i] for i in sorted(extremes) if math.isfinite(column[i][1])]
