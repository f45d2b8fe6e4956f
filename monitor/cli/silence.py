"""``routee-monitor silence``: adds, shows and ends silences."""

import getpass
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from monitor.cli.api_answers import AlertAnswer, MadeSilence, SilenceAnswer
from monitor.cli.choices import known
from monitor.cli.daemon_api import DaemonApi, DaemonRefused, NoAnswer, daemon_api
from monitor.cli.options import config_option, duration, json_option, url_option, wide_option
from monitor.cli.output import say
from monitor.cli.silenced import broad, effect, is_broad, met_by
from monitor.cli.table import Column, print_json, print_table
from monitor.cli.times import TIME
from monitor.runtime.errors import ListenError, MonitorError

if TYPE_CHECKING:
    from monitor.routing.matchers import Matcher
    from monitor.runtime.clock import Duration, Instant

_PART: Final = 500
"""The number of silences in one request."""
_OVERLAP: Final = 10
_KEY: Final = re.compile(r"during[.\w]*: ")


@click.group(short_help="Silence alerts for a while; show and end silences.")
@config_option
@click.pass_context
def silence(ctx: click.Context, config: Path | None) -> None:
    """Silence alerts for a while, through the running daemon. Receivers that were notified of an alert are still notified when it resolves.

    amtool does the same: amtool --alertmanager.url=http://127.0.0.1:9465 silence add ...

    \b
    Exit codes: 0 done; 1 refused, with the reason; 2 wrong usage;
    69 no daemon answers; 78 bad or missing configuration.
    """
    ctx.obj = config


@silence.command(short_help="Silence the alerts that match all matchers.")
@click.argument("matchers", metavar="MATCHER...", nargs=-1, required=True)
@config_option
@url_option
@json_option
@click.option("--for", "lasts", type=duration, metavar="DURATION", default="1h", help="How long; default: 1h.")
@click.option("--until", type=TIME, metavar="TIME", help="Until when (2026-11-21T18:00), in place of --for.")
@click.option("--start", type=TIME, metavar="TIME", help="When it begins; default: now.")
@click.option(
    "--by", default=getpass.getuser, metavar="NAME", help="Who asks for it; default: you.", show_default=False
)
@click.option("--comment", required=True, help="Why.")
@click.option("--weekdays", multiple=True, metavar="RANGE", help="Only on these days: saturday, monday:friday.")
@click.option("--times", multiple=True, metavar="RANGE", help="Only at these times of day: 22:00-24:00.")
@click.option(
    "--location", default="UTC", metavar="ZONE", help="The time zone of --weekdays and --times; default: UTC."
)
@click.option("--yes", is_flag=True, help="Also silence alerts that lack the labels.")
@click.pass_obj
def add(
    above: Path | None,
    matchers: tuple[str, ...],
    config: Path | None,
    url: str | None,
    as_json: bool,
    lasts: "Duration",
    until: "Instant | None",
    start: "Instant | None",
    by: str,
    comment: str,
    weekdays: tuple[str, ...],
    times: tuple[str, ...],
    location: str,
    yes: bool,
) -> None:
    """Silence the alerts that match all matchers; prints the silence's id. Standard error says until when, and which alerts it silences now.

    A time without a zone (--until 2026-11-21T18:00) is in your terminal's zone. A label that an alert lacks counts as empty, so
    'team!=sms' is also met by alerts without a team: what only such matchers choose needs --yes.

    \b
    routee-monitor silence add operator=Cosmote --for 2h --comment "they know"
    routee-monitor silence add 'country=~"GR|CY"' --for 30d --weekdays sunday \\
        --times 02:00-06:00 --location Europe/Athens --comment maintenance

    \b
    Exit codes: 0 silenced; 1 refused, with the reason; 2 wrong usage;
    69 no daemon answers.
    """
    from monitor.runtime.clock import SystemClock, iso

    wanted = [matcher for text in matchers for matcher in _read(text)]
    began = SystemClock().now() if start is None else start
    ends = began + lasts if until is None else until
    body = {"startsAt": iso(began), "endsAt": iso(ends), "createdBy": by, "comment": comment}
    body |= {"matchers": [_matcher(one) for one in wanted]} | _during(weekdays, times, location)
    api = daemon_api(config or above, url)
    alerts = api.get("/api/v2/alerts", list[AlertAnswer])
    met = met_by(wanted, alerts)
    if not yes and is_broad(wanted):
        raise DaemonRefused(broad(wanted, met))
    answer = api.post("/api/v2/silences", body, MadeSilence)
    made = api.get(f"/api/v2/silence/{quote(answer['silenceID'], safe='')}", SilenceAnswer)
    if as_json:
        print_json(
            answer | {"startsAt": made["startsAt"], "endsAt": made["endsAt"], "alerts": [one["labels"] for one in met]}
        )
        return
    say(answer["silenceID"])
    for line in effect(made, wanted, alerts, SystemClock().now()):
        say(line, err=True)


@silence.command("list", short_help="Show the silences.")
@config_option
@url_option
@json_option
@wide_option
@click.option("--expired", is_flag=True, help="Also show expired silences.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="The most that the table shows; --json shows all.",
)
@click.pass_obj
def show(above: Path | None, config: Path | None, url: str | None, as_json: bool, expired: bool, limit: int) -> None:
    """Show the silences, with how many alerts each of them silences now: first those that end first.

    \b
    Exit codes: 0 shown; 69 no daemon answers.
    """
    try:
        found = _silences_of(daemon_api(config or above, url), expired=expired)
    except (NoAnswer, ListenError) as error:
        raise type(error)(
            f"{error}. Only a running daemon lists silences; `routee-monitor status` counts those in its store"
        ) from None
    if as_json:
        print_json(found)
        return
    _table(found[:limit])
    if len(found) > limit:
        say(f"and {len(found) - limit:,} more: --limit {len(found)} shows them, --json too")


