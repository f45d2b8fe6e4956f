"""``routee-monitor alerts``: shows alerts that fire or are pending, past notifications, and dead letters."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.choices import OneOf
from monitor.cli.load import as_warning, read_as_it_runs
from monitor.cli.notifications import show_notifications
from monitor.cli.options import config_option, json_option, level_option, since_option, url_option, wide_option
from monitor.cli.output import say
from monitor.cli.suppression import SuppressionState, held_of
from monitor.cli.table import Column, is_wide, print_json, print_table
from monitor.cli.times import When

if TYPE_CHECKING:
    from monitor.alerts.view import Annotator
    from monitor.config.monitor import Config
    from monitor.config.rules import Rule
    from monitor.config.settings import Settings
    from monitor.model.alert import Alert
    from monitor.model.notification import AlertView
    from monitor.runtime.clock import Duration, Instant
    from monitor.store.protocol import Store, StoredState

_STATES: Final = {"firing": "active", "pending": "unprocessed", "resolved": "resolved"}
"""Alertmanager's name of each state."""


@click.command(short_help="Show what fires and what is pending.")
@config_option
@json_option
@wide_option
@level_option
@click.option(
    "--state",
    type=OneOf(["firing", "pending", "report", "resolved", "all"]),
    help="Only alerts in this state; default: firing, pending and reports.",
)
@click.option("--fail", is_flag=True, help="Exit with 1 if anything fires, for scripts. A report does not count.")
@click.option("--dead-letters", is_flag=True, help="Show notifications that were given up, with the reason.")
@click.option(
    "--notifications",
    "--history",
    "notifications",
    is_flag=True,
    help="Show which notifications were sent to whom and when, newest first; kept for 30 days.",
)
@since_option("7d", "With --notifications: how far back (7d), or a time.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="With --notifications: the most notifications to show.",
)
@url_option
def alerts(
    config: Path | None,
    as_json: bool,
    state: str | None,
    fail: bool,
    dead_letters: bool,
    notifications: bool,
    since: When,
    limit: int,
    url: str | None,
) -> int:
    """Show the alerts that fire or are pending, as of the daemon's last poll.

    It reads the daemon's store, so it works with and without a running daemon. It asks the running daemon whether an alert is
    silenced, inhibited, muted or acknowledged. If none answers, it shows the acknowledgements and silences of the store.

    \b
    Exit codes: 0 shown; 1 with --fail if anything fires; 69 there is no store
    or no poll yet; 78 bad configuration.
    """
    from monitor.cli.read_store import is_stale, stored_state
    from monitor.runtime.errors import StoreDamaged

    settings, wrong = read_as_it_runs(config)
    if wrong is not None:
        say(f"warning: {as_warning(wrong)}", err=True)
    with stored_state(settings.config) as (store, kept):
        if dead_letters:
            _dead_letters(store, as_json)
            return 0
        if notifications:
            from monitor.runtime.clock import SystemClock

            show_notifications(store.history(limit, since.relative_to(SystemClock().now())), as_json)
            return 0
        found = [
            (alert, view) for alert, view in views_of(settings, kept, annotated=as_json) if _is_wanted(alert, state)
        ]
        stale, counts = is_stale(kept, settings.config), store.counts()
    held = held_of(settings.config, url, kept, [view for _, view in found])
    if stale:
        say(f"warning: {stale}", err=True)
    if as_json:
        from monitor.runtime.clock import SystemClock

        now = SystemClock().now()
        print_json([_as_v2(alert, view, settings.config, held[view.fingerprint], now) for alert, view in found])
    else:
        if not found:
            say("No alerts.")
        else:
            _table(found, held, settings, kept)
        _footer(counts)
    fires = any(alert.state == "firing" and not alert.is_report for alert in kept.alerts)
    if fail and kept.are_alerts_left_out and not fires:
        names = ", ".join(sorted(kept.accounts_left_out))
        what = f"account {names} is left out" if names else "an alert cannot be read"
        raise StoreDamaged(f"{what}, so nobody knows whether anything fires there: see the warning above")
    return int(fail and fires)


def _is_wanted(alert: "Alert", state: str | None) -> bool:
    shown = "report" if alert.is_report and alert.state == "firing" else alert.state
    return shown in ("firing", "pending", "report") if state is None else state in ("all", shown)


