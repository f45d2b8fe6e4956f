"""Words that a person types where only some are right: a wrong one is answered with the nearest right one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # generic in newer versions of click only


class OneOf(_Choice):
    """One of a few words that the program fixes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from monitor.config.yaml import nearest

            near = nearest(str(value), map(str, self.choices))
            self.fail(error.message + (f" Did you mean {near!r}?" if near is not None else ""), param, ctx)


def known(what: str, name: str, names: Iterable[str]) -> str:
    """``name``, if it is one of ``names``. Raises MonitorError (exit 1) with the nearest one, or with all of them where they are few."""
    choices = sorted(set(names))
    if name not in choices:
        raise unknown(what, name, choices)
    return name


def unknown(what: str, name: str, names: Iterable[str]) -> MonitorError:
    """What to raise where there is no ``what`` of that name."""
    from monitor.config.yaml import suggest

    return MonitorError(f"there is no {what} {name!r}{suggest(name, sorted(set(names)))}")
