"""``routee-monitor status``: shows the monitor's state on one screen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.load import as_warning, read_as_it_runs
from monitor.cli.options import config_option, json_option, level_option, url_option, wide_option
from monitor.cli.output import Shaded, say, shaded
from monitor.cli.progress import progress
from monitor.cli.table import Column, print_json, print_table
from monitor.runtime.errors import InputError, MonitorError, SecretUnreadable

if TYPE_CHECKING:
    from monitor.config.monitor import Config, Web
    from monitor.config.settings import Settings
    from monitor.daemon.overview import Overview
    from monitor.model.fleet import Fleet, WorkerView
    from monitor.store.protocol import LeftOut, Store

EXIT_NOT_RUNNING: Final = 69
_MOST_SEARCHES: Final = 8
_MOST_WARNINGS: Final = 3
_INTERVALS: Final = 3
"""A poll is late after this many intervals without one."""
_FROM_STORE: Final = ("alerts", "outbox", "deadLetters", "setAside", "silences")
"""What is None, because nobody knows it, if no daemon answers and its store cannot be read."""
_UNKNOWN: Final = "not known"


@click.command(short_help="Show the monitor's state on one screen.")
@config_option
@json_option
@wide_option
@level_option
@url_option
def status(config: Path | None, as_json: bool, url: str | None) -> int:
    """Show the monitor's state on one screen: each search's last poll, how much of the past has been read, which alerts fire,
    and which notifications wait.

    It asks the running daemon. If none answers, it says so and shows what the daemon's store holds.

    \b
    Exit codes: 0 the daemon runs; 69 it does not run or does not answer;
    78 bad configuration.
    """
    settings, wrong = read_as_it_runs(config)
    found = _asked(settings, url)
    if wrong is not None and not _is_known(wrong, found["warnings"]):
        found["warnings"] = [as_warning(wrong), *found["warnings"]]
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 0 if found["running"] else EXIT_NOT_RUNNING


def _is_known(wrong: InputError, warnings: list[str]) -> bool:
    """Returns whether the daemon warns of the same itself, because it was asked to use these files; it may name them by another path."""
    first = wrong.problems[0]
    here = replace(first, file=Path(first.file).name)
    return any(str(here) in warning for warning in warnings)


def _asked(settings: "Settings", url: str | None) -> dict[str, Any]:
    """Returns the daemon's status, or else what its store shows. With ``url`` a daemon has to answer. Raises NoAnswer and DaemonRefused."""
    from monitor.cli.api_answers import DaemonStatus
    from monitor.cli.daemon_api import IS_IT_RUNNING, api_of
    from monitor.config.yaml.unread_secret import why_unread

    try:
        api = api_of(settings.config, url)
        said: dict[str, Any] = api.get("/api/v1/status", DaemonStatus)
    except MonitorError as why:
        if url:
            raise
        nobody = str(why).removesuffix(IS_IT_RUNNING)
        if unread := why_unread(settings.config.store_password):
            raise SecretUnreadable(f"{nobody}; its store cannot be read here either: {unread}") from None
        return _stored(settings, nobody)
    return said | {"url": api.url, "why": "", "store": None}


def _stored(settings: "Settings", why: str) -> dict[str, Any]:
    from monitor.daemon.fleet.fleet_json import fleet_json
    from monitor.daemon.overview import Overview, overview
    from monitor.runtime.clock import SystemClock
    from monitor.store.open import lock_holder, open_store

    config, now = settings.config, SystemClock().now()
    fleet = _fleet_of(config)
    own = _own_of(fleet, config)
    process = None if own is None else _process_of(own)
    if not fleet.workers:
        process = lock_holder(config.store_location)
    stored, unknown, warnings = Overview([], [], [], [], {}, {}), dict[str, Any](), []
    try:
        with progress("reading the store"), open_store(config.store_location, read_only=True) as store:
            stored, left_out = _stored_overview(settings, store, now)
            warnings = [
                f"account {one.account} is left out: {one.said}" if one.account else one.said for one in left_out
            ]
    except MonitorError as error:
        unknown, warnings = dict.fromkeys(_FROM_STORE), [str(error)]
    about = {"running": process is not None and config.web is None, "version": None, "since": None, "process": process}
    where = {"url": None, "why": why, "store": str(config.store_location)}
    names = [account.name for account in config.accounts]
    shared = (
        {"fleet": fleet_json(fleet, own.id if own is not None else 0, names, as_of=now, now=now)}
        if fleet.workers
        else {}
    )
    return about | overview(config, stored, now) | unknown | {"warnings": warnings} | where | shared


def _fleet_of(config: "Config") -> "Fleet":
    """Returns the daemons that share the store. Those of this machine whose process is gone do not live, which the store learns seconds later."""
    import socket

    from monitor.model.fleet import Fleet
    from monitor.store.open import fleet_of

    try:
        found = fleet_of(config.store_location)
    except MonitorError:  # that the store cannot be read is said anyway
        return Fleet()
    host = socket.gethostname()
    gone = [one.id for one in found.living if _host_of(one) == host and not _exists(_process_of(one))]
    return replace(found, workers=tuple(replace(one, expires_in=0) if one.id in gone else one for one in found.workers))


