"""``routee-monitor history``: shows what happened to each alert, from its beginning to its end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.load import read_settings
from monitor.cli.options import config_option, json_option, level_option, since_option, wide_option
from monitor.cli.output import say
from monitor.cli.table import Column, print_json, print_table
from monitor.cli.times import When

if TYPE_CHECKING:
    from monitor.alerts.alert_episodes import AlertEpisode
    from monitor.config.rules import Rule
    from monitor.model.alert import Transition
    from monitor.model.notification import AlertView
    from monitor.routing.silences import Silence

MOST_READ: Final = 50_000
"""The number of latest transitions that are read."""

_LONGEST_ALERT: Final = 500
"""The most characters of an alert's rule and group that are shown: ids are whole, and a hostile name does not fill the screen."""

_WORDS: Final = {"resolved": "resolved", "dropped": "ended before it fired", "unacknowledged": "no longer acknowledged"}


_LONGEST_SEARCH: Final = 7 * 86_400_000_000
"""How much of an alert's time is searched for the times of a recurring silence: all of them come within a week, in microseconds."""

_OF_REPORTS: Final = {"fired": "reported"}
"""The word of a transition of a report, if it differs from that of an alert."""


@click.command("history", short_help="Show what happened to each alert: fired, acknowledged, resolved.")
@click.argument("rules", metavar="[RULE]...", nargs=-1)
@config_option
@json_option
@wide_option
@level_option
@since_option("7d", "How far back (7d), or a time; at most 30d are kept.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The most alerts to show.")
@click.option("--all", "everything", is_flag=True, help="Also show alerts that were pending and never fired.")
def history_of_alerts(
    rules: Sequence[str], config: Path | None, as_json: bool, since: When, limit: int, everything: bool
) -> None:
    """Show what happened to each alert, the latest first: when it began, fired, got worse, was acknowledged and by whom, was silenced, and
    ended. With RULE only that rule's.

    It reads the daemon's store, whether the daemon runs or not. `alerts --notifications` shows which notifications were sent to whom.

    \b
    Exit codes: 0 shown; 1 there is no such rule; 69 there is no store or no
    poll yet; 65, 78 bad rules or configuration.
    """
    from monitor.alerts.alert_episodes import alert_episodes
    from monitor.cli.choices import known
    from monitor.cli.read_store import stored_state
    from monitor.runtime.clock import SystemClock

    settings = read_settings(config)
    start = since.relative_to(SystemClock().now())
    with stored_state(settings.config) as (store, kept):
        found = alert_episodes(reversed(store.transitions(MOST_READ)))
        names = {rule.name: rule for rule in settings.rules}
        for rule in rules:
            known("rule", rule, {*names, *(one.rule for one in found)})
        shown = [
            one
            for one in found
            if (one.ended_at is None or one.ended_at >= start)
            and one.account not in kept.accounts_left_out
            and (not rules or one.rule in rules)
            and (everything or one.fired)
        ][:limit]
        views = {one.fingerprint: store.last_view(one.fingerprint) for one in shown} if as_json else {}
    if as_json:
        print_json([_as_json(one, names, kept.silences, views[one.fingerprint]) for one in shown])
    elif not shown:
        say("No alert fired.")
    else:
        several = len(settings.config.accounts) > 1
        rows = [_row(one, names, kept.silences, several=several) for one in shown]
        print_table(
            (Column("BEGAN (UTC)", whole=True), Column("LASTED", drop=1), "ALERT", "WHAT HAPPENED (UTC)"), rows, _colour
        )


def silences_of(episode: "AlertEpisode", rules: "Mapping[str, Rule]", silences: "Sequence[Silence]") -> "list[Silence]":
    """Returns the stored silences that applied to it while it fired."""
    from monitor.alerts.severities import severity_after
    from monitor.routing.matchers import matches

    if episode.firing_at is None:
        return []
    rule = rules.get(episode.rule)
    labels = {"alertname": episode.rule} | dict(episode.group) | ({} if rule is None else dict(rule.labels))
    severities = {severity_after(one, rules) for one in episode.events} - {""} or {""}
    ended = episode.ended_at
    return [
        one
        for one in silences
        if one.ends_at > episode.firing_at
        and (ended is None or one.starts_at < ended)
        and any(matches(one.matchers, labels | {"severity": severity}) for severity in severities)
        and _silenced_between(one, episode.firing_at, ended)
    ]


def _silenced_between(silence: "Silence", start: int, end: int | None) -> bool:
    """Returns whether a silence was active then at any time; a recurring one only silences at its times."""
    from monitor.runtime.clock import MINUTE, SystemClock

    if silence.during is None:
        return True
    first, last = max(start, silence.starts_at), min(SystemClock().now() if end is None else end, silence.ends_at)
    return any(silence.during.contains(at) for at in range(first, min(last, first + _LONGEST_SEARCH), MINUTE))


