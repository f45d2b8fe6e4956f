"""``routee-monitor explain``: why a rule does, or does not, fire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.reading import read_everything
from monitor.cli.table import print_json, print_table
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.alert import Alert
    from monitor.clock import Instant
    from monitor.evaluate import Judgement
    from monitor.finding import Finding
    from monitor.judge import Group, Judge
    from monitor.loading import Loaded
    from monitor.ring import Evaluation
    from monitor.rules import Rule
    from monitor.store.protocol import Loaded as Kept
    from monitor.store.protocol import Store

State = Literal["firing", "pending", "blind", "not_enough_data", "inactive"]
_ORDER: Final = ("firing", "blind", "pending", "inactive", "not_enough_data")
_UNASKED: Final = (
    "What Routee answers about the balance and about campaigns only the daemon knows: "
    "alerts are shown as it last judged them, other groups without those answers."
)
_COLOURS: Final = {"firing": "red", "blind": "magenta", "pending": "yellow", "not_enough_data": "bright_black"}


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its labels, how it stands, the numbers."""

    labels: dict[str, str]
    state: State
    finding: "Finding"
    why: str
    history: "tuple[Evaluation, ...]" = ()


@click.command(short_help="Show why a rule does or does not fire.")
@click.argument("name", metavar="RULE")
@config_option
@json_option
@level_option
@click.option("--watch", is_flag=True, help="Go on, and show it anew after each poll, until Ctrl-C.")
def explain(name: str, config: Path | None, as_json: bool, watch: bool) -> None:
    """Show each group of RULE: its value against the threshold now, and why it does or does not fire.

    It reads the daemon's store and shows what the daemon saw at its last poll.

    \b
    Exit codes: 0 shown; 1 there is no such rule; 69 there is no store or no
    poll yet; 65, 78 bad rules or configuration.
    """
    from monitor.cli.standing import standing

    loaded = read_everything(config)
    rule = _rule(name, loaded)
    if watch:
        _watch(rule, loaded, as_json)
        return
    with standing(loaded) as (store, kept):
        as_of, lines = _explained(rule, loaded, store, kept)
    if as_json:
        print_json(_as_json(rule, as_of, lines))
    else:
        _table(rule, as_of, lines)


def _watch(rule: "Rule", loaded: "Loaded", as_json: bool) -> None:
    """Each poll anew: on a terminal in place of what was shown before; as JSON, one line each."""
    from monitor.cli.watch import each_poll

    for as_of, lines in each_poll(loaded, lambda store, kept: _explained(rule, loaded, store, kept)):
        if as_json:
            print_json(_as_json(rule, as_of, lines), indent=None)
        else:
            click.clear()
            _table(rule, as_of, lines)


def _rule(name: str, loaded: "Loaded") -> "Rule":
    from monitor.written import suggest

    rules = {rule.name: rule for rule in loaded.settings.rules}
    if name not in rules:
        raise MonitorError(f"there is no rule {name!r}{suggest(name, sorted(rules))}")
    if not rules[name].enabled:
        file, line = rules[name].source
        raise MonitorError(f"the rule {name!r} is switched off (enabled: false, {file}:{line}), so nothing is judged")
    return rules[name]


def _explained(rule: "Rule", loaded: "Loaded", store: "Store", kept: "Kept") -> "tuple[Instant, list[Line]]":
    """As of when (the earliest of the accounts), and every group of every account."""
    from monitor.errors import StoreError
    from monitor.restore import restored_judge, restored_window

    config = loaded.settings.config
    key = store.secret("recipients")
    lines: list[Line] = []
    moments: list[Instant] = []
    for account in config.accounts:
        searches = [search.name for search in config.searches if search.account == account.name]
        if not searches or (rule.search is not None and rule.search not in searches):
            continue
        judge = restored_judge(restored_window(store, account.name, config, key), config, loaded.settings.rules, kept)
        span = judge.as_of(rule)
        if span is not None:
            moments.append(span[0])
            lines += _lines(rule, judge, *span, distinguish=len(config.accounts) > 1)
    if not moments:
        raise StoreError(f"the rule {rule.name!r} cannot be judged yet: not every search that it needs was polled once")
    return min(moments), sorted(lines, key=lambda line: _worst_first(rule, line))


def _worst_first(rule: "Rule", line: Line) -> tuple[int, int, float]:
    """By state, by levels crossed, then by how near the value is to the threshold or how far beyond it."""
    value, threshold = line.finding.value, line.finding.threshold
    nearness = 0.0 if value is None or threshold is None else value / (abs(threshold) or 1.0)
    return (
        _ORDER.index(line.state),
        -(line.finding.breached or 0),
        nearness if rule.comparison == "below" else -nearness,
    )


