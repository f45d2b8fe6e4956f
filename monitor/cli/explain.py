"""``routee-monitor explain``: shows why a rule does, or does not, fire."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.choices import known
from monitor.cli.load import read_settings
from monitor.cli.options import config_option, json_option, level_option, wide_option
from monitor.cli.output import clear, height_of_output, rows_taken, say
from monitor.cli.table import Column, is_wide, print_json, print_table
from monitor.runtime.errors import MonitorError, StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.alerts.evaluation_history import Evaluation
    from monitor.cli.findings import GroupLine
    from monitor.config.rules import Rule
    from monitor.config.settings import Settings
    from monitor.model.alert import Alert
    from monitor.runtime.clock import Instant
    from monitor.store.protocol import Store, StoredState

    Found = Callable[[Store, StoredState], tuple[Instant, list[GroupLine]]]

_UNASKED: Final = (
    "Only the daemon knows Routee's answers about the balance and campaigns. Alerts are shown as of the daemon's last evaluation; "
    "other groups are shown without those answers."
)
_COLOURS: Final = {"firing": "red", "blind": "magenta", "pending": "yellow", "not_enough_data": "bright_black"}


@click.command(short_help="Show why a rule does or does not fire.")
@click.argument("name", metavar="RULE|FINGERPRINT")
@config_option
@json_option
@wide_option
@level_option
@click.option("--watch", is_flag=True, help="Show it again after each poll, until Ctrl-C.")
@click.option("--all", "everything", is_flag=True, help="On a terminal: show every group, also those that do not fit.")
def explain(name: str, config: Path | None, as_json: bool, watch: bool, everything: bool) -> None:
    """Show each group of RULE: its value against the threshold now, and why it does or does not fire. Of an alert's fingerprint, or its first
    characters, show that alert's group. Of an alert that the daemon raises about itself, such as MonitorBlind, show whether it fires, since when,
    why, and what to do.

    It reads the daemon's store and shows what the daemon saw at its last poll.

    \b
    Exit codes: 0 shown; 1 there is no such rule or alert; 69 there is no store
    or no poll yet; 65, 78 bad rules or configuration.
    """
    from monitor.cli.explain_built_in import explain_built_in
    from monitor.cli.findings import explained
    from monitor.cli.read_store import stored_state
    from monitor.model.builtin_alerts import BUILT_IN

    settings = read_settings(config)
    alert = _alert(name, settings)
    named = name if alert is None else alert.rule
    if named in BUILT_IN:
        explain_built_in(named, alert, settings, as_json=as_json, watch=watch)
        return
    rule, group = _rule(named, settings), _labels(alert, settings)

    def found(store: "Store", kept: "StoredState") -> "tuple[Instant, list[GroupLine]]":
        as_of, lines = explained(rule, settings, store, kept)
        return as_of, [line for line in lines if group in (None, line.labels)]

    if watch:
        _watch(rule, settings, found, as_json, everything)
        return
    with stored_state(settings.config) as (store, kept):
        as_of, lines = found(store, kept)
    if as_json:
        print_json(_as_json(rule, as_of, lines))
    else:
        _table(rule, as_of, lines, 0 if everything else height_of_output())


def _watch(rule: "Rule", settings: "Settings", found: "Found", as_json: bool, everything: bool) -> None:
    """Prints the table after each poll. A terminal is cleared before; JSON gets one line for each poll."""
    from monitor.cli.watch import each_poll

    for as_of, lines in each_poll(settings.config, found):
        if as_json:
            print_json(_as_json(rule, as_of, lines), indent=None)
        else:
            clear()
            _table(rule, as_of, lines, 0 if everything else height_of_output())


def _alert(name: str, settings: "Settings") -> "Alert | None":
    """Returns the alert that a fingerprint names, if it is no rule's name; None if there is none. Raises AmbiguousName."""
    from monitor.cli.alerts import views_of
    from monitor.cli.read_store import stored_state
    from monitor.model.alert_names import NamedAlert, alert_named, is_fingerprint
    from monitor.model.label_fingerprint import label_fingerprint

    if not is_fingerprint(name) or any(rule.name == name for rule in settings.rules):
        return None
    with stored_state(settings.config) as (_, kept):
        known = {view.fingerprint: (alert, view) for alert, view in views_of(settings, kept, annotated=False)}
    named = (NamedAlert(own, label_fingerprint(view.labels), view.labels) for own, (_, view) in known.items())
    found = alert_named(name, named)
    if found is None and kept.are_alerts_left_out:
        raise StoreDamaged(f"none of the alerts that can be read has the fingerprint {name!r}: see the warning above")
    return None if found is None else known[found.own][0]


def _labels(alert: "Alert | None", settings: "Settings") -> dict[str, str] | None:
    """Returns the labels of the alert's group, as `GroupLine` has them; None without an alert."""
    if alert is None:
        return None
    return dict(alert.group) | ({"account": alert.account} if len(settings.config.accounts) > 1 else {})


