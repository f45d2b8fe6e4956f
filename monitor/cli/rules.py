"""``routee-monitor rules review``: shows what each rule did in the account's own past, and what would suit it better."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.choices import known
from monitor.cli.load import read_everything
from monitor.cli.options import config_option, duration, json_option, level_option, since_option
from monitor.cli.output import say
from monitor.cli.table import print_json
from monitor.cli.times import When

if TYPE_CHECKING:
    from monitor.config.settings import Settings
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.runtime.clock import Duration, Instant
    from monitor.simulation.backtest.run import AccountMessages
    from monitor.simulation.review.alerts import PastAlert
    from monitor.simulation.review.verdict import RuleReview


@click.group(short_help="Review the rules by what they did.")
@config_option
@click.pass_context
def rules(ctx: click.Context, config: Path | None) -> None:
    """Review the rules of the configuration by what they did.

    \b
    Exit codes: 0 shown; 1 there are no rules; 65 bad rules; 69 there is no
    store or no poll; 78 bad configuration.
    """
    ctx.obj = config


@rules.command(short_help="Show what each rule did in the past, and what would suit it better.")
@config_option
@json_option
@level_option
@since_option("30d", "How far back (30d), or a time; at most 30d are kept.")
@click.option(
    "--rule",
    "names",
    metavar="NAME",
    multiple=True,
    help="Only this rule, evaluated more often; can be given several times.",
)
@click.option(
    "--every",
    type=duration,
    metavar="DURATION",
    help="How often rules are evaluated over the past; default: as often as the searches poll, or less often.",
)
@click.pass_obj
def review(
    above: Path | None,
    config: Path | None,
    as_json: bool,
    since: When,
    names: Sequence[str],
    every: "Duration | None",
) -> None:
    """Show what each rule did in the past, the worst rule first, with one sentence of advice.

    It reads the daemon's store: which alerts were raised, how long they fired, and who acknowledged or silenced them. It also evaluates the rules as
    they are now over the stored messages: whether they could have fired, how near they came, and which of them alert together. It sends nothing.

    \b
    routee-monitor rules review --since 14d

    \b
    Exit codes: 0 shown; 1 there are no rules, or no such rule; 65 bad rules;
    69 there is no store or no poll; 78 bad configuration.
    """
    loaded = read_everything(config or above)
    reviews = _reviews(loaded, since, names, every)
    if as_json:
        from monitor.simulation.review.report import as_json as entries

        print_json({"rules": entries(reviews)})
        return
    from monitor.simulation.review.report import lines

    for line in lines(reviews):
        say(line, indent=2)
    for rule in loaded.settings.rules:
        if not rule.enabled and not names:
            say(f"{rule.name} is switched off.")


def _reviews(
    loaded: "SettingsWithTemplates", since: When, names: Sequence[str], every: "Duration | None"
) -> "list[RuleReview]":
    from monitor.cli import history as past
    from monitor.cli.backtest import judged, span_of
    from monitor.runtime.clock import SystemClock
    from monitor.runtime.errors import MonitorError
    from monitor.simulation.backtest import Subject
    from monitor.simulation.review.reach import Observer
    from monitor.simulation.review.rules import reviews_of

    for name in names:
        known("rule", name, (rule.name for rule in loaded.settings.rules))
    chosen = [rule for rule in loaded.settings.rules if (rule.name in names if names else rule.enabled)]
    if not chosen:
        raise MonitorError("there are no rules to review: see `rules` in the configuration")
    subjects = [Subject(rule.model_copy(update={"enabled": True}), rule.name) for rule in chosen]
    history = past.from_store(loaded, past.HistoryQuery(since, None, max(rule.reach for rule in chosen)))
    span = span_of(history, subjects, every)
    observer = Observer(span)
    found = judged(history, subjects, span, "evaluating the rules", observer.watch)
    now = max(SystemClock().now(), history.until)
    covered = max(since.relative_to(now), min(account.covered_since for account in history.accounts))
    windows = [account.known for account in history.accounts]
    start, alerts = _raised(loaded, covered)
    first = min((one.begun for one in alerts if one.begun is not None), default=now)
    start = max(start, min(_first_start(loaded.settings, history.accounts), first, now))
    return reviews_of(found, observer, windows, alerts, start, now)


def _first_start(settings: "Settings", accounts: "Sequence[AccountMessages]") -> "Instant":
    """About when the daemon started first: it then read its first messages, as far back as its searches and rules look. Later if they are not all
    read."""
    from monitor.model.routee_query import LOOK_BACK

    sweeps = [sweep.back for search in settings.config.searches for sweep in search.resweep]
    farthest = max([0, *sweeps, *(rule.reach for rule in settings.rules if rule.enabled)])
    return min(account.covered_since for account in accounts) + min(farthest, LOOK_BACK)


def _raised(loaded: "SettingsWithTemplates", start: "Instant") -> "tuple[Instant, list[PastAlert]]":
    """The alerts that fired since then, from the store; and since when they are all read, which is later if there are very many."""
    from monitor.alerts.alert_episodes import alert_episodes
    from monitor.cli.alert_history import MOST_READ, silences_of
    from monitor.cli.read_store import stored_state
    from monitor.simulation.review.alerts import raised

    names = {rule.name: rule for rule in loaded.settings.rules}
    with stored_state(loaded.settings.config) as (store, kept):
        latest = store.transitions(MOST_READ)
    found = alert_episodes(reversed(latest))
    if len(latest) == MOST_READ:
        start = max(start, latest[-1].at)
    return start, [
        raised(one, silenced=bool(silences_of(one, names, kept.silences)))
        for one in found
        if one.fired and (one.ended_at is None or one.ended_at >= start) and one.account not in kept.accounts_left_out
    ]
