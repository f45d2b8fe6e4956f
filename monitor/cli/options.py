"""Options that several commands take: ``--config``, ``--json``, durations, the level of the log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.choices import OneOf
from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    from monitor.runtime.clock import Duration

LEVELS: Final = ("debug", "info", "warning", "error")
CONFIG_PATHS: Final = (Path("monitor.yaml"), Path("/etc/routee-monitor/monitor.yaml"))
"""The paths at which a configuration is searched for, in order."""


class ConfigMissing(MonitorError):
    """No configuration exists at the default paths, or this user may not look for it."""

    exit_code = 78


def duration(text: str) -> "Duration":
    """Converts an option that is a duration, written as in the configuration (``1h30m``), to microseconds."""
    from monitor.runtime.clock import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def find_config(given: Path | None) -> Path:
    """Returns the configuration's file. Raises ConfigMissing, which says where it was searched for and how to make one."""
    looked = (given,) if given is not None else CONFIG_PATHS
    for path in looked:
        try:
            if path.exists():
                return path
        except PermissionError as error:
            raise ConfigMissing(
                f"You may not look for the configuration at {path.absolute()}: permission denied"
            ) from error
    searched = " or ".join(str(path.absolute()) for path in looked)
    raise ConfigMissing(
        f"There is no configuration at {searched}: write one with `routee-monitor init`, "
        "name it with --config FILE, or see `routee-monitor demo`, which needs none"
    )


def _set_level(ctx: click.Context, param: click.Parameter, level: str) -> None:
    if not ctx.resilient_parsing:
        from monitor.runtime import log

        log.configure(level, "text")


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--config FILE``; the command gets ``config``, which is for `find_config`."""
    where = "The configuration; default: monitor.yaml, then /etc/routee-monitor/monitor.yaml."
    kind = click.Path(path_type=Path)
    return click.option("-c", "--config", type=kind, metavar="FILE", callback=_or_before_the_command, help=where)(
        command
    )


def config_before_the_command(group: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--config FILE`` to the program itself, for all of its commands."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        expose_value=False,
        metavar="FILE",
        callback=_for_commands,
        help="The configuration; may also stand after the command.",
    )(group)


_CONFIG: Final = "monitor.cli.config"


def _for_commands(ctx: click.Context, param: click.Parameter, given: Path | None) -> None:
    ctx.meta[_CONFIG] = given


def _or_before_the_command(ctx: click.Context, param: click.Parameter, given: Path | None) -> Path | None:
    return ctx.meta.get(_CONFIG) if given is None else given


def unused_config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--config FILE`` to a command that needs none, so that every command takes it."""
    kind = click.Path(path_type=Path)
    return click.option(
        "-c",
        "--config",
        type=kind,
        expose_value=False,
        metavar="FILE",
        help="Accepted, but this command does not read it.",
    )(command)


def level_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--log-level`` to a command that is not the daemon; its log goes to standard error."""
    return click.option(
        "--log-level",
        type=OneOf(LEVELS),
        default="error",
        callback=_set_level,
        expose_value=False,
        help="Which messages go to standard error; debug shows tracebacks.",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--json``; the command gets ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table.")(command)


def wide_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--wide`` to a command that prints tables (`monitor.cli.table` reads it)."""
    return click.option(
        "--wide",
        is_flag=True,
        callback=_set_wide,
        expose_value=False,
        help="Show whole tables on a terminal: every column, nothing wrapped.",
    )(command)


def _set_wide(ctx: click.Context, param: click.Parameter, wide: bool) -> None:
    from monitor.cli.table import WIDE

    ctx.meta[WIDE] = wide


def environment() -> dict[str, str]:
    """Returns the variables that ``${NAME}`` in the configuration stands for."""
    return dict(os.environ)


def url_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--url URL``; the command gets ``url``, which is for `daemon_api`."""
    where = "Where the daemon listens; default: web.listen of the configuration."
    return click.option("--url", metavar="URL", help=where)(command)


def since_option(default: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: A002 - as click calls it
    """Adds ``--since WHEN``; the command gets ``since``, a `monitor.cli.times.When`."""
    from monitor.cli.times import WHEN

    return click.option("--since", type=WHEN, metavar="WHEN", default=default, show_default=True, help=help)


def duration_text(text: str) -> str:
    """Checks an option that is a duration, and returns it as written."""
    duration(text)
    return text
