"""The command line: one file for each command.

Only click is imported here and at the head of the commands' files. Each command imports what it needs when it runs, so that
``--help`` answers at once.

options        options that several commands take        exit_codes   turns errors into lines and exit codes
load           configuration, rules, templates           read_store   reads the daemon's store
daemon_api     what the running daemon answers           listener_request  one request to it
table          tables for people, JSON                   signals      runs until SIGTERM or SIGINT
output         all output to the terminal                progress     what takes long
help_text      the layout of --help                      garbage      how often Python looks for it
sample_alert   a notification to try receivers with     left_out     parts of libraries that nothing uses
roff           the manual page, made from the commands
"""

import os

import click

from monitor.cli.ack import ack
from monitor.cli.alert_history import history_of_alerts
from monitor.cli.alerts import alerts
from monitor.cli.backtest import backtest
from monitor.cli.backup import backup
from monitor.cli.campaign import campaign
from monitor.cli.check import check
from monitor.cli.completion import completion, manual
from monitor.cli.deliver import deliver
from monitor.cli.demo import demo
from monitor.cli.exit_codes import CommandLine
from monitor.cli.explain import explain
from monitor.cli.garbage import collect_no_more, collect_rarely
from monitor.cli.healthcheck import healthcheck
from monitor.cli.help_text import lay_out
from monitor.cli.init import init
from monitor.cli.left_out import leave_out_unused
from monitor.cli.messages import search, track
from monitor.cli.options import config_before_the_command
from monitor.cli.output import open_streams
from monitor.cli.render import render
from monitor.cli.report import report
from monitor.cli.routes import routes
from monitor.cli.rules import rules
from monitor.cli.run import run
from monitor.cli.sandbox import sandbox
from monitor.cli.schema import schema
from monitor.cli.send_test import send_test
from monitor.cli.silence import silence
from monitor.cli.status import status
from monitor.cli.store import store
from monitor.cli.test import test


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
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


for command in (
    run,
    demo,
    init,
    check,
    test,
    backtest,
    search,
    track,
    campaign,
    explain,
    status,
    alerts,
    history_of_alerts,
    report,
    ack,
    silence,
    deliver,
    backup,
    store,
    routes,
    rules,
    render,
    send_test,
    sandbox,
    schema,
    healthcheck,
    completion,
    manual,
):
    cli.add_command(command)
lay_out(cli)


def main() -> None:
    """Runs the program ``routee-monitor``."""
    # Python and urllib3 write the keys of all TLS connections into that file; its reader could read every token.
    os.environ.pop("SSLKEYLOGFILE", None)
    # Nothing here is a plugin of pydantic, which would look through all installed packages for one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # NumPy's linear algebra, of which little is used, would start a thread for each core: 15 ms with two of them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    leave_out_unused()
    collect_rarely()
    open_streams()
    try:
        cli.main(prog_name="routee-monitor")
    finally:
        collect_no_more()