def _rule(name: str, settings: "Settings") -> "Rule":
    rules = {rule.name: rule for rule in settings.rules}
    if name not in rules and (accounts := _accounts_with_alerts_of(name, settings)):
        raise MonitorError(_of_missing_rule(name, accounts, settings))
    if not rules[known("rule", name, rules)].enabled:
        file, line = rules[name].source
        raise MonitorError(f"the rule {name!r} is switched off (enabled: false, {file}:{line}), so it is not evaluated")
    return rules[name]


def _accounts_with_alerts_of(rule: str, settings: "Settings") -> list[str]:
    """Returns the accounts on which the store has alerts of the rule that are not over; none without a store."""
    from monitor.cli.read_store import stored_state
    from monitor.runtime.errors import StoreError

    try:
        with stored_state(settings.config) as (_, kept):
            return sorted({one.account for one in kept.alerts if one.rule == rule and one.state != "resolved"})
    except StoreError:
        return []


def _of_missing_rule(name: str, accounts: list[str], settings: "Settings") -> str:
    wait = (
        "all daemons on the store have the same rules; `routee-monitor status` there says for which one they wait"
        if settings.config.by_account
        else "the daemon has read that"
    )
    return (
        f"the rule {name!r} is not in this configuration: removed, or not read yet here; its alerts on account "
        f"{', '.join(accounts)} stay as they are until {wait}"
    )


def _as_json(rule: "Rule", as_of: "Instant", lines: "list[GroupLine]") -> dict[str, Any]:
    from monitor.runtime.clock import iso

    groups = [
        {
            "labels": line.labels,
            "fingerprint": None if line.fingerprints is None else line.fingerprints[0],
            "label_fingerprint": None if line.fingerprints is None else line.fingerprints[1],
            "state": line.state,
            "value": line.finding.value,
            "threshold": line.finding.threshold,
            "baseline": line.finding.baseline,
            "messages": line.finding.messages,
            "matching": line.finding.matching,
            "why": line.why,
            "change": line.finding.change,
            "fires_on_until": None if line.fires_on_until is None else iso(line.fires_on_until),
            "history": [_past(one) for one in line.history],
        }
        for line in lines
    ]
    incident = None if rule.incident is None else {"name": rule.incident.name, "by": list(rule.incident.by)}
    return {"rule": rule.name, "kind": rule.kind, "as_of": iso(as_of), "incident": incident, "groups": groups}


def _past(one: "Evaluation") -> dict[str, Any]:
    from monitor.runtime.clock import iso

    return {"as_of": iso(one.as_of), "value": one.value, "threshold": one.threshold, "messages": one.messages}


def _table(rule: "Rule", as_of: "Instant", lines: "list[GroupLine]", height: int = 0) -> None:
    """Prints the groups as a table; ``height`` is the number of terminal rows that it has to fit, 0 for no limit."""
    from monitor.alerts.kinds import unit_of
    from monitor.cli.findings import asks_routee
    from monitor.cli.read_store import DataAge
    from monitor.model.alert import is_report
    from monitor.model.finding import why_beside
    from monitor.model.format import amount, number, sparkline

    wide = is_wide() and any(line.fingerprints for line in lines)
    file, number_of_line = rule.source
    head = [f"{rule.name} ({rule.kind}, {file}:{number_of_line}) as of {DataAge.of(as_of)}"]
    head += [_UNASKED] if asks_routee(rule) else []
    head += [] if rule.incident is None else [f"Its alerts are of incidents: {rule.incident.words}."]
    described = (rule.description or "").strip().splitlines()
    if (
        not height or sum(map(rows_taken, [*head, *described])) <= height // 2
    ):  # the groups have priority over the description
        head[1:1] = described
    for line_of_head in head:
        say(line_of_head)
    if not lines:
        say("No group has any messages in the window.")
        return

    def row(line: "GroupLine") -> tuple[str, ...]:
        labels = tuple(line.labels.items())
        finding, unit = line.finding, unit_of(rule, labels)
        return (
            "report" if line.state == "firing" and is_report(labels) else line.state.replace("_", " "),
            ", ".join(f"{name}={value}" for name, value in line.labels.items()) or "all",
            amount(finding.value, unit, finding.threshold),
            amount(finding.threshold, unit, finding.value),
            amount(finding.baseline, unit),
            number(finding.messages),
            number(finding.matching),
            sparkline([one.value for one in line.history], 12),
            *((line.fingerprints or ("", "")) if wide else ()),
            why_beside(line.state, line.why),
        )

    columns = (
        "STATE",
        "GROUP",
        "VALUE",
        Column("THRESHOLD", 2),
        Column("BASELINE", 3),
        Column("MESSAGES", 4),
        Column("MATCHING", 5),
        Column("TREND", 1),
        *(("FINGERPRINT", "OF ITS LABELS") if wide else ()),
        "WHY",
    )
    left = height - sum(map(rows_taken, head)) - 1  # one row is left for the cursor
    print_table(columns, [row(line) for line in lines], _colour, height and max(left, 4))


def _colour(row: "Sequence[str]") -> str | None:
    return _COLOURS.get(row[0].replace(" ", "_"))