def views_of(settings: "Settings", kept: "StoredState", *, annotated: bool) -> "Iterable[tuple[Alert, AlertView]]":
    """Returns every alert as it is shown, the worst first; only if they are to be ``annotated``, their templates are rendered."""
    if not kept.alerts:
        return ()
    from monitor.alerts.evaluator import RuleEvaluator
    from monitor.alerts.view import NoAnnotations, Views
    from monitor.model.privacy import RecipientMask
    from monitor.model.tone import URGENCY, tone
    from monitor.window import Window

    several = len(settings.config.accounts) > 1
    annotator = _annotator(settings.config) if annotated else NoAnnotations()
    views = {
        account: Views(
            RuleEvaluator(Window(account, RecipientMask()), settings.rules, ()),
            annotator,
            distinguish=several,
            time_zone=settings.config.time_zone_of(account),
        )
        for account in {alert.account for alert in kept.alerts}
    }
    found = [(alert, views[alert.account].view(alert)) for alert in kept.alerts]
    order = list(_STATES)

    def place(one: "tuple[Alert, AlertView]") -> tuple[int, int, "Instant"]:
        return order.index(one[0].state), URGENCY[tone(one[1].severity, "firing")], one[1].starts_at

    return sorted(found, key=place)


def _missing_before(
    found: "Iterable[tuple[Alert, AlertView]]", rules: "Mapping[str, Rule]", settings: "Settings", kept: "StoredState"
) -> "Mapping[str, Instant]":
    """Returns the firing alerts that do not end yet (`SearchCoverage.missing_before`), by fingerprint."""
    from monitor.alerts.coverage import SearchCoverage
    from monitor.daemon.search_plan import deepest_sweeps_of

    by_account: dict[str, SearchCoverage] = {}
    for account in {alert.account for alert, _ in found}:
        of_it = by_account[account] = SearchCoverage(
            one.name for one in settings.config.searches if one.account == account
        )
        of_it.cursors = {one.search: one for one in kept.cursors if one.account == account}
        of_it.deepest, of_it.lost_to = deepest_sweeps_of(account, settings.config), kept.lost_to(account)
    return {
        view.fingerprint: before
        for alert, view in found
        if alert.state == "firing"
        and not alert.is_report
        and alert.account in by_account
        and alert.rule in rules
        and (before := by_account[alert.account].missing_before(rules[alert.rule])) is not None
    }


def _annotator(config: "Config") -> "Annotator":
    from monitor.daemon.validate import templates_of

    return templates_of(config)


def _as_v2(
    alert: "Alert", view: "AlertView", config: "Config", held: "SuppressionState", now: "Instant"
) -> dict[str, Any]:
    """Returns an alert in the form of Alertmanager's API v2; ``state``, ``incident`` and those with ``own`` or ``acknowledged`` are ours."""
    from monitor.notify.render.alertmanager_payload import shown, shown_status

    external = (config.web.external_url or "") if config.web is not None else ""
    state = "suppressed" if held.is_suppressed and alert.state == "firing" else _STATES[alert.state]
    status = shown_status(state, held.silenced_by, held.inhibited_by, held.muted_by)
    return shown(view, status, held.receivers or (config.route.receiver,), now, external) | {
        "ownFingerprint": view.fingerprint,
        "acknowledgedBy": held.acknowledged_by,
        "acknowledgedComment": held.acknowledged_comment,
        "state": alert.state,
        **({} if alert.incident is None else {"incident": alert.incident.id}),
        **({"report": True} if alert.is_report else {}),
    }


