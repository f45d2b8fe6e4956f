"""Tables for people, JSON for programs.

On a terminal a table fits its width: long cells are wrapped at words, then columns that have a `Column.drop` are left out (a line
says which), and at last the last column goes on lines of its own. A word is not broken where the terminal has room for it: a cell
with one that is too long for its column (an id) goes on lines of its own too, the first column's above its row, others below it.
``--wide`` (`options.wide_option`, for every command that prints a table) shows all columns unwrapped. Elsewhere columns are plain and
in full length, so that grep and awk can read them. Colours as in `output`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from monitor.cli.output import painted, put_row, rows_taken, say, say_lines, width_of_output, with_names
from monitor.runtime import printable
from monitor.runtime.terminal_width import cells, padded, wrapped

Row = Sequence[str]
WIDE: Final = "monitor.cli.wide"
"""Where click's context remembers ``--wide``."""

_GAP: Final = "  "
_LAST: Final = 24
"""With less room for its last column a table leaves out columns, or puts that one on lines of its own."""
_LONGEST_WORD: Final = 22
"""A column is not made narrower than its longest word, or than this."""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column. If space is short, columns are left out: the one with the highest ``drop`` first, those with 0 never."""

    head: str
    drop: int = 0


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


def _fitting(found: list[Shown], height: int) -> list[Shown]:
    """Returns the first lines that fit, with a note of how many rows do not."""
    notes = sum(rows_taken(note) for _, _, note in found if note)
    rows = sum(1 for _, row, _ in found if row is not None)
    used, kept = 0, 0
    total = sum(len(lines) for lines, _, _ in found) + notes
    for lines, _, _ in found:
        used += len(lines)
        if total > height and used > height - notes - 1 and kept > 1:
            break
        kept += 1
    left = sum(1 for _, row, _ in found[kept:] if row is not None)
    more: list[Shown] = [([], None, f"{left} more of {rows}, less urgent: --all shows them")] if left else []
    return [*found[:kept], *more, *(one for one in found[kept:] if one[2])]


def width_of_table() -> int:
    """The columns that a table may take; 0: without limit."""
    return 0 if is_wide() else width_of_output()


def is_wide() -> bool:
    """Whether ``--wide`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(WIDE))


def shown(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> Iterator[Shown]:
    """Yields the lines of the head (without a row), those of each row with the row, and, if columns were left out, a note that says which."""
    heads = [one if isinstance(one, Column) else Column(one) for one in columns]
    cleaned = [[printable.line(with_names(cell, err=False)) for cell in row] for row in rows]
    table = [[printable.line(one.head) for one in heads], *cleaned]
    places = list(range(len(heads)))
    while width and _least(table, places) > width and (least := _least_telling(heads, places)) is not None:
        places.remove(least)
    widths = _widths(table, places, width)
    last = places[-1]
    full = [row[last] for row in table[1:] if row[last]]
    below = bool(width and full) and not any(_beside(cell, _room(widths, width)) for cell in full)
    for number, row in enumerate(table):
        lines = _lines([row[place] for place in places], widths, width, is_head=number == 0, is_last_below=below)
        yield lines, None if number == 0 else rows[number - 1], ""
    if dropped := [one.head for place, one in enumerate(heads) if place not in places]:
        yield [], None, f"Not shown for lack of space: {', '.join(dropped)} (--wide shows all)"


def table_lines(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> list[str]:
    """Returns the head and each row as text, with several lines for a wrapped row; ``width`` 0 means no limit."""
    return [note or "\n".join(lines) for lines, _, note in shown(columns, rows, width)]


def _least_telling(heads: Sequence[Column], places: Sequence[int]) -> int | None:
    ranked = [place for place in places if heads[place].drop]
    return max(ranked, key=lambda place: heads[place].drop, default=None)


def _full(table: list[list[str]], place: int) -> int:
    return max(cells(row[place]) for row in table)


def _word(text: str) -> int:
    """Columns of the longest word."""
    return max(map(cells, text.split()), default=0)


def _narrow(table: list[list[str]], place: int) -> int:
    """How narrow the column may get by wrapping: as wide as its longest word, if that is of a sensible length."""
    longest = max(_word(row[place]) for row in table)
    return min(longest, max(_LONGEST_WORD, cells(table[0][place])))


def _least(table: list[list[str]], places: Sequence[int]) -> int:
    """Returns the smallest width of the whole table."""
    *firsts, last = places
    return _narrowest(table, firsts) + _least_last(table, last)


def _narrowest(table: list[list[str]], firsts: Sequence[int]) -> int:
    return sum(_narrow(table, place) + len(_GAP) for place in firsts)


def _least_last(table: list[list[str]], last: int) -> int:
    """What the last column needs beside the others: nothing where it holds long words, which stand below."""
    return 0 if max(_word(row[last]) for row in table) > _LAST else min(_full(table, last), _LAST)


def _widths(table: list[list[str]], places: Sequence[int], width: int) -> list[int]:
    """Of all columns but the last: as wide as they are, and where that is too wide the widest are narrowed first. A column is as wide as
    those of its cells that stay in their row; 0 where none does.
    """
    *firsts, last = places
    widths = [_full(table, place) for place in firsts]
    if not width:
        return widths
    gaps = len(_GAP) * len(firsts)
    beside = min(_full(table, last), max(_LAST, *(_word(row[last]) for row in table)))
    if _narrowest(table, firsts) + beside > width:
        beside = _least_last(table, last)
    _narrow_down(widths, [_narrow(table, place) for place in firsts], width - gaps - beside)
    _narrow_down(widths, [1] * len(firsts), width - gaps)
    return [_kept(table, place, size) for place, size in zip(firsts, widths, strict=True)]


def _kept(table: list[list[str]], place: int, size: int) -> int:
    staying = [row[place] for row in table[1:] if row[place] and _word(row[place]) <= size]
    if not staying and any(row[place] for row in table[1:]):
        return 0
    return min(size, max(map(cells, [table[0][place], *staying])))


def _narrow_down(widths: list[int], narrowest: Sequence[int], room: int) -> None:
    """Narrows the widest columns until ``room`` is enough or none can be narrower."""
    while sum(widths) > room:
        spare = [number for number, size in enumerate(widths) if size > narrowest[number]]
        if not spare:
            return
        widths[max(spare, key=lambda number: widths[number])] -= 1


def _lines(row: list[str], widths: list[int], width: int, *, is_head: bool, is_last_below: bool) -> list[str]:
    """A row: what stands above it, its columns, and what stands below it."""
    *firsts, last = row
    if not width:
        return [_GAP.join([*map(padded, firsts, widths), last]).rstrip()]
    columns, moved = [], []
    for cell, size in zip(firsts, widths, strict=True):
        stays = is_head or _word(cell) <= size
        columns.append(wrapped(cell, size) if size and stays else [""])
        moved.append("" if stays else cell)
    ends = [] if is_head and is_last_below else _beside(last, _room(widths, width))
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


def _room(widths: list[int], width: int) -> int:
    """What is left for the last column."""
    return width - sum(size + len(_GAP) for size in widths if size)


def _beside(last: str, room: int) -> list[str]:
    """The last column's lines in ``room``; none where it goes below."""
    if cells(last) <= room:
        return [last]
    return wrapped(last, room) if room >= max(_LAST, _word(last)) else []
