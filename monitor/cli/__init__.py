"""The command line: one file for each command.

Only click is imported here and at the head of the commands' files, each of which is imported when its command is asked for. Each
command imports what it needs when it runs, so that ``--help`` answers at once.

options        options that several commands take        exit_codes   turns errors into lines and exit codes
load           configuration, rules, templates           read_store   reads the daemon's store
daemon_api     what the running daemon answers           listener_request  one request to it
table          tables for people, JSON                   signals      runs until SIGTERM or SIGINT
output         all output to the terminal                progress     what takes long
help_text      the layout of --help                      garbage      how often Python looks for it
sample_alert   a notification to try receivers with     left_out     parts of libraries that nothing uses
roff           the manual page, made from the commands  late_commands  imports a command that is asked for
stand_ins      what costs libraries less to import
"""

import os
from typing import Final

import click

from monitor.cli.exit_codes import CommandLine
from monitor.cli.garbage import collect_no_more, collect_rarely
from monitor.cli.help_text import HelpContext
from monitor.cli.late_commands import LateCommands
from monitor.cli.left_out import leave_out_unused
from monitor.cli.options import config_before_the_command
from monitor.cli.output import open_streams
from monitor.cli.stand_ins import stand_in

COMMANDS: Final = {
    "run": "run",
    "demo": "demo",
    "init": "init",
    "check": "check",
    "test": "test",
    "backtest": "backtest",
    "search": "messages",
    "track": "messages",
    "campaign": "campaign",
    "explain": "explain",
    "status": "status",
    "alerts": "alerts",
    "history": "alert_history:history_of_alerts",
    "report": "report",
    "ack": "ack",
    "silence": "silence",
    "deliver": "deliver",
    "backup": "backup",
    "store": "store",
    "routes": "routes",
    "rules": "rules",
    "render": "render",
    "send-test": "send_test:send_test",
    "sandbox": "sandbox",
    "schema": "schema",
    "healthcheck": "healthcheck",
    "completion": "completion",
    "manual": "completion",
}
"""Where each command is, in the order of ``--help``: its file here, and its name there if that is another."""


@click.group(
    cls=CommandLine,
    commands=LateCommands(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="routee-monitor", prog_name="routee-monitor")
@config_before_the_command
def cli() -> None:
    """Watches SMS delivery through Routee and notifies the ops team: once, at the right time, with the reason.

    \b
    To see it work:      routee-monitor demo
    To begin:            routee-monitor init
    To check your files: routee-monitor check --online
    To start watching:   routee-monitor run
    """


cli.context_class = HelpContext


def main() -> None:
    """Runs the program ``routee-monitor``."""
    # Python and urllib3 write the keys of all TLS connections into that file; its reader could read every token.
    os.environ.pop("SSLKEYLOGFILE", None)
    # Nothing here is a plugin of pydantic, which would look through all installed packages for one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # NumPy's linear algebra, of which little is used, would start a thread for each core: 15 ms with two of them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    leave_out_unused()
    stand_in()
    collect_rarely()
    open_streams()
    try:
        cli.main(prog_name="routee-monitor")
    finally:
        collect_no_more()
