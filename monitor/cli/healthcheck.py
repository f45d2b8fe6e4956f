"""``routee-monitor healthcheck``: reports the daemon's health to containers and supervisors."""

import json
from pathlib import Path
from typing import Any, Final

import click

from monitor.cli.daemon_api import certificate_of, listener, not_a_monitor, refusal
from monitor.cli.load import read_config
from monitor.cli.options import config_option, json_option, level_option, url_option
from monitor.cli.output import say
from monitor.cli.table import print_json

EXIT_REFUSED = 1
EXIT_NO_ANSWER = 69
_SECONDS = 5.0
_STATES: Final = frozenset({"healthy", "not healthy"})


@click.command(short_help="Ask the running daemon whether it is healthy.")
@config_option
@json_option
@level_option
@url_option
def healthcheck(config: Path | None, as_json: bool, url: str | None) -> int:
    """Ask the running daemon whether it is healthy (GET /healthz).

    \b
    Exit codes: 0 it is healthy; 1 it is not, or refuses, with the reason;
    69 no answer; 78 bad configuration (it is not read where --url is given).
    """
    from monitor.cli.listener_request import NothingHeard, ask

    web = None if url else read_config(config).web
    where = f"{(url or listener(web)).rstrip('/')}/healthz"
    try:
        answer = ask(where, seconds=_SECONDS, certificate=certificate_of(web))
    except NothingHeard as why:
        say(f"No answer from {where}; is the daemon running? ({why})", err=True)
        return EXIT_NO_ANSWER
    health = _health(answer.body)
    if health is None:
        refused = refusal(answer)
        say(refused or not_a_monitor(where), err=True)
        return EXIT_REFUSED if refused else EXIT_NO_ANSWER
    if as_json:
        print_json(health)
    elif answer.status == 200:
        say("The daemon is healthy.")
    else:
        _say_reasons(health)
    return int(answer.status != 200)


def _health(body: str) -> dict[str, Any] | None:
    """Returns the health in the answer of a routee-monitor; None if the answer has another form."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("status") in _STATES else None


def _say_reasons(health: dict[str, Any]) -> None:
    reasons = health.get("reasons")
    if not isinstance(reasons, list) or not reasons:
        say("The daemon is not healthy. Its log has the reasons.", err=True)
        return
    for reason in reasons:
        say(f"The daemon is not healthy: {reason}", err=True)
