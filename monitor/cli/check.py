"""``routee-monitor check``: checks configuration, rules and templates, and with ``--online`` that Routee and the receivers answer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.check_warnings import ending_certificate, exposed_secrets, warnings_of
from monitor.cli.load import look_outside, read_everything
from monitor.cli.options import config_option, find_config, json_option, level_option, wide_option
from monitor.cli.output import name_variables, say
from monitor.cli.table import Column, print_json, print_table
from monitor.runtime.errors import InputError

if TYPE_CHECKING:
    from monitor.config.monitor import Config
    from monitor.config.rules import Rule
    from monitor.daemon.validate import SettingsWithTemplates

EXIT_UNAVAILABLE = 69


@click.command(short_help="Check configuration, rules and templates.")
@config_option
@json_option
@wide_option
@level_option
@click.option(
    "--online",
    is_flag=True,
    help="Also ask Routee for a token and a page of each search, and try the receivers' credentials.",
)
def check(config: Path | None, as_json: bool, online: bool) -> int:
    """Check the configuration, the rules and the templates, and list what they contain.

    Every error of every file is listed with its line and column. Nothing is sent to anybody; --online only asks.

    \b
    Exit codes: 0 all is well; 65 bad rules; 78 bad or missing configuration or
    bad templates; 69 with --online, if Routee or a receiver does not answer as
    it should.
    """
    name_variables()
    config_file = find_config(config)
    try:
        loaded = read_everything(config_file, late_secrets=False)
        look_outside()
    except InputError as error:
        if as_json:
            print_json({"config": str(config_file), "problems": [_problem(problem) for problem in error.problems]})
        raise
    warnings = [*exposed_secrets(loaded, config_file), *ending_certificate(loaded), *warnings_of(loaded)]
    if not as_json:
        _tables(loaded)
        for warning in warnings:
            say(f"warning: {warning}", err=True, indent=2)
    answers = _ask(loaded, as_json) if online else []
    failed = sum(not answer["ok"] for answer in answers)
    if as_json:
        print_json(_as_json(config_file, loaded) | {"warnings": warnings, "online": answers if online else None})
    else:
        say("")
        say(_verdict(config_file, loaded, len(warnings), failed))
    return EXIT_UNAVAILABLE if failed else 0


def _problem(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "column", "path", "message")}


def _as_json(config_file: Path, loaded: "SettingsWithTemplates") -> dict[str, Any]:
    config = loaded.settings.config
    return {
        "config": str(config_file),
        "problems": [],
        "accounts": [account.name for account in config.accounts],
        "searches": [{"name": search.name, "account": search.account} for search in config.searches],
        "rules": [
            {
                "name": rule.name,
                "kind": rule.kind,
                "enabled": rule.enabled,
                "file": rule.source[0],
                "line": rule.source[1],
            }
            for rule in loaded.settings.rules
        ],
        "receivers": [
            {"name": receiver.name, "channels": [channel for channel, _ in receiver.channels]}
            for receiver in config.receivers
        ],
        "routes": _count_routes(config),
        "inhibit_rules": len(config.inhibit_rules),
        "time_intervals": [one.name for one in config.time_intervals],
        "templates": sorted(loaded.templates.names),
    }


def _verdict(config_file: Path, loaded: "SettingsWithTemplates", warnings: int, failed: int) -> str:
    """Returns the last line, which is seen however long the tables are. ``failed`` is how many of the questions of ``--online`` failed."""
    from monitor.model.plurals import plural
    from monitor.store.open import missing_for

    config, rules = loaded.settings.config, sum(rule.enabled for rule in loaded.settings.rules)
    counts = [plural(rules, "rule"), plural(len(config.receivers), "receiver")]
    counts += [plural(warnings, "warning")] if warnings else []
    but = ", but the daemon cannot start here: see the warnings" if missing_for(config.store_location) else ""
    but += f", but {plural(failed, 'question')} failed: see ✗" if failed else ""
    return f"{config_file}: good{but}. {', '.join(counts)}. Everything is kept in {config.store_location}"


def _tables(loaded: "SettingsWithTemplates") -> None:
    config = loaded.settings.config
    print_table(("ACCOUNT", "API"), [(account.name, account.api_url) for account in config.accounts])
    say("")
    print_table(("SEARCH", "ACCOUNT", "EVERY", "FILTERS", Column("RESWEEPS", 1)), list(_searches(config)))
    say("")
    rules = [_rule(rule) for rule in loaded.settings.rules]
    print_table(
        ("RULE", "KIND", "FIRES", "BY", Column("SEVERITY", 1), Column("FILE", 2)),
        rules,
        lambda row: "bright_black" if row[2] == "off" else None,
    )
    say("")
    print_table(("RECEIVER", "CHANNELS", "GETS"), list(_receivers(config)))
    say("")
    say(_routing(config))
    for said in _incidents(loaded.settings.rules):
        say(said)
    if loaded.templates.names:
        say("")
        say(f"Templates: {', '.join(sorted(loaded.templates.names))}")


def _searches(config: "Config") -> Iterator[tuple[str, ...]]:
    from monitor.runtime.clock import format_duration

    for search in config.searches:
        filters = [f"{one.field} {one.operator} {one.term}" for one in search.question.filters]
        filters += ["campaigns only"] if search.campaign else []
        filters += [f"campaign {search.tracking_id}"] if search.tracking_id else []
        sweeps = [f"{format_duration(one.back)} every {format_duration(one.every)}" for one in search.resweep]
        yield search.name, search.account, format_duration(search.every), ", ".join(filters) or "all", ", ".join(sweeps)


def _rule(rule: "Rule") -> tuple[str, ...]:
    from monitor.alerts.kinds import condition

    file, line = rule.source
    levels = " / ".join(level.severity for level in rule.levels_)
    fires = condition(rule) if rule.enabled else "off"
    return rule.name, rule.kind, fires, ", ".join(rule.grouping), levels, f"{file}:{line}"


def _receivers(config: "Config") -> Iterator[tuple[str, ...]]:
    for receiver in config.receivers:
        yield receiver.name, ", ".join(channel for channel, _ in receiver.channels), _gets(receiver.name, config)


def _gets(receiver: str, config: "Config") -> str:
    from monitor.config.monitor import reachable_receivers

    reachable = reachable_receivers(config.route_tree())
    sections = (("the watchdog", config.watchdog), ("the report", config.report))
    found = [what for what, section in sections if section is not None and section.receiver == receiver]
    if receiver in reachable:
        found.insert(0, "every alert" if reachable == {receiver} else "what its routes take")
    return ", and ".join(found) or "nothing: no route leads here"


def _count_routes(config: "Config") -> int:
    from monitor.config.monitor import every_route

    return sum(1 for _ in every_route(config.route_tree()))


def _routing(config: "Config") -> str:
    from monitor.model.plurals import plural

    counts = [plural(_count_routes(config), "route")]
    counts += [plural(len(config.inhibit_rules), "inhibition rule")] if config.inhibit_rules else []
    counts += [plural(len(config.time_intervals), "time interval")] if config.time_intervals else []
    return f"Routing: {', '.join(counts)}; see `routes show` and `routes test`"


def _incidents(rules: "Sequence[Rule]") -> Iterator[str]:
    """Yields a line for each family of incidents: which alerts make one notification."""
    from collections import Counter

    from monitor.model.plurals import plural

    families = Counter(rule.incident.words for rule in rules if rule.incident is not None and rule.enabled)
    for words, count in families.items():
        yield f"Incidents: {words}: {plural(count, 'rule')}"


def _ask(loaded: "SettingsWithTemplates", as_json: bool) -> list[dict[str, Any]]:
    """Asks Routee and all receivers; prints one line for each answer as it comes."""
    import trio

    from monitor.cli.check_online import asked

    answers: list[dict[str, Any]] = []

    def note(what: str, why: str, good: str) -> None:
        answers.append({"what": what, "ok": not why, "why": why})
        if not as_json:
            say(f"✗ {what}: {why}" if why else f"✓ {what}: {good}", indent=2)

    if not as_json:
        say("")
    trio.run(asked, loaded, note)
    return answers
