"""Draws values, thresholds and alerts as SVG without style sheets, so that every viewer shows the same."""

import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import numpy as np

from monitor.alerts.kinds import condition
from monitor.config.rules import Thresholded
from monitor.model.alert import is_report
from monitor.model.finding import Unit
from monitor.model.format import amount, duration
from monitor.model.plurals import plural
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant, iso
from monitor.simulation.backtest.export import GroupPanel, GroupTrial, RuleChart, rule_charts
from monitor.simulation.backtest.report import Totals, age
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.backtest.series import Floats, RuleSeries
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.backtest.unknown_values import is_judged
from monitor.simulation.replay import Episode

WIDTH: Final = 960
_LEFT, _RIGHT, _PLOT, _GAP = 190, 16, 84, 30
_TITLE: Final = 30
_LINE: Final = 17
_LINE_CHARACTERS: Final = 135
"""The most characters of a sentence that fit into the width, in the usual fonts."""
_BAND: Final = 5
_INK, _QUIET, _GRID, _PAPER = "#1f2328", "#656d76", "#e4e8ec", "#ffffff"
_TRIALS: Final = ("#0969da", "#8250df", "#1a7f37", "#bc4c00")
"""The colours of the original rule and of its variants."""
_SHADES: Final = {"critical": "#cf222e", "warning": "#d4a72c"}
_OTHER_SHADE: Final = "#6e7781"
_FONT: Final = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"
_ROUND_SPANS: Final = tuple(
    span / SECOND
    for unit, counts in ((SECOND, (1, 2, 4, 10, 20)), (MINUTE, (1, 2, 4, 10, 20)), (HOUR, (1, 2, 4, 6, 12)))
    for span in (unit * count for count in counts)
)
"""Round spans in seconds whose half is round too; from a day on, even numbers of days follow."""
_DAY: Final = DAY / SECOND
_TICKS: Final = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY)


def figure(found: Backtest) -> str:
    """Returns all rules below each other, as an SVG file."""
    pieces, top = [], 44.0
    span = found.span
    title = f"Backtest of {iso(span.since)[:16]} to {iso(span.until)[:16]} UTC, judged every {duration(span.step)}"
    head = _text(16, 28, title, size=17, weight="bold")
    for rule_chart in rule_charts(found):
        height = rule_chart_height(rule_chart, found)
        pieces.append(f"<g transform='translate(0 {top:g})'>{''.join(_drawn(rule_chart, found))}</g>")
        top += height + 12
    return _svg(top, head + "".join(pieces))


def rule_chart_figure(rule_chart: RuleChart, found: Backtest) -> str:
    """Returns one rule as an SVG element."""
    return _svg(rule_chart_height(rule_chart, found), "".join(_drawn(rule_chart, found)))


def rule_chart_height(rule_chart: RuleChart, found: Backtest) -> float:
    """Returns the height of a rule's drawing, in units of the SVG."""
    plots = len(rule_chart.panels) * (_PLOT + _GAP) or _GAP * is_judged(rule_chart.trials[0].subject.rule)
    return _head_height(rule_chart, found) + plots + (_LINE if rule_chart.more else 0) + 6


def _head_height(rule_chart: RuleChart, found: Backtest) -> float:
    return _TITLE + _LINE * len(list(_head(rule_chart, found))) + 8


def _head(rule_chart: RuleChart, found: Backtest) -> Iterator[tuple[int | None, str]]:
    """Yields the lines below a rule's name; the first line of each trial has the trial's number."""
    for place, trial in enumerate(rule_chart.trials):
        first, *rest = textwrap.wrap(_said_of(trial, found), _LINE_CHARACTERS)
        yield place, first
        yield from ((None, line) for line in rest)
    if unknown := rule_chart.trials[0].unknown:
        yield from ((None, line) for line in textwrap.wrap(_capital(unknown), _LINE_CHARACTERS))


def _svg(height: float, content: str) -> str:
    size = f"width='{WIDTH}' height='{height:g}' viewBox='0 0 {WIDTH} {height:g}'"
    paper = f"<rect width='{WIDTH}' height='{height:g}' fill='{_PAPER}'/>"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' {_FONT}>{paper}{content}</svg>"