def _lines(
    rule: "Rule", judge: "Judge", as_of: "Instant", covered_since: "Instant", *, distinguish: bool
) -> Iterator[Line]:
    from monitor.cli.trend import trend
    from monitor.window import Reading

    judgement = _judged(rule, judge, judge.moment(rule, Reading(judge.window), as_of, covered_since))
    findings = list(judgement.findings())
    if not findings and not rule.grouping:
        findings = [judgement.of(())]
    blind = _blindness(rule, judge)
    alerts, recent = judge.alerts.get(rule.name, {}), trend(rule, judge)
    shown = {finding.group for finding in findings}
    findings += [judgement.of(group) for group, alert in alerts.items() if _stands(alert) and group not in shown]
    for finding in findings:
        labels = dict(finding.group) | ({"account": judge.account} if distinguish else {})
        yield Line(
            labels,
            *_standing(rule, _as_told(rule, finding, alerts), alerts.get(finding.group), blind),
            recent.of(rule.name, finding.group),
        )


def _stands(alert: "Alert") -> bool:
    return alert.state != "resolved"


def _as_told(rule: "Rule", finding: "Finding", alerts: "Mapping[Group, Alert]") -> "Finding":
    """The finding, or where it rests on what only the daemon was told by Routee, what the group's alert remembers of that."""
    from monitor.clock import iso

    alert = alerts.get(finding.group)
    if alert is None or not _stands(alert) or not _asks_routee(rule):
        return finding
    numbers = {name: getattr(alert, name) for name in ("value", "threshold", "messages", "matching")}
    return replace(finding, why=f"{alert.why} (at {iso(alert.as_of - alert.as_of % 1_000_000)})", **numbers)


def _asks_routee(rule: "Rule") -> bool:
    """Whether the rule rests on answers that the daemon gets from Routee and does not store."""
    from monitor.rules import Balance, Campaign

    return isinstance(rule, Balance | Campaign)


def _judged(rule: "Rule", judge: "Judge", moment: Any) -> "Judgement":
    from monitor.evaluate import evaluate

    try:
        return evaluate(rule, moment)
    except Exception as error:  # as in the daemon, where it becomes the alert RuleError
        raise MonitorError(f"the rule {rule.name!r} cannot be judged: {type(error).__name__}: {error}") from error


def _blindness(rule: "Rule", judge: "Judge") -> str:
    """Why a search that the rule needs cannot be seen; empty while all can."""
    from monitor.builtin import MONITOR_BLIND

    needed = (rule.search,) if rule.search is not None else judge.searches
    for group, alert in judge.alerts.get(MONITOR_BLIND.name, {}).items():
        if alert.state != "resolved" and dict(group).get("search") in needed:
            return alert.why
    return ""


def _standing(rule: "Rule", finding: "Finding", alert: "Alert | None", blind: str) -> "tuple[State, Finding, str]":
    state: State = "inactive" if alert is None or alert.state == "resolved" else alert.state
    if blind:
        kept = f" (its alert stays {state})" if state != "inactive" else ""
        return "blind", finding, f"frozen{kept}: {blind}; at the last poll: {finding.why}"
    if finding.breached is None and state != "firing":
        return "not_enough_data", finding, finding.why
    if state == "pending" and alert is not None:
        from monitor.alert import is_held_back
        from monitor.clock import iso

        held = f", held back: limit is {rule.limit}" if is_held_back(alert) else ""
        return state, finding, f"{finding.why}, since {iso(alert.pending_at)}{held}"
    return state, finding, finding.why


def _as_json(rule: "Rule", as_of: "Instant", lines: list[Line]) -> dict[str, Any]:
    from monitor.clock import iso

    groups = [
        {
            "labels": line.labels,
            "state": line.state,
            "value": line.finding.value,
            "threshold": line.finding.threshold,
            "baseline": line.finding.baseline,
            "messages": line.finding.messages,
            "matching": line.finding.matching,
            "why": line.why,
            "change": line.finding.change,
            "history": [_past(one) for one in line.history],
        }
        for line in lines
    ]
    return {"rule": rule.name, "kind": rule.kind, "as_of": iso(as_of), "groups": groups}


def _past(one: "Evaluation") -> dict[str, Any]:
    from monitor.clock import iso

    return {"as_of": iso(one.as_of), "value": one.value, "threshold": one.threshold, "messages": one.messages}


def _table(rule: "Rule", as_of: "Instant", lines: list[Line]) -> None:
    from monitor.cli.standing import Age
    from monitor.render.filters import amount, number, sparkline
    from monitor.view import unit_of

    file, number_of_line = rule.source
    click.echo(f"{rule.name} ({rule.kind}, {file}:{number_of_line}) as of {Age.of(as_of)}")
    if rule.description:
        click.echo(rule.description.strip())
    if _asks_routee(rule):
        click.echo(_UNASKED)
    if not lines:
        click.echo("No group has any messages in the window.")
        return

    def row(line: Line) -> tuple[str, ...]:
        finding, unit = line.finding, unit_of(rule, tuple(line.labels.items()))
        return (
            line.state.replace("_", " "),
            ", ".join(f"{name}={value}" for name, value in line.labels.items()) or "all",
            *(amount(value, unit) for value in (finding.value, finding.threshold, finding.baseline)),
            number(finding.messages),
            number(finding.matching),
            sparkline([one.value for one in line.history], 12),
            line.why,
        )

    columns = ("STATE", "GROUP", "VALUE", "THRESHOLD", "BASELINE", "MESSAGES", "MATCHING", "TREND", "WHY")
    print_table(columns, [row(line) for line in lines], lambda row: _COLOURS.get(row[0].replace(" ", "_")))