@silence.command(short_help="End silences.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@config_option
@url_option
@click.pass_obj
def expire(above: Path | None, ids: tuple[str, ...], config: Path | None, url: str | None) -> None:
    """End silences now, by their ids or the first letters of them.

    \b
    Exit codes: 0 ended; 1 refused, with the reason; 69 no daemon answers.
    """
    api = daemon_api(config or above, url)
    silences = _silences_of(api)
    for wanted in ids:
        matching = [one for one in silences if one["id"].startswith(wanted)]
        if not matching and any(one["id"].startswith(wanted) for one in _silences_of(api, expired=True)):
            raise DaemonRefused(f"the silence {wanted} has ended already")
        if len(matching) != 1:
            raise click.UsageError(f"{len(matching) or 'no'} silences have an id that begins with {wanted!r}")
        api.delete(f"/api/v2/silence/{quote(matching[0]['id'], safe='')}")
        say(f"Expired {matching[0]['id'][:8]}: {_shown(matching[0])}")


def _silences_of(api: DaemonApi, *, expired: bool = False) -> list[dict[str, Any]]:
    """Returns all silences in the daemon's order, in which expired ones come last. Reads them in parts, because there may be thousands."""
    found: dict[str, dict[str, Any]] = {}
    while True:
        # Silences that began or ended meanwhile may have moved the others, so each part overlaps the one before.
        offset = max(len(found) - _OVERLAP, 0)
        part = api.get(f"/api/v2/silences?limit={_PART}&offset={offset}", list[SilenceAnswer])
        new = {one["id"]: one for one in part if expired or one["status"]["state"] != "expired"}
        is_last = len(part) < _PART or len(new) < len(part) or new.keys() <= found.keys()
        found |= new
        if is_last:
            return list(found.values())


def _read(text: str) -> "tuple[Matcher, ...]":
    from monitor.routing.matchers import parse_matchers

    try:
        return parse_matchers(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _matcher(matcher: "Matcher") -> dict[str, Any]:
    from monitor.daemon.http.alertmanager_json import show_matcher

    return show_matcher(matcher)


def _during(weekdays: tuple[str, ...], times: tuple[str, ...], location: str) -> dict[str, Any]:
    """Returns the times of a recurring silence; empty if it does not recur."""
    if not weekdays and not times:
        return {}
    from zoneinfo import available_timezones

    known("time zone", location, available_timezones())
    days, ranges = list(weekdays), [_range(text) for text in times]
    for option, key, values in (("--weekdays", "weekdays", days), ("--times", "times", ranges)):
        for value in values:
            _check(option, {key: [value]})
    some = {"weekdays": days} if days else {}
    return {"during": some | ({"times": ranges} if ranges else {}) | {"location": location}}


def _range(text: str) -> dict[str, str]:
    start, dash, end = text.partition("-")
    if not dash:
        raise MonitorError(f"--times: {text!r} has no end_time; write it like 22:00-24:00")
    return {"start_time": start, "end_time": end}


def _check(option: str, during: dict[str, Any]) -> None:
    """Checks the times of a recurring silence. Raises MonitorError, which names the option instead of the daemon's key."""
    from monitor.daemon.http.alertmanager_json import read_during

    try:
        read_during(during)
    except ValueError as error:
        raise MonitorError(f"{option}: {_KEY.sub('', str(error))}") from None


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        say("No silences.")
        return
    rows = [
        (
            one["id"][:8],
            _state(one),
            one["startsAt"][:16] + "Z",
            _until(one),
            _silences(one),
            one["createdBy"],
            _shown(one) + f"  {one['comment']}",
        )
        for one in found
    ]
    print_table(("ID", "STATE", Column("FROM", 1), "UNTIL", "SILENCES", Column("BY", 2), "WHAT AND WHY"), rows)


def _until(one: dict[str, Any]) -> str:
    """Returns the end, and how long it is until then if that is not long."""
    from monitor.model.format import duration
    from monitor.runtime.clock import MINUTE, SystemClock, parse_iso

    left = max(parse_iso(one["endsAt"]) - SystemClock().now(), 0) // MINUTE * MINUTE
    soon = f" (in {duration(left)})" if left else " (in less than 1m)"
    return f"{one['endsAt'][:16]}Z" + (soon if one["endsSoon"] else "")


def _silences(one: dict[str, Any]) -> str:
    """Returns the number of alerts that it silences; a silence that is not active silences none."""
    if not one["silencesNow"]:
        return "not now"
    return f"{one['silencing']} now" if one["silencing"] else "nothing now"


def _state(one: dict[str, Any]) -> str:
    """Returns Alertmanager's state; ``recurring`` for an active silence that does not silence now."""
    state = str(one["status"]["state"])
    return "recurring" if state == "active" and not one["silencesNow"] else state


def _shown(one: dict[str, Any]) -> str:
    from monitor.config.monitor.interval import in_words
    from monitor.daemon.http.alertmanager_json import read_matcher
    from monitor.routing.matchers import show

    recurs = f" only {in_words(one['during'])}" if one.get("during") else ""
    return show(read_matcher(matcher) for matcher in one["matchers"]) + recurs
