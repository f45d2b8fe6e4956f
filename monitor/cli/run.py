"""``routee-monitor run``: runs the daemon."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from monitor.cli.choices import OneOf
from monitor.cli.exit_codes import report_error
from monitor.cli.garbage import collect_as_usual
from monitor.cli.load import look_outside, read_everything
from monitor.cli.options import LEVELS, config_option, environment, find_config
from monitor.cli.output import width_of_output
from monitor.runtime.start_signals import StartSignals

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.config.monitor import Config
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.simulation.demo.screen import Screen
    from monitor.store.opening import StoreOpening


@click.command(short_help="Run the daemon.")
@config_option
@click.option(
    "--log-level", type=OneOf(LEVELS), help="The lowest level that is logged; default: log.level of the file."
)
@click.option(
    "--log-format",
    type=OneOf(["auto", "journal", "text", "json"]),
    help="The format of the log; default: log.format of the file. auto: journal under systemd, text on a terminal, else JSON.",
)
def run(
    config: Path | None, log_level: str | None, log_format: Literal["auto", "journal", "text", "json"] | None
) -> NoReturn:
    """Run the daemon: poll Routee, evaluate the rules, notify the receivers.

    It stays in the foreground, logs to standard error, and writes to standard output only what `console` receivers show.
    SIGTERM or Ctrl-C end it within 10 seconds; whatever it was doing goes on after the next start. SIGHUP makes it take up
    changed files: all of them if they are right, none of them if not.

    \b
    Exit codes: 0 stopped as asked; 65 bad rules; 69 the store or the listener's
    address is not available; 78 bad or missing configuration.
    """
    with StartSignals() as signals:  # those of `monitor.__main__`, if that is how it began
        # Returned, it would end with a flush, which might wait for a thread that writes.
        sys.exit(_run(config, log_level, log_format, signals))


def _run(
    config: Path | None,
    log_level: str | None,
    log_format: Literal["auto", "journal", "text", "json"] | None,
    signals: StartSignals,
) -> int:
    """Reads what is configured, and lets the store be opened while the rest of the daemon is imported."""
    from monitor.daemon.store_opening import begin_opening
    from monitor.runtime import log as logs
    from monitor.runtime.certificates import read_ahead
    from monitor.runtime.clock import SystemClock
    from monitor.runtime.file_descriptors import raise_limit
    from monitor.runtime.heap import keep_heap, share_heap
    from monitor.runtime.process_end import PATIENCE
    from monitor.runtime.unblocked_stream import UnblockedStream
    from monitor.simulation.demo.screen import Screen

    output = UnblockedStream(sys.stderr, lost=logs.lost_line)
    screen = Screen(output) if output.isatty() else None

    def log_as_written(settings: "Config") -> None:
        logs.configure(log_level or settings.log.level, log_format or settings.log.format, screen or output)

    share_heap()
    keep_heap()
    raise_limit()
    loaded = read_everything(config, late_secrets=False)
    look_outside()
    log_as_written(loaded.settings.config)
    opening = begin_opening(loaded.settings.config, SystemClock().now())
    read_ahead()
    try:
        return _serve(loaded, find_config(config), opening, signals, screen, log_as_written)
    finally:
        logs.flush()
        output.drain(PATIENCE)


def _serve(
    loaded: "SettingsWithTemplates",
    config: Path,
    opening: "StoreOpening",
    signals: StartSignals,
    screen: "Screen | None",
    log_as_written: "Callable[[Config], None]",
) -> int:
    import functools
    import logging

    import trio

    from monitor.cli.check_warnings import exposed_secrets
    from monitor.cli.signals import until_signalled
    from monitor.daemon import main as daemon
    from monitor.daemon.reload import Reloads
    from monitor.runtime.sd_notify import Systemd
    from monitor.runtime.suspend_clock import SuspendCountingClock

    if loaded.settings.config.web is not None:
        daemon.import_listener()
    for warning in exposed_secrets(loaded, config):
        logging.getLogger(__name__).warning("%s", warning)
    reloads = Reloads(config, environment(), log_as_written)
    is_shared = (
        screen is not None and sys.stdout.isatty()
    )  # what is printed there has to make room for the changing line
    run_daemon = functools.partial(
        daemon.run,
        loaded.settings,
        loaded.templates,
        stream=screen if is_shared and screen is not None else sys.stdout,
        systemd=Systemd.from_environment(),
        reloads=reloads,
        live=(lambda text: screen.live(text[: (width_of_output() or 80) - 1]))
        if screen is not None and screen.moves
        else None,
        opening=opening,
    )

    async def act(stop: trio.Event) -> None:
        if signals.hangup_came:
            reloads.request()
        await run_daemon(stop=stop)
        if screen is not None:
            screen.live("")

    collect_as_usual()
    try:
        trio.run(until_signalled, act, reloads.request, clock=SuspendCountingClock())
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the last line of the log has its form too
        return report_error(error, logging.getLogger("monitor").error)
    return 0
