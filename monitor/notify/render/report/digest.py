"""Makes the short form of a report that receivers get."""

from typing import Final

from monitor.alerts.report.model import DeliveryReport
from monitor.model.notification import Digest
from monitor.notify.render.report.document import document
from monitor.notify.render.report.text import text
from monitor.notify.render.report.words import ReportTable, figures, summary, tables, title
from monitor.notify.render.sanitize import clean

_MOST_ROWS: Final = 5
_SHOWN: Final = {"countries": ("DELIVERED", "CHANGE", "FAILED"), "incidents": ("LASTED", "LOST", "SPENT")}
"""The tables of the short form, and which of their columns."""


def digest_of(report: DeliveryReport, link: str = "") -> Digest:
    """Returns the digest; ``link`` is the address of the status page, if there is one."""
    return Digest(
        title=title(report),
        summary=summary(report),
        figures=tuple(
            f"{one.value} {one.name}" + (f": {clean(one.note, 200)}" if one.note else "") for one in figures(report)
        ),
        lists=tuple(
            (table.title, tuple(_line(table, row) for row in table.rows[:_MOST_ROWS]))
            for table in tables(report)
            if table.key in _SHOWN
        ),
        notes=tuple(clean(note, 400) for note in report.notes),
        text=text(report, 10),
        document=document(report),
        link=link,
    )


def _line(table: ReportTable, row: tuple[str, ...]) -> str:
    """Returns ``GR: 92.6% delivered, -0.2 change, 5,286 failed``."""
    cells = dict(zip(table.heads, row, strict=True))
    said = ", ".join(f"{cells[head]} {head.lower()}" for head in _SHOWN[table.key])
    return f"{row[0]}: {said}"
