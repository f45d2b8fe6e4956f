"""Turns errors into lines on standard error and exit codes. A traceback is shown only on request."""

import io
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import click

from monitor.cli.output import OutputError, drop_output, say_lines, say_paragraphs
from monitor.runtime.errors import MonitorError

EXIT_INTERRUPTED = 130
EXIT_INTERNAL = 70
EXIT_UNAVAILABLE = 69


class CommandLine(click.Group):
    """A group of commands that ends every run with an exit code. A command's whole-number result is its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order in which they were added: the most important come first."""
        return list(self.commands)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parses the command line, which prints ``--help``; ends quietly if the reader of that output has closed it."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            drop_output()
            raise click.exceptions.Exit(0) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the chosen command; ends it if the reader of its output has closed it."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            drop_output()
            return 0
        return result

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs a command and exits."""
        sys.exit(self._outcome(args, extra | {"standalone_mode": False}))

    def _outcome(self, args: tuple[Any, ...], extra: dict[str, Any]) -> int:
        try:
            result = super().main(*args, **extra)
        except (KeyboardInterrupt, click.Abort):
            return EXIT_INTERRUPTED
        except click.ClickException as error:
            _show(error)
            return error.exit_code
        except BaseExceptionGroup as error:  # out of a nursery; KeyboardInterrupt may be among them
            return report_error(error)
        except Exception as error:  # noqa: BLE001 - the outermost place: whatever it is, a person gets one line
            return report_error(error)
        return result if isinstance(result, int) else 0


def _show(error: click.ClickException) -> None:
    """Prints click's message on standard error, wrapped at words. Cleans it, because it repeats the command line."""
    shown = io.StringIO()
    error.show(shown)
    say_paragraphs(shown.getvalue(), err=True)


def _print(line: str) -> None:
    say_paragraphs(line, err=True)


def report_error(error: BaseException, tell: Callable[[str], None] = _print) -> int:
    """Tells people of ``error`` (also a group of several), by default on standard error; returns the exit code."""
    leaves = list(_leaves(error))
    if all(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        drop_output()
        return 0
    if any(isinstance(leaf, OutputError) for leaf in leaves):
        drop_output()
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return EXIT_INTERRUPTED
    for leaf in dict.fromkeys(leaves):
        tell(_masked(_line(leaf)))
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        say_lines(_masked("".join(traceback.format_exception(error))), err=True, newline=False)
    codes = [_code(leaf) for leaf in leaves]
    return max(codes, key=lambda code: (code == EXIT_INTERNAL, code))


def _code(error: BaseException) -> int:
    if isinstance(error, MonitorError):
        return error.exit_code
    return EXIT_UNAVAILABLE if _is_forbidden(error) or _is_without_folder(error) else EXIT_INTERNAL


def _is_forbidden(error: BaseException) -> bool:
    """Returns whether this user may not use a file, which may show anywhere: already looking for it is forbidden in a folder of others."""
    return isinstance(error, PermissionError) and error.filename is not None


def _is_without_folder(error: BaseException) -> bool:
    """Returns whether the folder in which the command runs was deleted."""
    if not isinstance(error, FileNotFoundError) or error.filename is not None:
        return False
    from pathlib import Path

    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _line(error: BaseException) -> str:
    if isinstance(error, MonitorError):
        return str(error)
    if isinstance(error, PermissionError) and _is_forbidden(error):
        return (
            f"{error.filename}: permission denied: run this as a user who may use it, such as root, or change its owner"
        )
    if _is_without_folder(error):
        return "the folder in which this runs was deleted: change to another one"
    what = " ".join(str(error).split())
    return f"internal error, please report it: {type(error).__name__}: {what} (--log-level debug shows where)"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yields the errors in a group of errors, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _masked(text: str) -> str:
    from monitor.runtime.log import mask

    return mask(text)
