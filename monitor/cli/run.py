"""``routee-monitor run``: the daemon."""

import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import LEVELS, config_option
from monitor.cli.reading import read_everything

if TYPE_CHECKING:
    import trio

    from monitor.loading import Loaded

LONGEST_STOP_SECONDS = 8.0
"""A daemon that has not drained by then is cut off; what was not sent is sent after the next start."""

log = logging.getLogger("monitor")


@click.command()
@config_option
@click.option("--log-level", type=click.Choice(LEVELS), help="From which severity on; default: log.level of the file.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "journal", "text", "json"]),
    help="How; default: log.format of the file. auto: journal under systemd, text on a terminal, else JSON.",
)
def run(config: Path | None, log_level: str | None, log_format: str | None) -> None:
    """Run the daemon: poll Routee, judge the rules, tell the receivers.

    It stays in the foreground, logs to standard error, and writes to standard output only what `console` receivers show.
    SIGTERM or Ctrl-C end it within 10 seconds; whatever it was doing goes on after the next start.

    \b
    Exit codes: 0 stopped as asked; 65 bad rules; 69 the store or the listener's
    address is not available; 78 bad or missing configuration.
    """
    import trio

    from monitor import log as logs

    loaded = read_everything(config)
    settings = loaded.settings.config.log
    logs.configure(log_level or settings.level, log_format or settings.format)  # type: ignore[arg-type] # click has checked it
    trio.run(serve, loaded)


async def serve(loaded: "Loaded") -> None:
    """The daemon until a signal says stop."""
    import trio

    from monitor import daemon
    from monitor.sd_notify import Systemd

    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, stop, nursery.cancel_scope)
            await daemon.run(loaded.settings, loaded.templates, stop=stop, systemd=Systemd.from_environment())
            nursery.cancel_scope.cancel()


async def _obey(signals: AsyncIterator[int], stop: "trio.Event", everything: "trio.CancelScope") -> None:
    """The first SIGTERM or SIGINT drains the daemon; a second one, or time, ends it."""
    import trio

    async for number in signals:
        if number == signal.SIGHUP:
            log.warning("SIGHUP: this version does not reload; restart to take up changed files")
            continue
        stop.set()
        break
    with trio.move_on_after(LONGEST_STOP_SECONDS):
        async for number in signals:
            if number != signal.SIGHUP:
                break
    log.warning("stopping at once; what was not sent is sent after the next start")
    everything.cancel()
