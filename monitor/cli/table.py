"""Tables for people, JSON for programs.

On a terminal a table fits its width: long cells are wrapped at words, then columns that have a `Column.drop` are left out (a line
says which), and at last the last column goes on lines of its own. ``--wide`` (`options.wide_option`, for every command that prints a table)
shows all columns unwrapped. Elsewhere columns are plain and in full length, so that grep and awk can read them. Colours as in `output`.
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
    """A column's head. Where there is no room columns are left out: the one with the highest ``drop`` first, 0 never."""

    head: str
    drop: int = 0


Head = str | Column
Shown = tuple[list[str], Row | None, str]
"""Lines, the row that they show (None: the head), or a note without lines."""


def print_json(data: Any, indent: int | None = 2) -> None:
    """``data`` as indented JSON, or (None) as one line. What would steer a terminal is escaped, as JSON allows for any character."""
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
    """A table with a head. ``colour`` gives a row's colour in click's words, None or empty for none. Of what does not fit into ``height``
    lines (0: without limit) the last rows are left out, and a line says how many.
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
    """The first of them that fit, with a note of how many rows do not."""
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
    more: list[Shown] = [([], None, f"{left} more of {rows}, less urgent")] if left else []
    return [*found[:kept], *more, *(one for one in found[kept:] if one[2])]


def width_of_table() -> int:
    """The columns that a table may take; 0: without limit."""
    context = click.get_current_context(silent=True)
    return 0 if context is not None and context.meta.get(WIDE) else width_of_output()


def shown(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> Iterator[Shown]:
    """The lines of the head (no row), those of each row with the row, and, where columns were left out, a note that says which."""
    heads = [one if isinstance(one, Column) else Column(one) for one in columns]
    cleaned = [[printable.line(with_names(cell, err=False)) for cell in row] for row in rows]
    table = [[printable.line(one.head) for one in heads], *cleaned]
    places = list(range(len(heads)))
    while width and _least(table, places) > width and (least := _least_telling(heads, places)) is not None:
        places.remove(least)
    widths = _widths(table, places, width)
    for number, row in enumerate(table):
        yield _lines([row[place] for place in places], widths, width), None if number == 0 else rows[number - 1], ""
    if dropped := [one.head for place, one in enumerate(heads) if place not in places]:
        yield [], None, f"Not shown for lack of space: {', '.join(dropped)} (--wide shows all)"


def table_lines(columns: Sequence[Head], rows: Sequence[Row], width: int = 0) -> list[str]:
    """The head and each row as text, a row of several lines where it is wrapped; ``width`` 0: without limit."""
    return [note or "\n".join(lines) for lines, _, note in shown(columns, rows, width)]


def _least_telling(heads: Sequence[Column], places: Sequence[int]) -> int | None:
    ranked = [place for place in places if heads[place].drop]
    return max(ranked, key=lambda place: heads[place].drop, default=None)


def _full(table: list[list[str]], place: int) -> int:
    return max(cells(row[place]) for row in table)


def _narrow(table: list[list[str]], place: int) -> int:
    """How narrow the column may get by wrapping: as wide as its longest word, if that is of a sensible length."""
    longest = max((cells(word) for row in table for word in row[place].split()), default=0)
    return min(longest, max(_LONGEST_WORD, cells(table[0][place])))


def _least(table: list[list[str]], places: Sequence[int]) -> int:
    """The narrowest that the whole table gets."""
    *firsts, last = places
    return sum(_narrow(table, place) + len(_GAP) for place in firsts) + min(_full(table, last), _LAST)


def _widths(table: list[list[str]], places: Sequence[int], width: int) -> list[int]:
    """Of all columns but the last: as wide as they are, and where that is too wide the widest are narrowed first, at last by cutting words."""
    *firsts, last = places
    widths = [_full(table, place) for place in firsts]
    narrowest = [_narrow(table, place) for place in firsts]
    gaps = len(_GAP) * len(firsts)
    if width:
        _narrow_down(widths, narrowest, width - gaps - min(_full(table, last), _LAST))
        _narrow_down(widths, [1] * len(firsts), width - gaps)
    return widths


def _narrow_down(widths: list[int], narrowest: Sequence[int], room: int) -> None:
    """Take columns from the widest, as long as there are more than ``room`` and one can be narrower."""
    while sum(widths) > room:
        spare = [number for number, size in enumerate(widths) if size > narrowest[number]]
        if not spare:
            return
        widths[max(spare, key=lambda number: widths[number])] -= 1


def _lines(row: list[str], widths: list[int], width: int) -> list[str]:
    *firsts, last = row
    indent = sum(size + len(_GAP) for size in widths)
    room = width - indent
    if not width or indent + cells(last) <= width:
        ends = [last]
    elif room >= min(_LAST, cells(last)):
        ends = wrapped(last, room)
    else:
        ends = []
    columns = [wrapped(cell, size) if size else [""] for cell, size in zip(firsts, widths, strict=True)]
    columns.append(ends)
    height = max(map(len, columns))
    filled = [[*lines, *[""] * (height - len(lines))] for lines in columns]
    lines = [_GAP.join([*map(padded, parts[:-1], widths), parts[-1]]).rstrip() for parts in zip(*filled, strict=True)]
    return lines if ends else lines + wrapped("    " + last, width, "    ")
