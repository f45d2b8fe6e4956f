"""Renders a backtest as lines of text: when each group of a rule fired, and its longest alerts."""

from collections.abc import Iterator, Sequence
from typing import Final

from monitor.alerts.kinds import condition
from monitor.model.alert import is_report
from monitor.model.format import amount, duration, number
from monitor.model.plurals import plural
from monitor.runtime.clock import Instant, iso
from monitor.runtime.printable import line
from monitor.runtime.terminal_width import cells, clipped, padded
from monitor.simulation.backtest.export import GroupTrial, RuleChart, rule_charts
from monitor.simulation.backtest.report import Totals, age, notification_words
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.backtest.unknown_values import is_evaluated
from monitor.simulation.replay import Episode

MOST_ALERTS: Final = 10
"""The most alerts of a rule that are listed, the longest ones."""
_NAME: Final = 28
_QUIET, _PENDING, _FIRING = "·", "░", "█"


def lines(found: Backtest, width: int) -> Iterator[str]:
    """Yields all lines, none longer than ``width`` if possible."""
    columns = max(width - _NAME - 4, 20)
    yield f"{_NAME * ' '}  {_scale(found.span, columns)}"
    for rule_chart in rule_charts(found):
        yield ""
        yield from _rule_chart(rule_chart, found, columns)


def _rule_chart(rule_chart: RuleChart, found: Backtest, columns: int) -> Iterator[str]:
    for trial in rule_chart.trials:
        yield from _head(trial, found)
        yield from (f"  error: {error}" for error in trial.errors)
    several = len(rule_chart.trials) > 1
    shown = [panel for panel in rule_chart.panels if any(group_trial.alerts for group_trial in panel.group_trials)]
    for panel in shown:
        for group_trial in panel.group_trials:
            name = f"{panel.name} {group_trial.trial.subject.variant}".strip() if several else panel.name
            yield f"  {_cut(name)}  {_blocks(group_trial, found.span, columns)}"
    if rule_chart.more and shown:
        yield f"  and {plural(rule_chart.more, 'more group')}; --json has them all"
    for trial in rule_chart.trials:
        yield from _alerts(trial, found)


def _head(trial: Trial, found: Backtest) -> Iterator[str]:
    """Yields the totals of a trial, and what the past does not show of its rule."""
    name = f"  with {trial.subject.variant}" if trial.subject.variant else trial.subject.name
    said = f"{name} ({condition(trial.subject.rule)}): "
    if not is_evaluated(trial.subject.rule):
        yield said + trial.unknown
        return
    yield said + _totals(trial, found)
    if trial.unknown:
        yield f"  {trial.unknown}"


def _totals(trial: Trial, found: Backtest) -> str:
    totals = Totals.of(trial, found)
    if not totals.alerts:
        none = "no alerts" if trial.is_known else "never enough data to judge"
        return none + (f", {number(trial.dropped)} only pending" if trial.dropped else "")
    if all(is_report(episode.group) for episode in trial.alerts):
        return ", ".join(filter(None, (plural(totals.alerts, "report"), totals.weekly)))
    said = ", ".join(filter(None, (plural(totals.alerts, "alert"), totals.weekly)))
    said += _in_notifications(trial)
    said += f", firing for {duration(totals.firing)} in all, {duration(totals.longest)} at the longest"
    return said + (f"; {number(trial.dropped)} only pending" if trial.dropped else "")


def _in_notifications(trial: Trial) -> str:
    """Returns in how many notifications the alerts are; for a changed rule also how many there are in all."""
    if trial.notifications is None or trial.notified is None:
        return ""
    in_all = f" ({number(trial.notified.total)} of all rules)" if trial.subject.variant else ""
    return f", in {plural(trial.notifications, 'notification')}{in_all}"


def _alerts(trial: Trial, found: Backtest) -> Iterator[str]:
    until = found.span.until
    longest = sorted(trial.alerts, key=lambda one: (one.resolved_at or until) - (one.firing_at or until), reverse=True)
    chosen = sorted(longest[:MOST_ALERTS], key=lambda one: one.firing_at or 0)
    for episode in chosen:
        yield f"  {_alert(episode, trial, found)}"
    if len(longest) > MOST_ALERTS:
        yield f"  and {number(len(longest) - MOST_ALERTS)} shorter ones"


def _alert(episode: Episode, trial: Trial, found: Backtest) -> str:
    end = episode.resolved_at or found.span.until
    lasted = duration(end - (episode.firing_at or end))
    span = f"{age(episode.firing_at)} to {age(episode.resolved_at)[5:] if episode.resolved_at else 'the end'}"
    group = ", ".join(found.labels(episode.account, episode.group).values())
    if is_report(episode.group):
        span, lasted = age(episode.firing_at), "report"
    said = f"{span:<31}  {lasted:>7}  {episode.severity:<8}  peak {amount(episode.peak, trial.unit(episode.group)):<7}  {group}"
    variant = f"  [{trial.subject.variant}]" if trial.subject.variant else ""
    return said.rstrip() + variant


def _blocks(group_trial: GroupTrial, span: EvaluationSpan, columns: int) -> str:
    row = [_QUIET] * columns
    for episode in group_trial.alerts:
        start, end = episode.firing_at or episode.pending_at, episode.resolved_at or span.until
        _fill(row, _PENDING, _cell(episode.pending_at, span, columns), _cell(start, span, columns))
        _fill(row, _FIRING, _cell(start, span, columns), _cell(end, span, columns))
    return "".join(row)


def _fill(row: list[str], block: str, first: int, last: int) -> None:
    for column in range(first, last + 1):
        if row[column] != _FIRING:
            row[column] = block


def _cell(at: Instant, span: EvaluationSpan, columns: int) -> int:
    return min(max((at - span.since) * columns // max(span.length, 1), 0), columns - 1)


def _scale(span: EvaluationSpan, columns: int) -> str:
    """The times of the first and the last column, in no more columns than the bars have."""
    start, end = age(span.since), f"{age(span.until)} UTC"
    room = columns - len(start)
    return f"{start}{end:>{room}}" if room > len(end) else iso(span.since)[5:16]


def _cut(name: str) -> str:
    name = line(name)
    return padded(name if cells(name) <= _NAME - 2 else f"{clipped(name, _NAME - 3)[0]}…", _NAME - 2)


def totals_of(found: Backtest) -> Sequence[str]:
    """Returns the first lines: what was evaluated."""
    span = found.span
    return [
        f"{number(found.messages)} reports, {duration(span.length)}, evaluated every {duration(span.step)}; this took {found.seconds:.1f}s",
        *filter(None, [notification_words(found)]),
    ]
