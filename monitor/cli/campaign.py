"""``routee-monitor campaign``: shows one campaign as Routee returns it, and what the rules for campaigns find."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.choices import unknown
from monitor.cli.every_page import every_page
from monitor.cli.load import read_everything
from monitor.cli.options import config_option, json_option, level_option, wide_option
from monitor.cli.output import say
from monitor.cli.progress import progress
from monitor.cli.table import print_json, print_table
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import MonitorError, RouteeError, RouteeRefused, RouteeRejected

if TYPE_CHECKING:
    from monitor.config.monitor import Account
    from monitor.config.rules import Rule
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.ingest.routee.client import Routee
    from monitor.model.account_state import AccountState
    from monitor.model.finding import Finding
    from monitor.model.routee_query import CampaignState
    from monitor.runtime.clock import Instant
    from monitor.window import Window

BINS: Final = 24
"""The number of spans of equal length in the timeline."""
_LABEL: Final = 11
"""The columns of a row's name; a wrapped text is indented by as much."""


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign as Routee returns it: its messages, and its own state if the account may ask for that."""

    tracking_id: str
    account: str
    at: "Instant"
    window: "Window"
    state: "CampaignState | None"
    account_state: "AccountState"
    """The daemon's knowledge of the account; empty if no daemon has stored any."""
    currency: str
    """That of the account (``EUR``); empty if it is not known."""


@click.command(short_help="Show the state of a campaign.")
@click.argument("tracking_id")
@config_option
@json_option
@wide_option
@level_option
@click.option("--account", metavar="ACCOUNT", help="The account; default: the first that knows the campaign.")
def campaign(tracking_id: str, config: Path | None, as_json: bool, account: str | None) -> None:
    """Show the campaign TRACKING_ID: its state, its messages by status and reason, its cost, its course, and what the rules
    for campaigns say: breached means that the threshold is crossed now. `alerts` says what is pending and what fires.

    \b
    Exit codes: 0 shown; 1 no account knows the campaign; 69 Routee cannot be
    reached; 65, 78 bad rules or configuration.
    """
    import trio

    loaded = read_everything(config)
    settings = loaded.settings
    accounts = [one for one in settings.config.accounts if account in (None, one.name)]
    if not accounts:
        raise unknown("account", account or "", [one.name for one in settings.config.accounts])
    known = _known(loaded)
    with progress("asking Routee"):
        seen = trio.run(_seen, tracking_id, accounts, known)
    shown = _shown(seen) | {"rules": [_finding(rule, one) for rule, one in _campaign_findings(seen, settings.rules)]}
    if as_json:
        print_json(shown)
    else:
        _print(shown)


def _known(loaded: "SettingsWithTemplates") -> "Mapping[str, AccountState]":
    """Returns the daemon's stored answers for each account; empty if it has no readable store."""
    from monitor.cli.read_store import stored_state
    from monitor.runtime.errors import StoreError

    try:
        with stored_state(loaded.settings.config) as (_, kept):
            return kept.account_states
    except StoreError:
        return {}


async def _seen(tracking_id: str, accounts: "Sequence[Account]", kept: "Mapping[str, AccountState]") -> CampaignView:
    """Returns the campaign as the first account that knows it returns it."""
    from monitor.daemon.account_client import routee_client
    from monitor.model.account_state import NOTHING_KNOWN
    from monitor.runtime.clock import SystemClock
    from monitor.window import Window

    clock = SystemClock()
    for account in accounts:
        async with routee_client(account, clock) as routee:
            window = Window(account.name)
            known = await _messages(routee, tracking_id, window)
            state = await _state(routee, tracking_id)
            if known or state is not None:
                account_state = kept.get(account.name, NOTHING_KNOWN)
                currency = await _currency(routee, account_state)
                return CampaignView(tracking_id, account.name, clock.now(), window, state, account_state, currency)
    names = ", ".join(account.name for account in accounts)
    raise MonitorError(f"no campaign {tracking_id!r} is known to {names}")


async def _messages(routee: "Routee", tracking_id: str, window: "Window") -> bool:
    """Fills the window; returns False if the account does not know the campaign."""
    try:
        async for page in every_page(lambda number: routee.campaign(tracking_id, page=number)):
            page.batch.replace("campaignTrackingId", [tracking_id] * len(page.batch))
            window.upsert(page.batch, "")
    except RouteeRejected:
        return False
    return True


async def _state(routee: "Routee", tracking_id: str) -> "CampaignState | None":
    """Returns the campaign's state; None if the account may not ask, or does not know the campaign."""
    try:
        return await routee.campaign_state(tracking_id)
    except (RouteeRejected, RouteeRefused):
        return None
    except RouteeError as error:
        say(f"the campaign's own state is not known: {error}", err=True)
        return None


async def _currency(routee: "Routee", kept: "AccountState") -> str:
    """Returns the account's currency, which Routee says with its balance; empty if it does not say it."""
    if kept.balances:
        return kept.balances[-1].balance.currency
    try:
        return (await routee.balance()).currency
    except RouteeError:
        return ""


