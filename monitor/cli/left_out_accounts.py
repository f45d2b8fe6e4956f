"""Warns of what a command leaves out because the store holds it unreadable: whose it is, and what to do about it."""

from collections.abc import Iterable
from typing import Final

import click

from monitor.cli.output import say
from monitor.model.plurals import plural
from monitor.store.protocol import LeftOut

_MOST_NAMED: Final = 3
"""The most rows of no known account that are named."""


def warn_of(left_out: Iterable[LeftOut]) -> None:
    """Prints a warning for each account that is left out, and for rows of which nobody knows whose they are; each once in a run of a command."""
    rows: dict[str, list[str]] = {}
    for one in left_out:
        rows.setdefault(one.account, []).append(one.said)
    for account, (first, *others) in rows.items():
        if account:
            more = f" (and {plural(len(others), 'more row')})" if others else ""
            _warn(f"account {account} is left out: {first}{more}")
            continue
        for said in (first, *others[: _MOST_NAMED - 1]):
            _warn(f"what follows lacks something: {said}")
        if len(others) >= _MOST_NAMED:
            _warn(f"what follows lacks {plural(len(others) + 1 - _MOST_NAMED, 'row')} more that cannot be read")


def _warn(text: str) -> None:
    context = click.get_current_context(silent=True)
    said: set[str] = set() if context is None else context.find_root().meta.setdefault(f"{__name__}.said", set())
    if text not in said:
        said.add(text)
        say(f"warning: {text}", err=True)
