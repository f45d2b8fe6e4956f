"""``routee-monitor run``: the daemon."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import click

from monitor.cli.options import LEVELS, config_option, environment, find_config
from monitor.cli.reading import look_outside, read_everything

if TYPE_CHECKING:
    from monitor.config import Config


@click.command(short_help="Run the daemon.")
@config_option
@click.option("--log-level", type=click.Choice(LEVELS), help="From which severity on; default: log.level of the file.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "journal", "text", "json"]),
    help="How; default: log.format of the file. auto: journal under systemd, text on a terminal, else JSON.",
)
def run(
    config: Path | None, log_level: str | None, log_format: Literal["auto", "journal", "text", "json"] | None
) -> None:
    """Run the daemon: poll Routee, judge the rules, tell the receivers.

    It stays in the foreground, logs to standard error, and writes to standard output only what `console` receivers show.
    SIGTERM or Ctrl-C end it within 10 seconds; whatever it was doing goes on after the next start. SIGHUP makes it take up
    changed files: all of them if they are right, none of them if not.

    \b
    Exit codes: 0 stopped as asked; 65 bad rules; 69 the store or the listener's
    address is not available; 78 bad or missing configuration.
    """
    with Hangups() as hangups:  # before anything that takes time: whoever manages services may send one at once
        _run(config, log_level, log_format, hangups)


class Hangups:
    """Within it SIGHUP, which would end the process, is remembered, until `monitor.cli.signals` takes it over."""

    came = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGHUP, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._before)

    def _remember(self, number: int, frame: object) -> None:
        self.came = True


def _run(
    config: Path | None,
    log_level: str | None,
    log_format: Literal["auto", "journal", "text", "json"] | None,
    hangups: Hangups,
) -> None:
    import functools
    import sys

    import trio

    from monitor import daemon
    from monitor import log as logs
    from monitor.cli.signals import until_signalled
    from monitor.reload import Reloads
    from monitor.sd_notify import Systemd

    def log_as_written(settings: "Config") -> None:
        logs.configure(log_level or settings.log.level, log_format or settings.log.format)

    loaded = read_everything(config)
    look_outside()
    log_as_written(loaded.settings.config)
    reloads = Reloads(find_config(config), environment(), log_as_written)
    run_daemon = functools.partial(
        daemon.run,
        loaded.settings,
        loaded.templates,
        stream=sys.stdout,
        systemd=Systemd.from_environment(),
        reloads=reloads,
    )

    async def act(stop: trio.Event) -> None:
        if hangups.came:
            reloads.ask()
        await run_daemon(stop=stop)

    trio.run(until_signalled, act, reloads.ask)