def _own_of(fleet: "Fleet", config: "Config") -> "WorkerView | None":
    """Returns the daemon of this configuration on this machine, if it lives; another one may live at another address, or on another machine."""
    import socket

    host, url = socket.gethostname(), "" if config.web is None else config.web.own_url
    if config.web is not None and not url and not _accepts(config.web):
        return None  # its address is this machine's alone, so it is not in the store, and another daemon may be like it
    return next((one for one in fleet.living if one.url == url and _host_of(one) == host), None)


def _accepts(web: "Web") -> bool:
    """Returns whether anything listens at that address of this machine."""
    import socket

    try:
        socket.create_connection((web.host or "127.0.0.1", web.port), 1).close()
    except OSError:
        return False
    return True


def _host_of(worker: "WorkerView") -> str:
    return worker.name.rpartition(":")[0]


def _process_of(worker: "WorkerView") -> int:
    return int(worker.name.rpartition(":")[2])


def _exists(process: int) -> bool:
    import os

    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stored_overview(settings: "Settings", store: "Store", now: int) -> "tuple[Overview, list[LeftOut]]":
    """Returns the status from the store, and what cannot be read and is left out."""
    from monitor.cli.alerts import views_of
    from monitor.daemon.overview import Overview
    from monitor.daemon.unread_past import unread_past

    kept = store.load_readable()
    firing = {alert.fingerprint: alert for alert in kept.alerts}
    acks = [one for one in kept.acks if one.fingerprint in firing and one.holds(firing[one.fingerprint], now)]
    alerts = [(alert.state, view) for alert, view in views_of(settings, kept, annotated=False)]
    unread = unread_past(settings.config, settings.rules, kept.cursors, kept.lost_to, now)
    counts, backlog = store.counts(), store.backlog()
    return Overview(kept.cursors, alerts, kept.silences, acks, counts, backlog, unread=unread), kept.left_out


Line = tuple[str | Shaded, ...]
"""The pieces of a line."""
_LABEL: Final = 14
"""The columns of a row's name; a wrapped text is indented by as much."""


def _print(found: dict[str, Any]) -> None:
    for pieces in _head(found):
        say(*pieces, indent=2)
    is_known = found["alerts"] is not None
    rows = [_search(one, is_known=is_known) for one in _in_order(found["searches"])]
    say("")
    print_table(("SEARCH", "LAST POLL", Column("PAST READ", drop=1), "STATE"), rows[:_MOST_SEARCHES], _colour)
    if len(rows) > _MOST_SEARCHES:
        say(f"and {len(rows) - _MOST_SEARCHES} more searches: --json shows all")
    say("")
    for name, text in _details(found):
        say(f"{name:<{_LABEL}}{text}", indent=_LABEL if name else 0)


def _head(found: dict[str, Any]) -> Iterator[Line]:
    """Yields whether the daemon runs, and its problems."""
    if found["store"] is None:
        yield shaded(f"routee-monitor {found['version']} runs", "green"), f" since {_ago(found['since'])}"
    elif found["process"] is None:
        others = _holders(found.get("fleet"))
        yield shaded("routee-monitor is not running" + (" here." if others else "."), "red"), f" {found['why']}"
        if others:
            yield (f"Other daemons work on its store: {others}",)
    else:
        label = f"routee-monitor runs (process {found['process']}), but does not answer."
        yield shaded(label, "yellow"), f" {found['why']}"
    if found["store"] is not None:
        is_known = found["alerts"] is not None
        yield (f"{'The following is from' if is_known else 'Nothing is known from'} its store {found['store']}",)
    for warning in found["warnings"][:_MOST_WARNINGS]:
        yield shaded("warning:", "yellow"), f" {warning}"
    if len(found["warnings"]) > _MOST_WARNINGS:
        yield (f"and {len(found['warnings']) - _MOST_WARNINGS} more warnings: --json shows all",)