def _shown(seen: CampaignView) -> dict[str, Any]:
    """Returns the campaign in numbers, as ``--json`` prints it."""
    import numpy as np

    from monitor.model.message import DELIVERED, FAILURES, UNKNOWN
    from monitor.runtime.clock import iso
    from monitor.window import Query, WindowReader
    from monitor.window.aggregates import unpriced
    from monitor.window.campaign_progress import among
    from monitor.window.columns import PRICE_UNIT

    reading, state = WindowReader(seen.window), seen.state
    rows = reading.rows(Query(-1, 1 << 62))
    failed = among(reading, rows, FAILURES)
    dates = seen.window.columns["date"][rows]
    statuses = reading.split(rows, "status")
    names = [name for name in reading.split(rows, "campaign") if name != UNKNOWN]
    total = len(rows)
    prices = np.maximum(seen.window.columns["price"][rows].astype(np.int64), 0)

    def when(instant: "Instant | None") -> str | None:
        return None if instant is None else iso(instant)

    return {
        "tracking_id": seen.tracking_id,
        "account": seen.account,
        "name": (state.name if state else "") or (names[0] if names else None),
        "state": state.state if state else None,
        "recipients": state.recipients if state else None,
        "scheduled_at": when(state.scheduled_at) if state else None,
        "created_at": when(state.created_at) if state else None,
        "messages": total,
        "delivered": statuses.get(DELIVERED, 0) / total if total else None,
        "failed": int(np.count_nonzero(failed)) / total if total else None,
        "statuses": _largest_first(statuses),
        "reasons": _largest_first(reading.split(rows[failed], "detailedStatus")),
        "cost": int(prices.sum()) / PRICE_UNIT,
        "currency": seen.currency or None,
        "unpriced": int(unpriced(reading, Query(-1, 1 << 62)).counts.sum()),
        "unreadable": {one.field: one.value for one in state.unread} if state else {},
        "first_report": when(int(dates.min())) if total else None,
        "last_report": when(int(dates.max())) if total else None,
        "timeline": _timeline(dates, failed),
    }


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _timeline(dates: Any, failed: Any) -> list[dict[str, Any]]:
    """Returns how many messages got their present status in each span, and how many of them failed."""
    import numpy as np

    from monitor.runtime.clock import iso

    if not len(dates):
        return []
    start, length = int(dates.min()), max((int(dates.max()) - int(dates.min())) // BINS + 1, 1)
    bins = (dates - start) // length
    counts = [np.bincount(some, minlength=BINS).tolist() for some in (bins, bins[failed])]
    return [
        {"at": iso(start + number * length), "messages": messages, "failed": bad}
        for number, (messages, bad) in enumerate(zip(*counts, strict=True))
    ]


def _campaign_findings(seen: CampaignView, rules: "Sequence[Rule]") -> "list[tuple[Rule, Finding]]":
    """Returns the findings of the rules about campaigns for this one."""
    from monitor.alerts.kinds import EvaluationInput, evaluate
    from monitor.window import WindowReader

    account_state = seen.account_state if seen.state is None else seen.account_state.with_campaign(seen.at, seen.state)
    inputs = EvaluationInput(WindowReader(seen.window), seen.at, 0, (), account_state)
    found: list[tuple[Rule, Finding]] = []
    for rule in rules:
        if rule.enabled and rule.is_of_one_campaign:
            whole = rule.model_copy(update={"search": None})  # it is unknown which search returns these messages
            found += [(rule, finding) for finding in evaluate(whole, inputs).findings()]
    return found


def _finding(rule: "Rule", finding: "Finding") -> dict[str, Any]:
    state = "not_enough_data" if finding.breached is None else "breached" if finding.breached else "inactive"
    return {
        "rule": rule.name,
        "labels": dict(finding.group),
        "state": state,
        "value": finding.value,
        "threshold": finding.threshold,
        "why": finding.why,
    }


def _print(shown: dict[str, Any]) -> None:
    from monitor.model.format import number, percent, sparkline
    from monitor.model.plurals import plural

    say(f"{shown['name'] or 'A campaign without a name'} ({shown['tracking_id']}) of account {shown['account']}")
    state = shown["state"] or "not known: this account may not ask for it"
    times = [f"{word} {shown[key]}" for word, key in (("created", "created_at"), ("due", "scheduled_at")) if shown[key]]
    _print_row("State", ", ".join([state, *times]))
    recipients = "" if shown["recipients"] is None else f" for {number(shown['recipients'])} recipients"
    late = f", {plural(shown['unpriced'], 'message')} without a price yet" if shown["unpriced"] else ""
    cost = " ".join(filter(None, (number(shown["cost"], 2), shown["currency"])))
    spent = f"{'at least ' if late else ''}{cost} spent{late}"
    _print_row("Messages", f"{number(shown['messages'])}{recipients}, {spent}")
    if shown["unreadable"]:
        lost = ", ".join(f"{name} {value}" for name, value in shown["unreadable"].items())
        _print_row("Unreadable", f"{lost}: counts as missing")
    if not shown["messages"]:
        return
    _print_row("Delivered", f"{percent(shown['delivered'])} of all messages, failed {percent(shown['failed'])}")
    for title, counts in (("Statuses", shown["statuses"]), ("Reasons", shown["reasons"])):
        if counts:
            _print_row(title, ", ".join(f"{name} {number(count)}" for name, count in counts.items()))
    for title, key in (("Reports", "messages"), ("Failures", "failed")):
        progress = sparkline([float(span[key]) for span in shown["timeline"]])
        _print_row(title, f"{progress}  {shown['first_report']} to {shown['last_report']}")
    _print_rules(shown["rules"])


def _print_row(title: str, text: str) -> None:
    say(f"{title:<{_LABEL}}{text}", indent=_LABEL)


def _print_rules(rules: list[dict[str, Any]]) -> None:
    if not rules:
        return
    say("")
    from monitor.model.finding import why_beside

    rows = [
        (
            one["rule"],
            one["labels"].get("problem", ""),
            one["state"].replace("_", " "),
            why_beside(one["state"], one["why"]),
        )
        for one in rules
    ]
    print_table(("RULE", "PROBLEM", "STATE", "WHY"), rows, lambda row: "red" if row[2] == "breached" else "")
