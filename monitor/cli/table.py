"""Tables for people, JSON for programs.

On a terminal a table fits its width: long cells are wrapped at words, then columns that have a `Column.drop` are left out (a line
says which), and finally the last column goes on lines of its own. It also does so if it would take too many lines beside the
others; then the columns left out for its sake have room again. A word is not broken if the terminal has room for it: a cell
with a word that is too long for its column (an id) also goes on lines of its own, the first column's above its row, others below it.
``--wide`` (`options.wide_option`, for every command that prints a table) shows all columns unwrapped. Output to a pipe or file has plain,
full-length columns, so that grep and awk can read them. `output` decides about colours.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from monitor.cli.output import painted, put_row, rows_taken, say, say_lines, width_of_output, with_names
from monitor.runtime import printable
from monitor.runtime.dataclass import dataclass
from monitor.runtime.terminal_width import cells, padded, wrapped

Row = Sequence[str]
WIDE: Final = "monitor.cli.wide"
"""The key in click's context of ``--wide``."""

_GAP: Final = "  "
_LAST: Final = 24
"""If the last column has less room than this, the table leaves out columns, or puts the last one on lines of its own."""
_MOST_BESIDE: Final = 3
"""If a cell of the last column would take more lines than this beside the others, that column goes on lines of its own."""
_LONGEST_WORD: Final = 22
"""A column is not made narrower than its longest word, unless that word is longer than this."""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column, and what may happen to it if space is short.

    Columns are left out: the one with the highest ``drop`` first, those with 0 never. One that is ``whole`` is not wrapped
    while others give way: a time reads badly on three lines.
    """

    head: str
    drop: int = 0
    whole: bool = False


Head = str | Column
Shown = tuple[list[str], Row | None, str]
"""Lines, the row that they show (None: the head), or a note without lines."""


def print_json(data: Any, indent: int | None = 2) -> None:
    """Prints ``data`` as indented JSON, or (``indent`` None) as one line. Characters that control a terminal are escaped, as JSON allows."""
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    say_lines(
        printable.UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)
    )


def print_table(
    columns: Sequence[Head],
    rows: Sequence[Row],
    colour: Callable[[Row], str | None] = lambda row: None,
    height: int = 0,
) -> None:
    """Prints a table with a head. ``colour`` returns a row's colour as click names it, None or empty for none.

    If not everything fits into ``height`` lines (0 for no limit), the last rows are left out, and a line says how many.
    """
    found = list(shown(columns, rows, width_of_table()))
    for lines, row, note in _fitting(found, height) if height else found:
        if note:
            say(note)
            continue
        shade = None if row is None else colour(row)
        for line in lines:
            put_row(painted(line, shade, bold=row is None))


_MORE: Final = "{} more of {}, less urgent: --all shows them"


def _fitting(found: list[Shown], height: int) -> list[Shown]:
    """Returns the first lines that fit, with a note of how many rows do not."""
    notes = sum(rows_taken(note) for _, _, note in found if note)
    rows = sum(1 for _, row, _ in found if row is not None)
    used, kept, room = 0, 0, height - notes - rows_taken(_MORE.format(rows, rows))
    total = sum(len(lines) for lines, _, _ in found) + notes
    for lines, _, _ in found:
        used += len(lines)
        if total > height and used > room and kept > 1:
            break
        kept += 1
    left = sum(1 for _, row, _ in found[kept:] if row is not None)
    more: list[Shown] = [([], None, _MORE.format(left, rows))] if left else []
    return [*found[:kept], *more, *(one for one in found[kept:] if one[2])]


def width_of_table() -> int:
    """Returns the columns that a table may take; 0 for no limit."""
    return 0 if is_wide() else width_of_output()


def is_wide() -> bool:
    """Returns whether ``--wide`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(WIDE))


def shown(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> Iterator[Shown]:
    """Yields the lines of the head (without a row), those of each row with the row, and, if columns were left out, a note that says which."""
    heads = [one if isinstance(one, Column) else Column(one) for one in columns]
    cleaned = [[printable.line(with_names(cell, err=False)) for cell in row] for row in rows]
    table = [[printable.line(one.head) for one in heads], *cleaned]
    layout = _layout(heads, table, width, is_last_below=False)
    if width:
        below = _layout(heads, table, width, is_last_below=True)
        if _is_crowded(table, layout, width) or layout.moved > below.moved:
            layout = below
    for number, row in enumerate(table):
        lines = _lines([row[column] for column in layout.visible], layout, width, is_head=number == 0)
        yield lines, None if number == 0 else rows[number - 1], ""
    if dropped := [one.head for column, one in enumerate(heads) if column not in layout.visible]:
        yield [], None, f"Not shown for lack of space: {', '.join(dropped)} (--wide shows all)"


@dataclass(frozen=True, slots=True)
class _TableLayout:
    """The columns that are shown, the widths of all of them but the last, and whether the whole last column goes below its rows."""

    visible: Sequence[int]
    widths: Sequence[int]
    is_last_below: bool

    @property
    def moved(self) -> int:
        """How many columns have no room in their row at all, so that their cells go on lines of their own."""
        return sum(1 for size in self.widths if not size)


def _layout(heads: Sequence[Column], table: list[list[str]], width: int, *, is_last_below: bool) -> _TableLayout:
    """Returns the layout with as many columns as fit into ``width``."""
    visible = list(range(len(heads)))
    while width and _least(heads, table, visible, is_last_below) > width:
        least = _first_to_drop(heads, visible)
        if least is None:
            break
        visible.remove(least)
    widths = _widths(heads, table, visible, width, is_last_below)
    full = [row[visible[-1]] for row in table[1:] if row[visible[-1]]]
    below = is_last_below or (bool(width and full) and not any(_beside(cell, _room(widths, width)) for cell in full))
    return _TableLayout(visible, widths, below)


def _is_crowded(table: list[list[str]], layout: _TableLayout, width: int) -> bool:
    """Returns whether the last column is so narrow that one of its cells takes too many lines, and more than it takes below."""
    room, last = _room(layout.widths, width), layout.visible[-1]
    cells_of_last = [row[last] for row in table[1:]] if len(layout.visible) > 1 else []
    most = max((len(_beside(cell, room)) for cell in cells_of_last), default=0)
    return most > _MOST_BESIDE and most > max(len(_indented([cell], width)) for cell in cells_of_last) + 1


def table_lines(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> list[str]:
    """Returns the head and each row as text, with several lines for a wrapped row; ``width`` 0 means no limit."""
    return [note or "\n".join(lines) for lines, _, note in shown(columns, rows, width)]


def _first_to_drop(heads: Sequence[Column], visible: Sequence[int]) -> int | None:
    ranked = [column for column in visible if heads[column].drop]
    return max(ranked, key=lambda column: heads[column].drop, default=None)


def _full(table: list[list[str]], column: int) -> int:
    return max(cells(row[column]) for row in table)


def _word(text: str) -> int:
    """Returns the width of the longest word in columns."""
    return max(map(cells, text.split()), default=0)


def _narrow(heads: Sequence[Column], table: list[list[str]], column: int) -> int:
    """Returns the smallest width of a column by wrapping: that of its longest word, up to a limit."""
    if heads[column].whole:
        return _full(table, column)
    longest = max(_word(row[column]) for row in table)
    return min(longest, max(_LONGEST_WORD, cells(table[0][column])))


def _least(heads: Sequence[Column], table: list[list[str]], visible: Sequence[int], is_last_below: bool) -> int:
    """Returns the smallest width of the whole table."""
    *firsts, last = visible
    return _narrowest(heads, table, firsts) + (0 if is_last_below else _least_last(table, last))


def _narrowest(heads: Sequence[Column], table: list[list[str]], firsts: Sequence[int]) -> int:
    return sum(_narrow(heads, table, column) + len(_GAP) for column in firsts)


def _least_last(table: list[list[str]], last: int) -> int:
    """Returns the width that the last column needs beside the others; 0 if it has long words, because then it goes below."""
    return 0 if max(_word(row[last]) for row in table) > _LAST else min(_full(table, last), _LAST)


def _widths(
    heads: Sequence[Column], table: list[list[str]], visible: Sequence[int], width: int, is_last_below: bool
) -> list[int]:
    """Returns the widths of all columns but the last, narrowing the widest first if space is short.

    A column is as wide as those of its cells that fit into their row; 0 if none does.
    """
    *firsts, last = visible
    widths = [_full(table, column) for column in firsts]
    if not width:
        return widths
    gaps = len(_GAP) * len(firsts)
    beside = 0 if is_last_below else min(_full(table, last), max(_LAST, *(_word(row[last]) for row in table)))
    if not is_last_below and _narrowest(heads, table, firsts) + beside > width:
        beside = _least_last(table, last)
    _narrow_down(widths, [_narrow(heads, table, column) for column in firsts], width - gaps - beside)
    _narrow_down(widths, [1] * len(firsts), width - gaps)
    return [_kept(table, column, size) for column, size in zip(firsts, widths, strict=True)]


def _kept(table: list[list[str]], column: int, size: int) -> int:
    staying = [row[column] for row in table[1:] if row[column] and _word(row[column]) <= size]
    if not staying and any(row[column] for row in table[1:]):
        return 0
    return min(size, max(map(cells, [table[0][column], *staying])))


def _narrow_down(widths: list[int], narrowest: Sequence[int], room: int) -> None:
    """Narrows the widest columns until ``room`` is enough or none can be narrower."""
    while sum(widths) > room:
        spare = [number for number, size in enumerate(widths) if size > narrowest[number]]
        if not spare:
            return
        widths[max(spare, key=lambda number: widths[number])] -= 1


def _lines(row: list[str], layout: _TableLayout, width: int, *, is_head: bool) -> list[str]:
    """Returns the lines of a row: cells that moved above it, its columns, and cells that moved below it."""
    *firsts, last = row
    widths = layout.widths
    if not width:
        return [_GAP.join([*map(padded, firsts, widths), last]).rstrip()]
    columns, moved = [], []
    for cell, size in zip(firsts, widths, strict=True):
        stays = is_head or _word(cell) <= size
        columns.append(wrapped(cell, size) if size and stays else [""])
        moved.append("" if stays else cell)
    ends = [] if layout.is_last_below else _beside(last, _room(widths, width))
    below = [cell for cell in [*moved[1:], "" if ends or is_head else last] if cell]
    above = wrapped(moved[0], width) if moved and moved[0] else []
    shown_columns = [(lines, size) for lines, size in zip(columns, widths, strict=True) if size]
    height = max(map(len, [ends, *(lines for lines, _ in shown_columns)]))
    body = [
        "".join(padded(lines[number] if number < len(lines) else "", size) + _GAP for lines, size in shown_columns)
        + (ends[number] if number < len(ends) else "")
        for number in range(height)
    ]
    return [*above, *(line.rstrip() for line in body if line.strip()), *_indented(below, width)]


def _indented(below: list[str], width: int) -> list[str]:
    return [line for cell in below for line in wrapped("    " + cell, width, "    ")]


def _room(widths: Sequence[int], width: int) -> int:
    """Returns the width that remains for the last column."""
    return width - sum(size + len(_GAP) for size in widths if size)


def _beside(last: str, room: int) -> list[str]:
    """Returns the lines of the last column within ``room``; none if it goes below the row."""
    if cells(last) <= room:
        return [last]
    return wrapped(last, room) if room >= max(_LAST, _word(last)) else []