def _in_order(searches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the searches, those with problems first."""
    return sorted(searches, key=lambda one: (one["blind"] is None, not _is_late(one), one["caughtUp"] >= 1))


def _is_late(one: dict[str, Any]) -> bool:
    return one["age"] is None or one["age"] > _INTERVALS * one["every"]


def _search(one: dict[str, Any], *, is_known: bool) -> tuple[str, ...]:
    from monitor.model.format import percent

    name = f"{one['account']} {one['search']}"
    if not is_known:
        return name, _UNKNOWN, _UNKNOWN, _UNKNOWN
    polled = "never" if one["lastPoll"] is None else _ago(one["lastPoll"], one["age"])
    past = "all" if one["caughtUp"] >= 1 else f"{percent(one['caughtUp'], 0)}"
    if one["blind"] is not None:
        state = f"blind: {one['blind']}"
    elif _is_late(one):
        why = f": {one['trouble']}" if one.get("trouble") else ""
        state = ("late" if one["age"] is not None else "waits for its first poll") + why
    else:
        state = "ok" if one["caughtUp"] >= 1 else "reads the past"
    return name, polled, past, state


def _colour(row: Any) -> str | None:
    state = str(row[-1])
    return "red" if state.startswith("blind") else "yellow" if state != "ok" else None


def _details(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the further rows of the screen, each a name and a text."""
    yield from _alerts(found["alerts"])
    yield ("Outbox", _outbox(found["outbox"]))
    yield ("Dead letters", _count(found["deadLetters"], "notification", "alerts --dead-letters"))
    yield ("Unreadable", _count(found["setAside"], "record", "search --set-aside"))
    silences = found["silences"]
    active = _UNKNOWN if silences is None else f"{silences['active']} active, {silences['pending']} to come"
    yield ("Silences", active)
    yield from _fleet(found.get("fleet"), found["warnings"])


def _fleet(fleet: dict[str, Any] | None, warnings: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the daemons that share the store, with their accounts. What the ``warnings`` say already is not said again."""
    if fleet is None:
        return
    from monitor.daemon.fleet.fleet_json import held_by, is_old, left_of

    label = "Daemons"
    if is_old(fleet):
        as_of = fleet["asOf"]
        then = "" if as_of is None else f"as they were {_ago(as_of, fleet['age'])}: "
        yield (label, f"{then}this one has not heard from the store {'yet' if as_of is None else 'since'}")
        label = ""
    for one in fleet["workers"]:
        if one["isAlive"]:
            this = " (this one)" if one["isThis"] else ""
            accounts = ", ".join(held_by(one)) or "no account"
            left = "".join(
                f"; leaves {', '.join(names)} to others{_because(why, warnings)}" for why, names in left_of(one)
            )
            silent = f"; no sign of life since {_ago(one['lastSeen'])}" if one.get("lastSeen") else ""
            yield (
                label,
                f"{one['name']}{this}, {one['version']}, since {_ago(one['since'])}: {accounts}{silent}{left}",
            )
            label = ""
    for one in fleet["workers"]:
        if not one["isAlive"] and one.get("lastSeen"):
            yield ("", f"{one['name']}, {one['version']}: not heard of since {_ago(one['lastSeen'])}")
    nobodys = [one["account"] for one in fleet["accounts"] if one["worker"] is None]
    if nobodys:
        yield ("", f"nobody works for {', '.join(nobodys)}")


def _because(why: str, warnings: list[str]) -> str:
    """Returns why a daemon leaves an account to others: what it says last is the reason, which may be a warning's too, and there in full."""
    from monitor.daemon.fleet.left_reasons import unread

    reason = why.removeprefix(unread("")).removesuffix("…")
    if reason != why and any(reason in warning for warning in warnings[:_MOST_WARNINGS]):
        return ": it cannot read it from the store, see the warning above"
    return f": {why}" if why else ""


def _holders(fleet: dict[str, Any] | None) -> str:
    """Returns what each living daemon holds: ``host-b:12 holds main, otp``; empty if none lives."""
    living = [one for one in ([] if fleet is None else fleet["workers"]) if one["isAlive"]]
    return "; ".join(f"{one['name']} holds {', '.join(one['accounts']) or 'no account'}" for one in living)


def _outbox(outbox: dict[str, Any] | None) -> str:
    if outbox is None:
        return _UNKNOWN
    waiting = [f"{one['receiver']} {one['channel']} ({one['waiting']})" for one in outbox["channels"]]
    oldest = f", the oldest {_ago(outbox['oldest'])}: {', '.join(waiting)}" if waiting else ""
    return f"{outbox['waiting']} waiting{oldest}"


def _alerts(alerts: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if alerts is None:
        yield ("Alerts", _UNKNOWN)
        return
    by = ", ".join(f"{count} {severity}" for severity, count in alerts["bySeverity"].items())
    firing = f"{alerts['firing']} firing" + (f" ({by})" if by else "")
    reports = f", {alerts['reports']} reported" if alerts["reports"] else ""
    yield ("Alerts", f"{firing}, {alerts['pending']} pending, {alerts['acknowledged']} acknowledged{reports}")
    worst = alerts["worst"]
    if worst is not None:
        from monitor.cli.silenced import named_alert

        yield ("Worst", f"{worst['severity']} {named_alert(worst)}, since {_ago(worst['startsAt'])}")


def _count(number: int | None, noun: str, command: str) -> str:
    from monitor.model.plurals import plural

    if not number:
        return _UNKNOWN if number is None else "none"
    return f"{plural(number, noun)}: see `routee-monitor {command}`"


def _ago(time: str, age: float | None = None) -> str:
    """Returns ``2026-11-21 17:07:04Z (12s ago)``."""
    from monitor.model.format import duration
    from monitor.runtime.clock import SECOND, SystemClock, parse_iso

    span = SystemClock().now() - parse_iso(time) if age is None else round(age * SECOND)
    return f"{time[:19].replace('T', ' ')}Z ({duration(max(span, 0) // SECOND * SECOND)} ago)"
