"""Draws the values, thresholds and alerts of all rules below each other as SVG; `monitor.notify.render.chart_svg` gives it its look."""

import textwrap
from collections.abc import Iterator
from typing import Final

import numpy as np

from monitor.alerts.kinds import condition
from monitor.config.rules import Thresholded
from monitor.model.alert import is_report
from monitor.model.finding import Unit
from monitor.model.format import amount, duration
from monitor.model.plurals import plural
from monitor.notify.render.chart_geometry import FixedLine, Frame, Line, Role, Span, Stroke, TextMark, TimeChart, layout
from monitor.notify.render.chart_svg import STYLE, paint, words
from monitor.notify.render.sanitize import tone
from monitor.runtime.clock import Instant, iso
from monitor.simulation.backtest.export import GroupPanel, GroupTrial, RuleChart, rule_charts
from monitor.simulation.backtest.report import Totals, age
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.backtest.series import Floats, RuleSeries
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.backtest.unknown_values import is_evaluated
from monitor.simulation.replay import Episode

WIDTH: Final = 960
_PLOT, _GAP = 84, 30
_FRAME: Final = Frame(WIDTH, _PLOT + 26, left=190, right=16, top=0, bottom=26, text=10)
_TITLE: Final = 30
_LINE: Final = 17
_LINE_CHARACTERS: Final = 135
"""The most characters of a sentence that fit into the width, in the usual fonts."""
_NAME_CHARACTERS: Final = 17
"""The most characters of a group's name beside its chart: further right are the labels of the axis."""
_ROLES: Final[tuple[Role, ...]] = ("value", "second", "third", "fourth")
"""The roles of the original rule and of its variants."""
_PAPER: Final = '<rect class="paper" width="100%" height="100%"/>'


def figure(found: Backtest) -> str:
    """Returns all rules below each other, as an SVG file."""
    pieces, top = [], 44.0
    span = found.span
    title = f"Backtest of {iso(span.since)[:16]} to {iso(span.until)[:16]} UTC, evaluated every {duration(span.step)}"
    head = _text(16, 28, title, size=17, strong=True)
    for rule_chart in rule_charts(found):
        height = rule_chart_height(rule_chart, found)
        pieces.append(f"<g transform='translate(0 {top:g})'>{''.join(_drawn(rule_chart, found))}</g>")
        top += height + 12
    return _svg(top, head + "".join(pieces), words(title), f"<style>{STYLE}</style>{_PAPER}")


def rule_chart_figure(rule_chart: RuleChart, found: Backtest) -> str:
    """Returns one rule as an SVG element."""
    return _svg(rule_chart_height(rule_chart, found), "".join(_drawn(rule_chart, found)), words(rule_chart.name))


def rule_chart_height(rule_chart: RuleChart, found: Backtest) -> float:
    """Returns the height of a rule's drawing, in units of the SVG."""
    plots = len(rule_chart.panels) * (_PLOT + _GAP) or _GAP * is_evaluated(rule_chart.trials[0].subject.rule)
    return _head_height(rule_chart, found) + plots + (_LINE if rule_chart.more else 0) + 6


def _head_height(rule_chart: RuleChart, found: Backtest) -> float:
    return _TITLE + _LINE * len(list(_head(rule_chart, found))) + 8


def _head(rule_chart: RuleChart, found: Backtest) -> Iterator[tuple[int | None, str]]:
    """Yields the lines below a rule's name; the first line of each trial has the trial's number."""
    for index, trial in enumerate(rule_chart.trials):
        first, *rest = textwrap.wrap(_said_of(trial, found), _LINE_CHARACTERS)
        yield index, first
        yield from ((None, line) for line in rest)
    if any(not np.isnan(one.evidence).all() for panel in rule_chart.panels for one in panel.group_trials):
        yield None, "The grey line is the evidence for a change; at the top of the plot it begins an alert."
    if unknown := rule_chart.trials[0].unknown:
        yield from ((None, line) for line in textwrap.wrap(_capital(unknown), _LINE_CHARACTERS))


def _svg(height: float, content: str, said: str, style: str = "") -> str:
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{said}" {size}>{style}{content}</svg>'


def _drawn(rule_chart: RuleChart, found: Backtest) -> Iterator[str]:
    rule = rule_chart.trials[0].subject.rule
    yield _text(16, 20, rule_chart.name, size=15, strong=True)
    for row, (index, line) in enumerate(_head(rule_chart, found)):
        y = _TITLE + _LINE * row + 8
        if index is not None:
            yield paint(iter([Stroke(_role(index), [(16, y - 4), (34, y - 4)])]))
        yield _text(42, y, line, quiet=index is None)
    top = _head_height(rule_chart, found)
    for panel in rule_chart.panels:
        chart = _panel(panel, rule_chart.series, found.span, rule_chart.trials[0].unit(tuple(panel.labels.items())))
        name = "".join(
            _text(16, 14 + row * 15, words, strong=row == 0) for row, words in enumerate(_wrapped(panel.name))
        )
        yield f'<g transform="translate(0 {top:g})">{name}{paint(layout(chart, _FRAME))}</g>'
        top += _PLOT + _GAP
    if not rule_chart.panels and is_evaluated(rule):
        nothing = "had a value" if any(trial.is_known for trial in rule_chart.trials) else "had enough data"
        yield _text(16, top + 20, f"No group of {rule.name} ever {nothing}.", quiet=True)
    if rule_chart.more:
        yield _text(
            16,
            top + 6,
            f"{plural(rule_chart.more, 'more group')}, with fewer alerts or further from the threshold",
            quiet=True,
        )


