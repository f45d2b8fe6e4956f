"""What is printed: tables for people, JSON for programs.

On a terminal tables are rich's: coloured (unless NO_COLOR is set) and fitted to its width. Elsewhere they are plain columns in full
length, so that grep and awk can read them.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

Row = Sequence[str]


def print_json(data: Any) -> None:
    """``data`` as indented JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(columns: Row, rows: Sequence[Row], style: Callable[[Row], str] = lambda row: "") -> None:
    """A table with a head; ``style`` gives a row's colour in rich's words."""
    if sys.stdout.isatty():
        _print_rich(columns, rows, style)
    else:
        _print_plain(columns, rows)


def _print_plain(columns: Row, rows: Sequence[Row]) -> None:
    table = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(columns))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _print_rich(columns: Row, rows: Sequence[Row], style: Callable[[Row], str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row), style=style(row) or None)
    Console(highlight=False).print(table)


def coloured(text: str, colour: str) -> str:
    """``text`` in a colour where standard output is a terminal that is to have colours."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return click.style(text, fg=colour) if wanted else text
