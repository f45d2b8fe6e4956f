"""``routee-monitor render``: shows what a receiver would get for an alert."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.load import read_everything
from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.output import name_variables, say, say_lines, shaded
from monitor.cli.table import print_json
from monitor.runtime.errors import MonitorError, StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.model.notification import AlertView, Notification
    from monitor.notify.receivers import Preview

_LOOKED_AT: Final = 2_000
"""The number of latest notifications that are searched for an alert."""


@click.command(short_help="Show the notification that a receiver would get.")
@click.argument("receiver", required=False)
@config_option
@json_option
@level_option
@click.option("--alert", "name", metavar="FINGERPRINT|RULE", help="An alert from the store; default: an example.")
@click.option("--sample", "as_sample", is_flag=True, help="Show a sample of the rule; do not read the store.")
@click.option("--resolved", is_flag=True, help="Show the resolved notification.")
@click.option(
    "--channel", metavar="CHANNEL", help="Only this channel (slack/0); default: every channel of the receiver."
)
def render(
    receiver: str | None,
    config: Path | None,
    as_json: bool,
    name: str | None,
    as_sample: bool,
    resolved: bool,
    channel: str | None,
) -> int:
    """Show the notification that RECEIVER (default: the route's) would get for an alert. Nothing is sent.

    --alert takes a fingerprint or its first characters, or a rule (then its latest alert). The notification is shown as it was last sent, with the
    other alerts of its group or incident. An alert that was never sent is shown alone, as it is now.

    \b
    Exit codes: 0 shown; 1 there is no such receiver, channel, alert or rule;
    69 the store cannot be read; 65, 78 bad rules or configuration.
    """
    from monitor.cli.choices import known
    from monitor.notify.receivers import previews
    from monitor.runtime.clock import SystemClock

    name_variables()
    loaded = read_everything(config)
    receivers = {one.name: one for one in loaded.settings.config.receivers}
    chosen = receivers[known("receiver", receiver or loaded.settings.config.route.receiver, receivers)]
    notification = _notification(chosen.name, name, loaded, as_sample=as_sample, resolved=resolved)
    shown = previews(chosen, notification, loaded.templates, SystemClock())
    if channel is not None:
        shown = {channel: shown[known("channel", channel, shown)]}
    if as_json:
        print_json([_as_json(chosen.name, one, made) for one, made in shown.items()])
    else:
        for number, (one, made) in enumerate(shown.items()):
            say_lines("\n" if number else "", newline=False)
            _print(chosen.name, one, made)
    return 0


def _notification(
    receiver: str, name: str | None, loaded: "SettingsWithTemplates", *, as_sample: bool, resolved: bool
) -> "Notification":
    from monitor.cli.sample_alert import notification_to, sample

    is_sample = name is None or as_sample
    found = (
        notification_to(receiver, sample(name, loaded), loaded) if is_sample else _found(str(name), receiver, loaded)
    )
    return _over(found, loaded) if resolved and found.status == "firing" else found


def _over(notification: "Notification", loaded: "SettingsWithTemplates") -> "Notification":
    """Returns the notification in which everything is resolved."""
    import msgspec

    from monitor.cli.sample_alert import over
    from monitor.model.notification import common

    views = tuple(over(view, loaded) if view.status == "firing" else view for view in notification.alerts)
    annotations = common([view.annotations for view in views])
    return msgspec.structs.replace(
        notification, alerts=views, status="resolved", reason="all resolved", common_annotations=annotations
    )


def _found(name: str, receiver: str, loaded: "SettingsWithTemplates") -> "Notification":
    """Returns the latest notification of the alert, that to ``receiver`` if it got one; otherwise the alert alone in its present state."""
    import msgspec

    from monitor.cli.read_store import stored_state
    from monitor.cli.sample_alert import notification_to

    with stored_state(loaded.settings.config) as (store, kept):
        every = [outbox_row.notification for outbox_row in store.outbox_rows(limit=_LOOKED_AT)]
        outbox = [one for one in every if not _accounts_of(one) & kept.accounts_left_out]
        views = _present_views(loaded, kept.alerts)
        own = _own_fingerprint(name, [*(view for one in outbox for view in one.alerts), *views])
        sent = [one for one in outbox if any(name == view.rule or own == view.fingerprint for view in one.alerts)]
        if sent:
            latest = next((one for one in sent if one.receiver == receiver), sent[0])
            return msgspec.structs.replace(latest, receiver=receiver)
        present = [view for view in views if name == view.rule or own == view.fingerprint]
    if not present and kept.are_alerts_left_out:
        raise StoreDamaged(f"none of the alerts that can be read is {name!r}: see the warning above")
    if not present:
        from monitor.config.yaml import nearest

        rules = [rule.name for rule in loaded.settings.rules]
        near = None if name in rules else nearest(name, rules)
        raise MonitorError(
            f"the store knows no alert {name!r}, neither by its fingerprint nor by its rule"
            + (f"; did you mean {near!r}?" if near is not None else "; with --sample a rule needs none")
        )
    reason = "all resolved" if present[0].status == "resolved" else "first"
    return notification_to(receiver, present[0], loaded, reason=reason)


def _accounts_of(notification: "Notification") -> set[str]:
    return {view.labels.get("account", "") for view in notification.alerts}


def _present_views(loaded: "SettingsWithTemplates", alerts: Any) -> "list[AlertView]":
    """Returns every alert in its present state, those that fire first."""
    from monitor.alerts.evaluator import RuleEvaluator
    from monitor.alerts.view import Views
    from monitor.model.privacy import RecipientMask
    from monitor.window import Window

    settings = loaded.settings
    several = len(settings.config.accounts) > 1
    order = ("firing", "pending", "resolved")
    return [
        Views(
            RuleEvaluator(Window(alert.account, RecipientMask()), settings.rules, ()),
            loaded.templates,
            distinguish=several,
            time_zone=settings.config.time_zone_of(alert.account),
        ).view(alert)
        for alert in sorted(alerts, key=lambda alert: order.index(alert.state))
    ]


def _own_fingerprint(name: str, views: "Sequence[AlertView]") -> str:
    """Returns the own fingerprint of the alert that a fingerprint names, empty if there is none. Raises AmbiguousName."""
    from monitor.model.alert_names import NamedAlert, alert_named, is_fingerprint
    from monitor.model.label_fingerprint import label_fingerprint

    if not is_fingerprint(name) or any(name == view.rule for view in views):
        return ""
    # each once: an alert is in several notifications, and its labels change only with its severity
    shown = {(view.fingerprint, view.severity): view for view in views}.values()
    found = alert_named(name, (NamedAlert(one.fingerprint, label_fingerprint(one.labels), one.labels) for one in shown))
    return "" if found is None else found.own


def _as_json(receiver: str, channel: str, made: "Preview") -> dict[str, Any]:
    where = {"receiver": receiver, "channel": channel, "address": made.address, "headers": made.headers}
    return where | {"body": made.data}


def _print(receiver: str, channel: str, made: "Preview") -> None:
    from monitor.notify.render.sanitize import clean_lines

    say(shaded(" ".join(filter(None, (f"── {receiver} {channel}", made.address))), "bright_black"))
    headers = [f"{name}: {value}" for name, value in made.headers.items()]
    # data of messages may contain control sequences of terminals
    text = clean_lines(made.text, len(made.text))
    indent = 2 if channel.startswith("console/") else 0  # as the console itself does
    for line in [*headers, *([""] if headers else []), *text.splitlines()]:
        say(line, indent=indent)  # wrapped on a terminal, which would break words; elsewhere exactly what is sent