def _as_json(
    one: "AlertEpisode", rules: "Mapping[str, Rule]", silences: "Sequence[Silence]", view: "AlertView | None"
) -> dict[str, Any]:
    """Returns an alert; ``view`` is how it was notified last."""
    from monitor.model.label_fingerprint import label_fingerprint
    from monitor.runtime.clock import SECOND, iso

    def time(instant: int | None) -> str | None:
        return None if instant is None else iso(instant)

    return {
        "rule": one.rule,
        "account": one.account,
        "labels": dict(one.group),
        "fingerprint": one.fingerprint,
        "labelFingerprint": None if view is None else label_fingerprint(view.labels),
        "pendingAt": time(one.pending_at),
        "firingAt": time(one.firing_at),
        "endedAt": time(one.ended_at),
        "because": one.because,
        "incident": one.incident or None,
        "seconds": None if one.ended_at is None else (one.ended_at - one.began_at) / SECOND,
        "events": [_event(event, rules) for event in one.events],
        "silences": [
            {
                "id": silence.id,
                "startsAt": iso(silence.starts_at),
                "endsAt": iso(silence.ends_at),
                "by": silence.created_by,
                "comment": silence.comment,
            }
            for silence in silences_of(one, rules, silences)
        ],
    }


def _event(one: "Transition", rules: "Mapping[str, Rule]") -> dict[str, Any]:
    from monitor.alerts.severities import severity_after
    from monitor.runtime.clock import iso

    by = {"by": one.about.by, "comment": one.about.comment} if one.about is not None and one.about.by else {}
    return {"at": iso(one.at), "what": one.what, "severity": severity_after(one, rules), "value": one.value} | by


def _row(
    one: "AlertEpisode", rules: "Mapping[str, Rule]", silences: "Sequence[Silence]", *, several: bool
) -> tuple[str, ...]:
    """Returns an alert's row; with its account if there are ``several``."""
    from monitor.model.alert import is_report
    from monitor.model.builtin_alerts import BUILT_IN
    from monitor.model.format import datetime, duration
    from monitor.runtime.clock import SystemClock
    from monitor.runtime.printable import clean

    group = ", ".join(value for _, value in one.group)
    ended = SystemClock().now() if one.ended_at is None else one.ended_at
    of_report, built_in = is_report(one.group), BUILT_IN.get(one.rule)
    is_named = "account" in dict(one.group) or (built_in is not None and not built_in.of_account)
    account = clean(one.account, _LONGEST_ALERT) if several and not is_named else ""
    return (
        datetime(one.began_at, "%m-%d %H:%M"),
        "report"
        if of_report
        else duration(max(ended - one.began_at, 0)) + ("" if one.ended_at is not None else ", goes on"),
        clean(f"{one.rule} {group}".strip(), _LONGEST_ALERT) + (f" ({account})" if account else ""),
        "; ".join(course_of(one, rules, silences)),
    )


def course_of(one: "AlertEpisode", rules: "Mapping[str, Rule]", silences: "Sequence[Silence]") -> list[str]:
    """Returns the events in the order of time: ``17:02:11 fired (critical)``. A time on another day than the beginning's includes the date."""
    from monitor.model.alert import is_report
    from monitor.runtime.printable import clean

    def time(at: int) -> str:
        return _time(at, one.began_at)

    events = [event for event in one.events if not is_report(one.group) or event.what == "fired"] or one.events
    said = [(event.at, f"{time(event.at)} {_said(event, rules)}") for event in events]
    for silence in silences_of(one, rules, silences):
        words = f"silenced until {time(silence.ends_at)}{_only(silence)} by {clean(silence.created_by)}: {clean(silence.comment)}"
        said.append((silence.starts_at, f"{time(silence.starts_at)} {words}"))
    return [text for _, text in sorted(said, key=lambda event: event[0])]


def _only(silence: "Silence") -> str:
    """Returns the times of a recurring silence: `` only sunday 02:00-06:00 Europe/Athens``; empty for another one."""
    if silence.during is None:
        return ""
    from monitor.config.monitor.interval import in_words, written

    return f" only {in_words(written(silence.during))}"


def _time(at: int, day: int) -> str:
    from monitor.model.format import datetime

    is_same = datetime(at, "%Y-%m-%d") == datetime(day, "%Y-%m-%d")
    return datetime(at, "%H:%M:%S" if is_same else "%m-%d %H:%M:%S")


def _said(one: "Transition", rules: "Mapping[str, Rule]") -> str:
    """Returns ``fired (critical)``, ``acknowledged by Ann: called them``, ``resolved (no_data)``."""
    from monitor.alerts.kinds import unit_of
    from monitor.alerts.severities import severity_after
    from monitor.model.alert import is_report
    from monitor.model.format import amount
    from monitor.runtime.printable import clean

    about, word = one.about, _WORDS.get(one.what, one.what)
    if one.because == "end_not_seen":
        return "its end was not seen, since the store lost the alert"
    if one.what == "acknowledged" and about is not None:
        return f"acknowledged by {clean(about.by)}" + (f": {clean(about.comment, 200)}" if about.comment else "")
    if about is not None and is_report(about.group):
        return _OF_REPORTS.get(one.what, word)
    rule = rules.get(one.rule)
    details = [severity_after(one, rules) if one.what in ("fired", "escalated", "eased") else "", one.because or ""]
    if rule is not None and one.value is not None and one.what != "unacknowledged":
        details.append(f"value {amount(one.value, unit_of(rule, about.group if about is not None else ()))}")
    details.append(f"incident {about.incident}" if one.what == "fired" and about is not None and about.incident else "")
    text = ", ".join(filter(None, details))
    return f"{word} ({text})" if text else word


def _colour(row: Any) -> str | None:
    return "yellow" if row[1].endswith("goes on") else None
