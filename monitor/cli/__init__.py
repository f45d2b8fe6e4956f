"""The command line: one file a command.

Only click is imported here and at the head of the commands' files; what a command needs is imported when it runs, so that
``--help`` answers at once.

options     what several commands take           failure   how errors become lines and exit codes
"""

import click

from monitor.cli.failure import CommandLine
from monitor.cli.run import run
from monitor.cli.sandbox import sandbox


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="routee-monitor", prog_name="routee-monitor")
def cli() -> None:
    """Watches SMS delivery through Routee and tells the ops team, once, at the right time, with the reason."""


for command in (run, sandbox):
    cli.add_command(command)


def main() -> None:
    """The program ``routee-monitor``."""
    cli.main(prog_name="routee-monitor")
