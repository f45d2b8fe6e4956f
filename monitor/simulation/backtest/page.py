"""Renders a backtest as one self-contained HTML file: totals, a chart of each rule, and its alerts."""

from collections.abc import Iterator
from html import escape
from typing import Final

from monitor.alerts.kinds import condition
from monitor.model.alert import is_report
from monitor.model.format import amount, duration, number
from monitor.model.plurals import plural
from monitor.notify.render.chart_svg import STYLE as CHART_STYLE
from monitor.runtime.clock import iso
from monitor.simulation.backtest.chart import WIDTH, rule_chart_figure
from monitor.simulation.backtest.export import RuleChart, rule_charts
from monitor.simulation.backtest.report import Totals, age, notification_words
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.backtest.unknown_values import is_evaluated
from monitor.simulation.replay import Episode

MOST_ALERTS: Final = 200
"""The most alerts of a rule that are listed."""

_OF_BOTH: Final = ("severity", "peak", "group", "at its end")
"""The columns that alerts and reports have in common."""

_STYLE: Final = f"""
body {{ font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: #1f2328; background: #f6f8fa;
  max-width: {WIDTH}px; margin: 24px auto; padding: 0 16px; }}
h1 {{ font-size: 22px; margin-bottom: 4px; }}
p {{ color: #656d76; margin: 4px 0; }}
section {{ background: #fff; border: 1px solid #d1d9e0; border-radius: 8px; margin: 18px 0; padding: 12px 0; overflow-x: auto; }}
svg {{ display: block; max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; margin: 8px 16px; }}
th, td {{ text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #e4e8ec; vertical-align: top; }}
th {{ font-weight: 600; color: #656d76; }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
summary {{ margin: 0 16px; cursor: pointer; color: #0969da; }}
.error {{ color: #cf222e; margin: 0 16px; }}
{CHART_STYLE}"""


def page(found: Backtest, note: str = "") -> str:
    """Returns the text of the file; ``note`` is a sentence that says how it was made."""
    span = found.span
    title = f"Backtest {iso(span.since)[:16]} to {iso(span.until)[:16]} UTC"
    said = f"{number(found.messages)} reports, evaluated every {duration(span.step)}. Dashed: thresholds. Shaded: alerts, lighter while pending."
    sections = "".join(_section(rule_chart, found) for rule_chart in rule_charts(found))
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(said)}</p><p>{escape(note)}</p><p>{escape(notification_words(found))}</p>{_totals(found)}{sections}</body></html>\n"
    )


def _totals(found: Backtest) -> str:
    heads = ("rule", "fires", "alerts", "a week", "notifications", "firing", "longest", "only pending")
    return f"<section>{_table(heads, [_total(trial, found) for trial in found.trials], numbers=2)}</section>"


def _total(trial: Trial, found: Backtest) -> list[str]:
    totals = Totals.of(trial, found)
    if not is_evaluated(trial.subject.rule):
        return [trial.subject.rule.name, condition(trial.subject.rule), "–", "–", "–", "", "", "–"]
    return [
        trial.subject.rule.name,
        condition(trial.subject.rule),
        number(totals.alerts) if trial.is_known else "no data",
        "–" if totals.a_week is None else number(totals.a_week),
        "–" if trial.notifications is None else number(trial.notifications),
        duration(totals.firing),
        duration(totals.longest),
        number(trial.dropped),
    ]


def _section(rule_chart: RuleChart, found: Backtest) -> str:
    return f"<section>{rule_chart_figure(rule_chart, found)}{''.join(_alerts(rule_chart, found))}</section>"


def _alerts(rule_chart: RuleChart, found: Backtest) -> Iterator[str]:
    for trial in rule_chart.trials:
        yield from (f"<p class='error'>{escape(error)}</p>" for error in trial.errors)
        reports = [episode for episode in trial.alerts if is_report(episode.group)]
        alerts = [episode for episode in trial.alerts if not is_report(episode.group)]
        yield from _listed("alert", ("fired (UTC)", "resolved", "for", *_OF_BOTH), alerts, trial, found)
        yield from _listed("report", ("reported (UTC)", *_OF_BOTH), reports, trial, found)


def _listed(what: str, heads: tuple[str, ...], episodes: list[Episode], trial: Trial, found: Backtest) -> Iterator[str]:
    if not episodes:
        return
    rows = [_row(episode, trial, found) for episode in episodes[:MOST_ALERTS]]
    said = f"{plural(len(episodes), what)}{f' with {trial.subject.variant}' if trial.subject.variant else ''}"
    said += f", the first {MOST_ALERTS} of them" if len(episodes) > MOST_ALERTS else ""
    yield f"<details><summary>{escape(said)}</summary>{_table(heads, rows, numbers=99)}</details>"


def _row(episode: Episode, trial: Trial, found: Backtest) -> list[str]:
    """Returns the row of an alert or a report; a report has no end."""
    end = episode.resolved_at or found.span.until
    lasted = [age(episode.resolved_at), duration(end - (episode.firing_at or end))]
    return [
        age(episode.firing_at),
        *([] if is_report(episode.group) else lasted),
        " → ".join(severity for _, severity in episode.severities),
        amount(episode.peak, trial.unit(episode.group)),
        ", ".join(found.labels(episode.account, episode.group).values()),
        episode.why,
    ]


def _table(heads: tuple[str, ...], rows: list[list[str]], numbers: int) -> str:
    """Returns a table; the columns from ``numbers`` on are aligned to the right."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if at >= numbers else ''}>{escape(cell)}</td>" for at, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
