"""What ``explain`` shows of an alert that the daemon raises about itself, for which there is no rule."""

from typing import TYPE_CHECKING, Any

from monitor.cli.output import Shaded, clear, say, shaded
from monitor.cli.table import print_json
from monitor.model.builtin_alerts import BUILT_IN, BuiltIn
from monitor.runtime.printable import line

if TYPE_CHECKING:
    from monitor.config.settings import Settings
    from monitor.model.alert import Alert
    from monitor.model.notification import AlertView
    from monitor.runtime.clock import Instant
    from monitor.store.protocol import Store, StoredState

    Found = tuple[Instant, list[tuple[Alert, AlertView]]]


def explain_built_in(name: str, chosen: "Alert | None", settings: "Settings", *, as_json: bool, watch: bool) -> None:
    """Shows whether the built-in alert of that name fires, since when, why, and what to do; with an alert ``chosen``, only that one."""
    from monitor.cli.read_store import stored_state
    from monitor.cli.watch import each_poll

    def found(_: "Store", kept: "StoredState") -> "Found":
        return _found(name, chosen, settings, kept)

    if not watch:
        with stored_state(settings.config) as (store, kept):
            shown = found(store, kept)
        _show(BUILT_IN[name], shown, as_json, indent=2)
        return
    for shown in each_poll(settings.config, found):
        if not as_json:
            clear()
        _show(BUILT_IN[name], shown, as_json, indent=None)


def _found(name: str, chosen: "Alert | None", settings: "Settings", kept: "StoredState") -> "Found":
    from monitor.cli.alerts import views_of

    as_of = max((cursor.as_of for cursor in kept.cursors), default=0)
    return as_of, [
        (alert, view)
        for alert, view in views_of(settings, kept, annotated=False)
        if alert.rule == name
        and (alert.state != "resolved" if chosen is None else alert.fingerprint == chosen.fingerprint)
    ]


def _show(built_in: BuiltIn, shown: "Found", as_json: bool, indent: int | None) -> None:
    if as_json:
        print_json(_as_json(built_in, *shown), indent)
    else:
        _print(built_in, *shown)


def _as_json(built_in: BuiltIn, as_of: "Instant", found: "list[tuple[Alert, AlertView]]") -> dict[str, Any]:
    from monitor.model.label_fingerprint import label_fingerprint
    from monitor.runtime.clock import iso

    groups = [
        {
            "labels": _labels(view),
            "fingerprint": view.fingerprint,
            "label_fingerprint": label_fingerprint(view.labels),
            "state": alert.state,
            "why": alert.why,
            "starts_at": iso(view.starts_at),
        }
        for alert, view in found
    ]
    head = {"rule": built_in.name, "kind": "builtin", "as_of": iso(as_of), "incident": None}
    return head | {"summary": built_in.summary, "advice": built_in.advice, "groups": groups}


def _print(built_in: BuiltIn, as_of: "Instant", found: "list[tuple[Alert, AlertView]]") -> None:
    from monitor.cli.read_store import DataAge
    from monitor.model.format import datetime, duration

    say(f"{built_in.name} ({built_in.severity}) as of {DataAge.of(as_of)}")
    say("An alert that the daemon raises about itself; there is no rule of that name.")
    say(f"It means: {built_in.summary}.")
    for alert, view in found:
        where = ", ".join(f"{name}={value}" for name, value in _labels(view).items())
        ended = "" if view.ends_at is None else f", resolved after {duration(view.ends_at - view.starts_at)}"
        say("")
        say(_state(alert), f"  {where}, since {datetime(view.starts_at)}{ended}: {line(alert.why)}", indent=8)
    if not found:
        say("It does not fire.")
    if any(alert.state != "resolved" for alert, _ in found):
        say("")
        say(built_in.advice)


def _state(alert: "Alert") -> Shaded:
    return shaded(alert.state, None if alert.state == "resolved" else "red")


def _labels(view: "AlertView") -> dict[str, str]:
    return {name: value for name, value in view.labels.items() if name not in ("alertname", "severity")}