def _drawn(rule_chart: RuleChart, found: Backtest) -> Iterator[str]:
    rule = rule_chart.trials[0].subject.rule
    yield _text(16, 20, rule_chart.name, size=15, weight="bold")
    for row, (place, line) in enumerate(_head(rule_chart, found)):
        y = _TITLE + _LINE * row + 8
        if place is not None:
            yield f"<line x1='16' x2='34' y1='{y - 4}' y2='{y - 4}' stroke='{_colour(place)}' stroke-width='2.5'/>"
        yield _text(42, y, line, size=12, colour=_QUIET if place is None else _INK)
    top = _head_height(rule_chart, found)
    for panel in rule_chart.panels:
        plot = _Plot(panel, rule_chart.series, found.span, rule_chart.trials[0].unit(tuple(panel.labels.items())))
        yield f"<g transform='translate(0 {top:g})'>{''.join(plot.drawn())}</g>"
        top += _PLOT + _GAP
    if not rule_chart.panels and is_judged(rule):
        nothing = "had a value" if any(trial.is_known for trial in rule_chart.trials) else "had enough data"
        yield _text(16, top + 20, f"No group of {rule.name} ever {nothing}.", colour=_QUIET)
    if rule_chart.more:
        yield _text(
            16,
            top + 6,
            f"{plural(rule_chart.more, 'more group')}, with fewer alerts or further from the threshold",
            colour=_QUIET,
        )


def _capital(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}."


def _said_of(trial: Trial, found: Backtest) -> str:
    totals = Totals.of(trial, found)
    name = f"with {trial.subject.variant}: " if trial.subject.variant else ""
    if not is_judged(trial.subject.rule):
        return f"{name}{condition(trial.subject.rule)}"
    weekly = f" ({totals.weekly})" if totals.weekly else ""
    said = f"{name}{condition(trial.subject.rule)} — {plural(totals.alerts, 'alert')}{weekly}"
    if totals.alerts:
        said += f", firing for {duration(totals.firing)} in all, {duration(totals.longest)} at the longest"
    return said


class _Plot:
    """The plot of one group's values over time."""

    def __init__(self, panel: GroupPanel, series: RuleSeries | None, span: EvaluationSpan, unit: Unit) -> None:
        self._panel = panel
        self._span = span
        self._unit = unit
        self._moments = series.moments if series is not None else 1
        self._top = _ceiling(panel.group_trials, unit)

    def drawn(self) -> Iterator[str]:
        yield from self._axes()
        count = len(self._panel.group_trials)
        for place, group_trial in enumerate(self._panel.group_trials):
            for episode in group_trial.alerts:
                yield from self._alert(episode, place, count)
        for place, group_trial in enumerate(self._panel.group_trials):
            yield from self._thresholds(group_trial, _colour(place))
        # Variants mostly have the same values; then only those of the original rule are drawn.
        distinct: dict[int, Floats] = {}
        for place, group_trial in enumerate(self._panel.group_trials):
            same = any(np.array_equal(group_trial.values, values, equal_nan=True) for values in distinct.values())
            if group_trial.line is not None and not same:
                distinct[place] = group_trial.values
        for place, values in reversed(distinct.items()):
            yield self._path(values, _colour(place), "stroke-width='1.5'")

    def _thresholds(self, group_trial: GroupTrial, colour: str) -> Iterator[str]:
        """Draws fixed thresholds over the whole width, even where data was missing, and those of a baseline only where they are known."""
        dashed = "stroke-dasharray='5 4' stroke-width='1.2'"
        fixed = [level.limit for level in group_trial.trial.subject.rule.levels_ if isinstance(level.limit, float)]
        if not isinstance(group_trial.trial.subject.rule, Thresholded) or len(fixed) < len(
            group_trial.trial.subject.rule.levels_
        ):
            yield self._path(group_trial.thresholds, colour, dashed)
            return
        for limit in (one for one in fixed if one <= self._top):
            y = f"{self._y(limit):.1f}"
            yield f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y}' y2='{y}' stroke='{colour}' {dashed}/>"

    def _axes(self) -> Iterator[str]:
        for row, words in enumerate(_wrapped(self._panel.name)):
            yield _text(16, 14 + row * 15, words, size=12, weight="600" if row == 0 else "normal")
        for share in (0.0, 0.5, 1.0):
            y = self._y(share * self._top)
            yield f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{_GRID}'/>"
            yield _text(_LEFT - 6, y + 4, amount(share * self._top, self._unit), size=10, colour=_QUIET, anchor="end")
        for at, label in _ticks(self._span):
            x = self._x(at)
            yield f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{_PLOT}' stroke='{_GRID}'/>"
            inside = x <= WIDTH - _RIGHT - 4
            yield _text(
                x if inside else WIDTH - 2,
                _PLOT + 13,
                label,
                size=10,
                colour=_QUIET,
                anchor="middle" if inside else "end",
            )

    def _alert(self, episode: Episode, place: int, count: int) -> Iterator[str]:
        """Draws an alert: the original rule's alerts shade the plot; if there are variants, each trial also has a band above it."""
        start, end = episode.firing_at or episode.pending_at, episode.resolved_at or self._span.until
        title = f"<title>{escape(_told(episode, self._unit))}</title>"
        if place == 0:
            shade = _SHADES.get(episode.severity, _OTHER_SHADE)
            yield self._rect(episode.pending_at, start, 0, _PLOT, f"fill='{shade}' fill-opacity='0.12'", title)
            yield self._rect(start, end, 0, _PLOT, f"fill='{shade}' fill-opacity='0.32'", title)
        if count > 1:
            y = _PLOT - (count - place) * (_BAND + 1)
            yield self._rect(start, end, y, _BAND, f"fill='{_colour(place)}'", title)

    def _rect(self, start: Instant, end: Instant, y: float, height: float, fill: str, inside: str) -> str:
        x = self._x(start)
        width = max(self._x(end) - x, 1.5 if end > start else 0)
        return (
            f"<rect x='{x:.1f}' y='{y:g}' width='{width:.1f}' height='{height:g}' {fill}>{inside}</rect>"
            if width
            else ""
        )

    def _path(self, values: Floats, colour: str, style: str) -> str:
        """Draws a line through the known values, with gaps for unknown ones; a single value becomes a dot."""
        steps, alone = [], []
        for run in _runs(values):
            points = [f"{self._x_of(i):.1f} {self._y(float(values[i])):.1f}" for i in run]
            if len(points) == 1:
                x, y = points[0].split()
                alone.append(f"<circle cx='{x}' cy='{y}' r='1.4' fill='{colour}'/>")
            else:
                steps.append("M" + " L".join(points))
        line = f"<path d='{' '.join(steps)}' fill='none' stroke='{colour}' {style}/>" if steps else ""
        return line + "".join(alone)

    def _x(self, at: Instant) -> float:
        share = (at - self._span.since) / max(self._span.length, 1)
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    def _x_of(self, moment: int) -> float:
        return _LEFT + (moment + 0.5) / self._moments * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return _PLOT - min(max(value / self._top, 0.0), 1.0) * _PLOT


