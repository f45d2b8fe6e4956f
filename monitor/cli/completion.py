"""``routee-monitor manual`` and ``routee-monitor completion``: print the manual page and the shell completion scripts."""

from typing import Final

import click

from monitor.cli.choices import OneOf
from monitor.cli.options import unused_config_option
from monitor.cli.output import say_lines
from monitor.cli.roff import PROGRAM

SHELLS: Final = ("bash", "zsh", "fish")


@click.command(short_help="Print the manual page.")
@unused_config_option
@click.pass_context
def manual(ctx: click.Context) -> None:
    """Print the manual page, made from the commands themselves.

    \b
    routee-monitor manual | man -l -

    \b
    Exit codes: 0 printed.
    """
    from importlib.metadata import version

    from monitor.cli import roff

    commands = ctx.find_root().command
    assert isinstance(commands, click.Group)
    say_lines(roff.manual(commands, version("routee-monitor")), newline=False)


@click.command(short_help="Print a completion script for a shell.")
@click.argument("shell", metavar="bash|zsh|fish", type=OneOf(SHELLS))
@unused_config_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that makes your shell complete commands, options and files.

    \b
    eval "$(routee-monitor completion bash)"       in ~/.bashrc
    eval "$(routee-monitor completion zsh)"        in ~/.zshrc, after compinit
    routee-monitor completion fish | source        in ~/.config/fish/config.fish

    \b
    Exit codes: 0 printed.
    """
    say_lines(completion_script(ctx.find_root().command, shell), newline=False)


def completion_script(commands: click.Command, shell: str) -> str:
    """Returns the completion script for a shell of `SHELLS`."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    asked = kind(commands, {}, PROGRAM, f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE")
    # click's own `source` for bash runs this machine's bash, which may not exist
    return ShellComplete.source(asked).strip() + "\n"
