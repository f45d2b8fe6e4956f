"""What is printed: tables for people, JSON for programs.

On a terminal a table is coloured (unless NO_COLOR is set) and its last column, which holds the longest text, is wrapped to the
terminal's width. Elsewhere the columns are plain and in full length, so that grep and awk can read them.
"""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

Row = Sequence[str]

_GAP: Final = "  "
_NARROWEST: Final = 30
"""With less room for its last column a table puts that on lines of its own."""


def print_json(data: Any) -> None:
    """``data`` as indented JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(columns: Row, rows: Sequence[Row], colour: Callable[[Row], str | None] = lambda row: None) -> None:
    """A table with a head. ``colour`` gives a row's colour in click's words, None for none."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 0
    coloured = terminal and not os.environ.get("NO_COLOR")
    for number, line in enumerate(table_lines(columns, rows, width)):
        shade = colour(rows[number - 1]) if number and coloured else None
        click.echo(click.style(line, fg=shade, bold=number == 0 or None) if coloured else line, color=coloured or None)


def table_lines(columns: Row, rows: Sequence[Row], width: int = 0) -> list[str]:
    """The head and each row as text, a row of several lines where its last column is wrapped; ``width`` 0: without limit."""
    table = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(columns) - 1)]
    return [_line(row, widths, width) for row in table]


def _line(row: list[str], widths: list[int], width: int) -> str:
    *cells, last = row
    start = _GAP.join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
    indent = len(start) + len(_GAP) if start else 0
    whole = f"{start}{_GAP}{last}".rstrip() if start else last
    if not width or len(whole) <= width:
        return whole
    if width - indent >= _NARROWEST:
        return start + _GAP + textwrap.fill(last, width - indent).replace("\n", "\n" + " " * indent)
    return start.rstrip() + "\n" + textwrap.indent(textwrap.fill(last, max(width - 4, _NARROWEST)), " " * 4)