def _ceiling(group_trials: Sequence[GroupTrial], unit: Unit) -> float:
    """Returns the top of a plot, above every value and threshold: a round number whose half is round too."""
    lines = [group_trial.line for group_trial in group_trials if group_trial.line is not None]
    known = [array[~np.isnan(array)] for line in lines for array in (line.values, line.thresholds)]
    known.append(np.array(_fixed(group_trials)))
    highest = max((float(array.max()) for array in known if array.size), default=1.0) * 1.05
    if highest <= 0 or not np.isfinite(highest):
        return 1.0
    if unit == "seconds":
        return next((span for span in _ROUND_SPANS if span >= highest), 2 * _DAY * np.ceil(highest / (2 * _DAY)))
    size = 10.0 ** np.floor(np.log10(highest))
    top = next(float(step * size) for step in (1, 2, 4, 6, 8, 10) if step * size >= highest)
    return min(top, 1.0) if unit == "share" else max(top, 2.0) if unit == "count" else top


def _fixed(group_trials: Sequence[GroupTrial]) -> list[float]:
    """Returns the lowest fixed threshold of each trial; those of further levels may be far above all values."""
    lowest = (group_trial.trial.subject.rule.levels_[0].limit for group_trial in group_trials)
    return [limit for limit in lowest if isinstance(limit, float)]


def _runs(values: Floats) -> Iterator[range]:
    """Yields the ranges of values without a gap."""
    known = np.flatnonzero(~np.isnan(values))
    if known.size:
        for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            yield range(int(run[0]), int(run[-1]) + 1)


def _ticks(span: EvaluationSpan) -> Iterator[tuple[Instant, str]]:
    """Yields round times, at most about eight, with their labels."""
    step: Duration = next((one for one in _TICKS if span.length <= 8 * one), _TICKS[-1])
    for at in range(-(-span.since // step) * step, span.until + 1, step):
        yield at, iso(at)[5:10] if at % DAY == 0 else iso(at)[11:16]


def _told(episode: Episode, unit: Unit) -> str:
    if is_report(episode.group):
        return f"{episode.severity} report {age(episode.firing_at)}"
    ended = f"resolved {age(episode.resolved_at)}" if episode.resolved_at is not None else "still firing at the end"
    return f"{episode.severity}: fired {age(episode.firing_at)}, {ended}, peak {amount(episode.peak, unit)}"


def _wrapped(words: str, width: int = 22) -> list[str]:
    lines = [""]
    for word in words.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [line if len(line) <= width + 2 else f"{line[:width]}…" for line in lines[:5]]


def _colour(place: int) -> str:
    return _TRIALS[place % len(_TRIALS)]


def _text(
    x: float, y: float, words: str, *, size: int = 12, weight: str = "normal", colour: str = _INK, anchor: str = "start"
) -> str:
    style = f"font-size='{size}' font-weight='{weight}' fill='{colour}' text-anchor='{anchor}'"
    return f"<text x='{x:g}' y='{y:g}' {style}>{escape(words)}</text>"