def _table(
    found: "Iterable[tuple[Alert, AlertView]]",
    held: "Mapping[str, SuppressionState]",
    settings: "Settings",
    kept: "StoredState",
) -> None:
    from monitor.daemon.read.next_level import missing_words, next_level_words
    from monitor.model.format import datetime, duration
    from monitor.model.label_fingerprint import label_fingerprint
    from monitor.runtime.clock import SystemClock

    rules, config = {rule.name: rule for rule in settings.rules}, settings.config
    missing = _missing_before(found, rules, settings, kept)
    columns, now = ("FINGERPRINT", "OF ITS LABELS") if is_wide() else (), SystemClock().now()
    rows = [
        (
            "report" if alert.is_report and alert.state == "firing" else alert.state,
            view.severity,
            view.name,
            _group(alert, view, several=len(config.accounts) > 1),
            datetime(view.starts_at, "%m-%d %H:%M:%S"),
            "" if view.is_report else duration(_lasted(view, now)),
            *((view.fingerprint, label_fingerprint(view.labels)) if columns else ()),
            _why(view)
            + (
                missing_words(missing.get(view.fingerprint))
                or next_level_words(alert, rules.get(alert.rule), config, now)
            )
            + held[view.fingerprint].words
            + _incident(alert),
        )
        for alert, view in found
    ]
    since = (Column("SINCE (UTC)", whole=True), Column("FOR", drop=1, whole=True))
    print_table(("STATE", "SEVERITY", "ALERT", "GROUP", *since, *columns, "WHY"), rows, _colour)


def _group(alert: "Alert", view: "AlertView", *, several: bool) -> str:
    """Returns ``operator=Cosmote, country=GR``, and where there are ``several`` accounts ``account=main`` behind it."""
    from monitor.model.builtin_alerts import BUILT_IN

    built_in, group = BUILT_IN.get(alert.rule), dict(alert.group)
    if several and (built_in is None or built_in.of_account):
        group = {**group, "account": alert.account}
    elif not group and "account" in view.labels:
        group = {"account": view.labels["account"]}
    return ", ".join(f"{name}={value}" for name, value in group.items())


def _lasted(view: "AlertView", now: "Instant") -> "Duration":
    """Returns the time from SINCE until the alert's end, or until now; in whole seconds."""
    from monitor.runtime.clock import SECOND

    end = now if view.ends_at is None else view.ends_at
    return max(end - view.starts_at, 0) // SECOND * SECOND


def _incident(alert: "Alert") -> str:
    return "" if alert.incident is None else f"; incident {alert.incident.id}"


def _why(view: "AlertView") -> str:
    """Returns the sentence of the alert without its name, which has a column of its own."""
    import msgspec

    from monitor.notify.render import sentence
    from monitor.runtime.printable import line

    plain = msgspec.structs.replace(view, fires_on_until=None)  # that is said behind it, with `keep_firing_for`
    return line(sentence(plain)).removeprefix(line(view.name)).removeprefix(":").lstrip()


def _colour(row: Any) -> str:
    state, severity = row[0], row[1]
    if state != "firing":
        return "bright_black"
    return "red" if severity == "critical" else "yellow"


def _footer(counts: dict[str, int]) -> None:
    from monitor.model.plurals import plural

    if counts["dead"]:
        say(f"{plural(counts['dead'], 'notification')} could never be delivered: see `alerts --dead-letters`")
    if counts.get("quarantined"):
        say(f"{plural(counts['quarantined'], 'record')} could not be read: see `search --set-aside`")


def _dead_letters(store: "Store", as_json: bool) -> None:
    from monitor.runtime.clock import iso

    outbox_rows = store.outbox_rows("dead")
    if as_json:
        print_json(
            [
                {
                    "receiver": outbox_row.notification.receiver,
                    "channel": outbox_row.channel,
                    "key": outbox_row.notification.key,
                    "reason": outbox_row.notification.reason,
                    "status": outbox_row.notification.status,
                    "labels": outbox_row.notification.group_labels,
                    "createdAt": iso(outbox_row.notification.created_at),
                    "gaveUpAt": None if outbox_row.done_at is None else iso(outbox_row.done_at),
                    "attempts": outbox_row.attempts,
                    "error": outbox_row.error,
                }
                for outbox_row in outbox_rows
            ]
        )
        return
    rows = [
        (
            iso(outbox_row.notification.created_at // 1_000_000 * 1_000_000),
            f"{outbox_row.notification.receiver} {outbox_row.channel}",
            ", ".join(outbox_row.notification.group_labels.values()),
            outbox_row.notification.reason,
            outbox_row.error,
        )
        for outbox_row in outbox_rows
    ]
    if not rows:
        say("No dead letters.")
        return
    print_table(("WRITTEN", "CHANNEL", "GROUP", Column("REASON", 1), "WHY IT WAS GIVEN UP"), rows)