def _capital(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}."


def _said_of(trial: Trial, found: Backtest) -> str:
    totals = Totals.of(trial, found)
    name = f"with {trial.subject.variant}: " if trial.subject.variant else ""
    if not is_evaluated(trial.subject.rule):
        return f"{name}{condition(trial.subject.rule)}"
    weekly = f" ({totals.weekly})" if totals.weekly else ""
    said = f"{name}{condition(trial.subject.rule)} — {plural(totals.alerts, 'alert')}{weekly}"
    if totals.alerts:
        said += f", firing for {duration(totals.firing)} in all, {duration(totals.longest)} at the longest"
    return said


def _panel(panel: GroupPanel, series: RuleSeries | None, span: EvaluationSpan, unit: Unit) -> TimeChart:
    """Returns the chart of one group's values, thresholds and alerts in all trials."""
    fixed = [(index, limit) for index, one in enumerate(panel.group_trials) for limit in _fixed(one)]
    lowest = {index: min(limit for at, limit in fixed if at == index) for index, _ in fixed}
    return TimeChart(
        title=panel.name,
        unit=unit,
        since=span.since,
        until=span.until,
        lines=tuple(_lines(panel, series)),
        levels=tuple(
            FixedLine(_role(index), limit, fits=limit == lowest[index], dashed=True) for index, limit in fixed
        ),
        spans=tuple(_spans(panel, span, unit)),
        ceiling=1.0 if unit == "share" else None,
    )


def _lines(panel: GroupPanel, series: RuleSeries | None) -> Iterator[Line]:
    """Yields the values of each trial, those of the original rule last; variants mostly have the same, then only one is drawn."""
    for index, group_trial in enumerate(panel.group_trials):
        if not _fixed(group_trial):
            yield Line(_role(index), _dated(series, group_trial.thresholds), dashed=True)
    yield Line("evidence", _dated(series, panel.group_trials[0].evidence), relative=True)
    distinct: dict[int, Floats] = {}
    for index, group_trial in enumerate(panel.group_trials):
        same = any(np.array_equal(group_trial.values, values, equal_nan=True) for values in distinct.values())
        if group_trial.line is not None and not same:
            distinct[index] = group_trial.values
    yield from (Line(_role(index), _dated(series, values)) for index, values in reversed(distinct.items()))


def _fixed(group_trial: GroupTrial) -> list[float]:
    """Returns the thresholds if all of them are fixed; else they are drawn where their baseline was known."""
    rule = group_trial.trial.subject.rule
    limits = [level.limit for level in rule.levels_ if isinstance(level.limit, float)]
    return limits if isinstance(rule, Thresholded) and len(limits) == len(rule.levels_) else []


def _dated(series: RuleSeries | None, values: Floats) -> list[tuple[Instant, float | None]]:
    return [] if series is None else [(series.at(i), float(value)) for i, value in enumerate(values)]


def _spans(panel: GroupPanel, span: EvaluationSpan, unit: Unit) -> Iterator[Span]:
    """Yields the alerts: the original rule's alerts shade the plot; if there are variants, each trial also has a band above the time axis."""
    count = len(panel.group_trials)
    for index, group_trial in enumerate(panel.group_trials):
        for episode in group_trial.alerts:
            start, end = episode.firing_at or episode.pending_at, episode.resolved_at or span.until
            title = _tooltip(episode, unit)
            if index == 0:
                yield Span("pending", episode.pending_at, start, title)
                yield Span(tone(episode.severity, "firing"), start, end, title)
            if count > 1:
                yield Span(_role(index), start, end, title, band=count - index)


def _tooltip(episode: Episode, unit: Unit) -> str:
    if is_report(episode.group):
        return f"{episode.severity} report {age(episode.firing_at)}"
    ended = f"resolved {age(episode.resolved_at)}" if episode.resolved_at is not None else "still firing at the end"
    return f"{episode.severity}: fired {age(episode.firing_at)}, {ended}, peak {amount(episode.peak, unit)}"


def _wrapped(words: str, width: int = _NAME_CHARACTERS) -> list[str]:
    lines = [""]
    for word in words.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines[:5]]


def _role(index: int) -> Role:
    return _ROLES[index % len(_ROLES)]


def _text(x: float, y: float, words: str, *, size: float = 12, strong: bool = False, quiet: bool = False) -> str:
    return paint(iter([TextMark("label" if quiet else "text", x, y, words, size, strong=strong)]))
