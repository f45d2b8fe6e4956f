"""Words with few valid values: for an invalid one, the error suggests the nearest valid one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # generic in newer versions of click only


class OneOf(_Choice):
    """The type of an option that takes one of a few fixed words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from monitor.config.yaml import nearest

            near = nearest(str(value), map(str, self.choices))
            self.fail(error.message + (f" Did you mean {near!r}?" if near is not None else ""), param, ctx)


def known(what: str, name: str, names: Iterable[str]) -> str:
    """Returns ``name`` if it is one of ``names``. Raises MonitorError (exit 1) with the nearest one, or with all of them if they are few."""
    choices = sorted(set(names))
    if name not in choices:
        raise unknown(what, name, choices)
    return name


def unknown(what: str, name: str, names: Iterable[str]) -> MonitorError:
    """Returns the error to raise if no ``what`` has that name."""
    from monitor.config.yaml import suggest

    return MonitorError(f"there is no {what} {name!r}{suggest(name, sorted(set(names)))}")
