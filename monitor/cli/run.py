"""``routee-monitor run``: the daemon."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from monitor.cli.options import LEVELS, config_option
from monitor.cli.reading import read_everything


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
    SIGTERM or Ctrl-C end it within 10 seconds; whatever it was doing goes on after the next start.

    \b
    Exit codes: 0 stopped as asked; 65 bad rules; 69 the store or the listener's
    address is not available; 78 bad or missing configuration.
    """
    with _no_hangups():  # before anything that takes time: whoever manages services may send one at once
        _run(config, log_level, log_format)


def _run(
    config: Path | None, log_level: str | None, log_format: Literal["auto", "journal", "text", "json"] | None
) -> None:
    import functools
    import sys

    import trio

    from monitor import daemon
    from monitor import log as logs
    from monitor.cli.signals import until_signalled
    from monitor.sd_notify import Systemd

    loaded = read_everything(config)
    settings = loaded.settings.config.log
    logs.configure(log_level or settings.level, log_format or settings.format)
    run_daemon = functools.partial(
        daemon.run, loaded.settings, loaded.templates, stream=sys.stdout, systemd=Systemd.from_environment()
    )
    trio.run(until_signalled, lambda stop: run_daemon(stop=stop))


@contextmanager
def _no_hangups() -> Iterator[None]:
    """Within it SIGHUP, which would end the process, does nothing; `monitor.cli.signals` takes it over."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
