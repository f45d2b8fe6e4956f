"""The commands by name; the file of a command is imported when the command is first asked for."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

from monitor.cli.help_text import lay_out


class LateCommands(MutableMapping[str, click.Command]):
    """The commands in the order of ``--help``. ``places`` says where each is: its file in this folder, and its name there if that is another."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places
        self._found: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._found:
            file, _, other = self._places[name].partition(":")
            command: click.Command = getattr(import_module(f"monitor.cli.{file}"), other or name)
            lay_out(command)
            self._found[name] = command
        return self._found[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places.setdefault(name, "")
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._found.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
