"""Makes the manual page from the commands themselves, so that it says what ``--help`` says and includes every option."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

PROGRAM: Final = "routee-monitor"

_HEAD: Final = """\
.TH ROUTEE\\-MONITOR 1 "" "routee\\-monitor {version}" "User Commands"
.SH NAME
routee\\-monitor \\- watch SMS delivery through Routee and notify the ops team
.SH SYNOPSIS
.B routee\\-monitor
.I command
.RI [ options ]"""

_TAIL: Final = """\
.SH EXIT STATUS
.TP
.B 0
Good; of the daemon: stopped as asked.
.TP
.B 1
The answer is no: a test that fails, a daemon that is not healthy.
.TP
.BR 2 ", " 64
Wrong usage.
.TP
.B 65
Bad rules.
.TP
.B 69
Routee, the daemon, the store or an address is not available.
.TP
.B 78
Bad or missing configuration or templates.
.SH ENVIRONMENT
.TP
.B CREDENTIALS_DIRECTORY
Where files with secrets are looked for by name; set by systemd.
.TP
.BR HTTPS_PROXY ", " HTTP_PROXY ", " ALL_PROXY ", " NO_PROXY
The proxy to the outside, and the hosts that are reached without it.
.TP
.BR SSL_CERT_FILE ", " SSL_CERT_DIR
The certificates to trust in place of those that come with the program.
.TP
.B NO_COLOR
If set, nothing is coloured.
.PP
The configuration may name any variable as ${NAME}.
.SH FILES
.TP
.I /etc/routee\\-monitor/monitor.yaml
The configuration, where no
.I monitor.yaml
is in the working directory.
.TP
.I /var/lib/routee\\-monitor/monitor.db
The store of the service and of the image.
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
The daemon ends within 10 seconds.
.TP
.B SIGHUP
The daemon reads its files again; where one of them is wrong, all stays as it was.
.SH SEE ALSO
.BR journalctl (1),
.BR systemctl (1)"""


def manual(commands: click.Group, version: str) -> str:
    """Returns the page for routee-monitor(1), in roff."""
    top = click.Context(commands, info_name=PROGRAM)
    lines = [_HEAD.format(version=_text(version)), ".SH DESCRIPTION", *_prose(commands), ".SH COMMANDS"]
    for context in each_command(top):
        lines += _command(context)
    return "\n".join((*lines, _TAIL)) + "\n"


def each_command(context: click.Context) -> Iterator[click.Context]:
    """Yields every command of a group and of the groups in it; a group comes before its commands."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            inner = click.Context(command, info_name=name, parent=context)
            yield inner
            yield from each_command(inner)


def _command(context: click.Context) -> Iterator[str]:
    path = context.command_path.removeprefix(f"{PROGRAM} ")
    usage = " ".join(context.command.collect_usage_pieces(context))
    yield f".SS {_text(path)}"
    yield f".B {_text(context.command_path)}"
    yield _text(usage)
    yield ".PP"
    yield from _prose(context.command)
    for param in context.command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and param.name != "help":
            yield ".TP"
            yield f".B {_text(record[0])}"
            yield _text(" ".join(record[1].split())) or "\\&"


def _prose(command: click.Command) -> Iterator[str]:
    """Yields the paragraphs of a command's help; those after a \\b keep their lines."""
    text = inspect.cleandoc(command.help or "")
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if number:
            yield ".PP"
        head, *rest = paragraph.splitlines()
        if head.strip() == "\b":
            yield from (".nf", *map(_text, rest), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Returns plain text for roff: no line is a request, and each hyphen is the one that people type."""
    safe = text.replace("\\", "\\(rs").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
