"""``routee-monitor deliver``: shows dead letters and sends them again."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click

from monitor.cli.api_answers import DeadLetter, DeadLetters, RetryAnswer
from monitor.cli.daemon_api import DaemonApi, DaemonRefused, daemon_api
from monitor.cli.options import config_option, json_option, url_option, wide_option
from monitor.cli.output import say
from monitor.cli.table import Column, print_json, print_table

_PART: Final = 200
"""The number of dead letters in one request."""
_AT_ONCE: Final = 1000
"""The most dead letters that the daemon sends again for one request."""
_MOST_REQUESTS: Final = 100
_MOST_NAMED: Final = 3
_NOTHING: Final = {"waiting": 0, "superseded": 0, "unreadable": 0}


@click.group(short_help="Show dead letters, and send them again.")
@config_option
@click.pass_context
def deliver(ctx: click.Context, config: Path | None) -> None:
    """Show dead letters, and send them again, through the running daemon.

    A dead letter is a notification that its receiver refused for good: a revoked token, an archived channel, a 404.

    \b
    Exit codes: 0 done; 1 refused, or there is none; 2 wrong usage;
    69 no daemon answers; 78 bad or missing configuration.
    """
    ctx.obj = config


_receiver = click.option("--receiver", metavar="NAME", help="Only those of this receiver.")


@deliver.command("list", short_help="Show the dead letters.")
@config_option
@url_option
@json_option
@wide_option
@_receiver
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The most that is shown.")
@click.pass_obj
def show(
    above: Path | None, config: Path | None, url: str | None, as_json: bool, receiver: str | None, limit: int
) -> None:
    """Show the dead letters, the newest first, with the reason of the refusal.

    \b
    Exit codes: 0 shown; 69 no daemon answers.
    """
    found, unreadable, more = _dead_letters(daemon_api(config or above, url), receiver, limit)
    if as_json:
        print_json(found)
        return
    if not (found or unreadable):
        say("No dead letters.")
        return
    rows = [
        (str(one["id"]), one["at"][:16] + "Z", one["receiver"], one["channel"], _alerts(one), one["error"])
        for one in found
    ]
    if rows:
        print_table(("ID", Column("MADE", 1), "RECEIVER", Column("CHANNEL", 1), Column("ALERTS", 1), "WHY"), rows)
    if unreadable:
        say(f"{unreadable:,} cannot be shown: unreadable in the store; the daemon's log says why")
    if more:
        say(f"and {more:,} more: --limit {len(found) + more} shows them")


@deliver.command(short_help="Send dead letters again.")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1))
@config_option
@url_option
@json_option
@_receiver
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.pass_obj
def retry(
    above: Path | None,
    ids: tuple[int, ...],
    config: Path | None,
    url: str | None,
    as_json: bool,
    receiver: str | None,
    everything: bool,
) -> None:
    """Send dead letters again: those with these ids (of `deliver list`), those of a receiver, or all.

    They are tried as if they were new. One is left out if its channel was sent something newer of the same alerts since, or if it
    cannot be read in the store.

    \b
    Exit codes: 0 they wait to be sent; 1 refused, or there is none;
    2 wrong usage; 69 no daemon answers.
    """
    if (bool(ids), receiver is not None, everything).count(True) != 1:
        raise click.UsageError("name ids (see `routee-monitor deliver list`), or --receiver NAME, or --all")
    api = daemon_api(config or above, url)
    found = _by_id(api, ids) if ids else _selected(api, {} if receiver is None else {"receiver": receiver})
    if as_json:
        print_json(found)
    else:
        _say(found)
    if found["waiting"] or found["superseded"]:
        return
    if not found["unreadable"]:
        whose = "" if receiver is None else f" of the receiver {receiver!r}"
        raise DaemonRefused(f"there are no dead letters{whose}")
    raise DaemonRefused("nothing is sent again")


def _by_id(api: DaemonApi, ids: tuple[int, ...]) -> dict[str, int]:
    """Sends single dead letters again. Raises DaemonRefused if none of them is one."""
    found, refused = dict(_NOTHING), list[DaemonRefused]()
    for number in dict.fromkeys(ids):
        try:
            _add(found, _post(api, {"id": number}))
        except DaemonRefused as why:
            refused.append(why)
    if refused and not any(found.values()):
        raise refused[0]
    for one in refused:
        say(str(one), err=True)
    return found


def _selected(api: DaemonApi, body: dict[str, Any]) -> dict[str, int]:
    """Sends all selected dead letters again, in parts."""
    found = dict(_NOTHING)
    for _ in range(_MOST_REQUESTS):  # those that are refused again meanwhile must not make this endless
        part = _post(api, body)
        _add(found, part | {"unreadable": 0})
        found["unreadable"] = part["unreadable"]  # each time the same ones
        if part["waiting"] + part["superseded"] < _AT_ONCE:
            break
    return found


def _post(api: DaemonApi, body: dict[str, Any]) -> dict[str, int]:
    answer = api.post("/api/v1/dead-letters/retry", body, RetryAnswer)
    return {name: answer.get(name, 0) for name in _NOTHING}


def _add(found: dict[str, int], part: dict[str, int]) -> None:
    for name, count in part.items():
        found[name] += count


def _say(found: dict[str, int]) -> None:
    from monitor.model.plurals import plural

    waiting, superseded = found["waiting"], found["superseded"]
    if waiting:
        say(f"{plural(waiting, 'notification')} {'waits' if waiting == 1 else 'wait'} to be sent again.")
    if superseded:
        what = "1 is left out: a newer one has" if superseded == 1 else f"{superseded:,} are left out: newer ones have"
        say(f"{what} taken its place." if superseded == 1 else f"{what} taken their place.")
    if unreadable := found["unreadable"]:
        say(f"{unreadable:,} cannot be sent: unreadable in the store; the daemon's log says why.")


def _dead_letters(api: DaemonApi, receiver: str | None, limit: int) -> tuple[list[DeadLetter], int, int]:
    """Returns the newest dead letters, how many were left out because they cannot be read, and how many more there are."""
    found: dict[int, DeadLetter] = {}
    asked, total = 0, 1  # the daemon counts those that cannot be read, and lists the others
    while asked < total and len(found) < limit:
        most = min(_PART, limit - len(found))
        query = {"offset": asked, "limit": most} | ({"receiver": receiver} if receiver else {})
        part = api.get(f"/api/v1/dead-letters?{urlencode(query)}", DeadLetters)
        found |= {one["id"]: one for one in part["items"]}
        total = part["total"]
        asked = min(asked + most, total)
    return list(found.values()), asked - len(found), total - asked


def _alerts(one: DeadLetter) -> str:
    """Returns the names of its alerts."""
    from monitor.model.plurals import first_of

    return first_of(list(dict.fromkeys(alert["name"] for alert in one["alerts"])), _MOST_NAMED)
