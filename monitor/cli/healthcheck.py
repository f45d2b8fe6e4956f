"""``routee-monitor healthcheck``: reports the daemon's health to containers and supervisors."""

import json
from pathlib import Path

import click

from monitor.cli.daemon_api import NothingHeard, ask, listener, stranger
from monitor.cli.load import read_config
from monitor.cli.options import config_option, level_option, url_option
from monitor.cli.output import say, say_paragraphs

EXIT_NO_ANSWER = 69
_SECONDS = 5.0


@click.command(short_help="Ask the running daemon whether it is healthy.")
@config_option
@level_option
@url_option
def healthcheck(config: Path | None, url: str | None) -> int:
    """Ask the running daemon whether it is healthy (GET /healthz).

    \b
    Exit codes: 0 it is healthy; 1 it is not, with the reasons; 69 no answer;
    78 bad configuration (it is not read where --url is given).
    """
    where = f"{(url or listener(read_config(config).web)).rstrip('/')}/healthz"
    try:
        answer = ask(where, seconds=_SECONDS)
    except NothingHeard as why:
        say(f"No answer from {where}; is the daemon running? ({why})", err=True)
        return EXIT_NO_ANSWER
    if not _is_ours(answer.body):
        say(stranger(where), err=True)
        return EXIT_NO_ANSWER
    say_paragraphs(answer.body.strip(), err=answer.status != 200)
    return int(answer.status != 200)


def _is_ours(body: str) -> bool:
    """Whether a routee-monitor gives such an answer: its status and the reasons, in JSON."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "status" in said
