"""Lays out ``--help`` without breaking words at their hyphens: ``/etc/routee-monitor/monitor.yaml`` stays on one line."""

from collections.abc import Iterable
from typing import Final

import click

_HYPHEN: Final = "\ue000"
"""Stands for a hyphen while click wraps lines; of private use, so that no help text has it."""


class HelpText(click.HelpFormatter):
    """Click's layout with whole words."""

    def write(self, string: str) -> None:
        """Writes text that is already wrapped."""
        super().write(string.replace(_HYPHEN, "-"))

    def write_text(self, text: str) -> None:
        """Writes text, wrapped at spaces."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Writes a list of options or commands, each with its text wrapped at spaces."""
        super().write_dl([(first, second.replace("-", _HYPHEN)) for first, second in rows], col_max, col_spacing)


class HelpContext(click.Context):
    """The context of every command."""

    formatter_class = HelpText


def lay_out(command: click.Command) -> None:
    """Makes a command and those below it lay out their help this way."""
    command.context_class = HelpContext
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        lay_out(below)
