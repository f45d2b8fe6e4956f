"""Writes all output to the terminal: commands print with `say`, `say_lines`, `print_json` and `print_table` (ruff forbids click.echo).

They clean what they print (`monitor.runtime.printable`), so no comment, name or error can control the terminal. `say` prints one line, wrapped at
words on a terminal; parts of it may have a colour: ``say(shaded("ok", "green"), "  outbound")``. If standard output cannot be written (a full
disk, closed), they raise OutputError; if its reader has closed it (``| head``), the command ends quietly.
"""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import click

from monitor.runtime import printable
from monitor.runtime.dataclass import dataclass
from monitor.runtime.environment_values import named
from monitor.runtime.errors import MonitorError
from monitor.runtime.terminal_width import cells, wrapped

NAMED: Final = "monitor.cli.named"
"""The key in click's context of whether a command shows variables by their names."""
_NO_COLOURS: Final = ("dumb", "unknown")
"""Values of TERM for terminals without colours."""
NARROWEST: Final = 20


class OutputError(MonitorError, OSError):
    """The output of a command cannot be written."""

    exit_code = 74  # EX_IOERR


@dataclass(frozen=True, slots=True)
class Shaded:
    """Text with a colour, named as click names it; None or empty for no colour."""

    text: str
    colour: str | None
    bold: bool = False


def shaded(text: str, colour: str | None, *, bold: bool = False) -> Shaded:
    """Returns a part of a line with a colour, for a standard output that is a terminal with colours."""
    return Shaded(text, colour, bold)


def say(*pieces: str | Shaded, err: bool = False, indent: int = 0) -> None:
    """Prints one line. On a terminal it is wrapped at words, and further rows are indented ``indent`` columns more than the first."""
    parts = [piece if isinstance(piece, Shaded) else Shaded(piece, None) for piece in pieces]
    parts = [Shaded(printable.line(with_names(part.text, err)), part.colour, part.bold) for part in parts]
    whole = "".join(part.text for part in parts)
    width = _width(sys.stderr if err else sys.stdout)
    if width and cells(whole) > width and not any(part.colour for part in parts[1:]):
        hang = " " * min(len(whole) - len(whole.lstrip(" ")) + indent, width // 2)
        rows = wrapped(whole, width, hang, cut=False)
        head = parts[0].text
        if len(parts) > 1 and rows[0].startswith(head):
            rows[0] = _painted(parts[0], err) + rows[0][len(head) :]
        elif len(parts) == 1:
            rows = [_painted(Shaded(row, parts[0].colour, parts[0].bold), err) for row in rows]
        _echo("\n".join(rows), err)
    else:
        _echo("".join(_painted(part, err) for part in parts), err)


def with_names(text: str, err: bool) -> str:
    """Returns ``text`` with the names of variables in place of their values.

    It applies to standard error, and to the output of commands that show what users wrote (`name_variables`). Data may contain such a value for
    another reason.
    """
    context = click.get_current_context(silent=True)
    return named(text) if err or (context is not None and context.meta.get(NAMED)) else text


def name_variables() -> None:
    """Makes this command show variables by their names in its output too, because it shows what users wrote."""
    click.get_current_context().meta[NAMED] = True


def say_lines(text: str, *, err: bool = False, newline: bool = True) -> None:
    """Prints text of several lines unwrapped: files, programs, drawings."""
    _echo(printable.lines(with_names(text, err)), err, newline=newline)


def rows_taken(text: str) -> int:
    """Returns how many rows of the terminal `say` takes for one line of text."""
    whole, width = printable.line(with_names(text, err=False)), width_of_output()
    if not width or cells(whole) <= width:
        return 1
    return sum(max(-(-cells(row) // width), 1) for row in wrapped(whole, width, cut=False))


def say_paragraphs(text: str, *, err: bool = False) -> None:
    """Prints text of several lines, each as `say` prints it."""
    for line in text.splitlines():
        say(line, err=err)


def put_row(text: str) -> None:
    """Prints a row of a table, which is already clean and may contain colours."""
    _echo(text, err=False)


def painted(text: str, colour: str | None, *, bold: bool = False) -> str:
    """Returns clean text with the codes of a colour around it, if standard output shows colours."""
    return _painted(Shaded(text, colour, bold), err=False)


def _painted(part: Shaded, err: bool) -> str:
    if not (part.colour or part.bold) or not shows_colours(sys.stderr if err else sys.stdout):
        return part.text
    return click.style(part.text, fg=part.colour or None, bold=part.bold or None)


def _echo(text: str, err: bool, *, newline: bool = True) -> None:
    click.echo(text, err=err, nl=newline, color=shows_colours(sys.stderr if err else sys.stdout))  # noqa: TID251 - the one place


def shows_colours(stream: TextIO) -> bool:
    """Returns whether a stream is a terminal with colours, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in _NO_COLOURS


def _width(stream: TextIO) -> int:
    """Returns the columns of a terminal, at least NARROWEST; 0 if ``stream`` is no terminal, where nothing is wrapped."""
    return max(shutil.get_terminal_size().columns, NARROWEST) if stream.isatty() else 0


def width_of_output() -> int:
    """Returns the columns of standard output, 0 if it is no terminal."""
    return _width(sys.stdout)


def height_of_output() -> int:
    """Returns the rows of standard output, 0 if it is no terminal."""
    return shutil.get_terminal_size().lines if sys.stdout.isatty() else 0


def clear() -> None:
    """Clears the terminal, if standard output is one."""
    if sys.stdout.isatty():
        click.clear()


class _Output(io.TextIOWrapper):
    """Standard output that raises OutputError if it cannot be written. A reader that has closed it still raises BrokenPipeError."""

    def write(self, text: str) -> int:
        with _unwritable():
            return super().write(text)

    def flush(self) -> None:
        with _unwritable():
            super().flush()


class _Errors(io.TextIOWrapper):
    """Standard error that ignores failures to write, because they cannot be reported, so that the command still does its work."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            return


@contextmanager
def _unwritable() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = "it is closed" if error.errno == 9 else error.strerror
        raise OutputError(f"Standard output cannot be written: {why}") from error


def open_streams() -> None:
    """Replaces standard output and error, also if the caller closed them.

    A closed one becomes the null device, open for reading: no file of ours gets its number, and writing to it fails.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number, which is that of the closed stream
    sys.stdout = _Output(open(1, "wb", closefd=False), errors="replace", line_buffering=os.isatty(1))  # noqa: SIM115 - it stays open until the process ends
    sys.stderr = _Errors(open(2, "wb", closefd=False), errors="replace", line_buffering=True)  # noqa: SIM115 - it stays open until the process ends


def drop_output() -> None:
    """Discards further output, also at exit, because its reader has closed it or it cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
