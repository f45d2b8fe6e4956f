"""Renders a report as text of at most 80 columns, for terminals and for channels that show text."""

from collections.abc import Iterator
from typing import Final

from monitor.alerts.report.model import DeliveryReport
from monitor.model.format import number, sparkline
from monitor.notify.render.report.words import ReportTable, figures, quiet_rules, tables, title
from monitor.notify.render.sanitize import clean
from monitor.runtime.terminal_width import cells, clipped, padded, wrapped

WIDTH: Final = 80
_MOST_ROWS: Final = 15
_MOST_NEVER: Final = 30
_GAP: Final = "  "


def text(report: DeliveryReport, most: int = _MOST_ROWS) -> str:
    """Returns the report with at most ``most`` rows of each table."""
    return "\n".join(_lines(report, most)) + "\n"


def _lines(report: DeliveryReport, most: int) -> Iterator[str]:
    yield title(report)
    yield ""
    shown = figures(report)
    width = max(cells(f"{one.value} {one.name}") for one in shown)
    for one in shown:
        yield from wrapped(
            f"  {padded(f'{one.value} {one.name}', width)}  {one.note}".rstrip(), WIDTH, " " * (width + 4)
        )
    failures = [float(final - good) for final, good in zip(report.course.final, report.course.delivered, strict=True)]
    if any(failures):
        yield f"  failures over time {sparkline(failures, 56)}"
    for note in report.notes:
        yield from wrapped(f"! {clean(note, 400)}", WIDTH, "  ")
    for table in tables(report):
        yield ""
        yield from _table(table, most)
        if table.key == "receivers":
            yield from _errors(report)
    for heading, count, names in quiet_rules(report, _MOST_NEVER):
        yield ""
        yield f"{heading.upper()} ({number(count)})"
        yield from wrapped(names, WIDTH)


def _table(table: ReportTable, most: int) -> Iterator[str]:
    """Yields the head and the rows; the first column takes what is left of the width."""
    rows = table.rows[:most]
    widths = [max(cells(row[column]) for row in (table.heads, *rows)) for column in range(1, len(table.heads))]
    room = WIDTH - sum(width + len(_GAP) for width in widths)
    first = min(max(cells(row[0]) for row in (table.heads, *rows)), room)
    for row in (table.heads, *rows):
        name = row[0] if cells(row[0]) <= first else clipped(row[0], first - 1)[0] + "…"
        values = (" " * (width - cells(cell)) + cell for cell, width in zip(row[1:], widths, strict=True))
        yield _GAP.join([padded(name, first), *values]).rstrip()
    others = len(table.rows) - len(rows) + table.more
    if others:
        yield f"and {number(others)} more"
    if table.note:
        yield from wrapped(table.note, WIDTH)


def _errors(report: DeliveryReport) -> Iterator[str]:
    for one in report.failing_receivers:
        if one.error:
            yield from wrapped(f"  {clean(one.receiver, 40)} {one.channel}: {clean(one.error, 300)}", WIDTH, "    ")
