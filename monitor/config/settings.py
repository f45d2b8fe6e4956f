"""Reads the configuration and the rules together, and checks that they agree."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from monitor.config.answerable import unanswered
from monitor.config.monitor import EXIT_BAD_CONFIG, Config, read_config
from monitor.config.rules import EXIT_BAD_RULES, Rule, read_rules
from monitor.config.yaml import FieldProblem, suggest
from monitor.runtime.clock import format_duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration with its rules."""

    config: Config
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class SettingsResult:
    """The configuration (None if it has problems), the valid rules, and the problems of both."""

    config: Config | None
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]


def read(path: Path, environ: Mapping[str, str], *, late_secrets: bool = False) -> SettingsResult:
    """Reads the file ``path`` and the rule files that it names, with all of their problems; for ``late_secrets`` see `load_config`."""
    config, problems, files = read_config(path, environ, late_secrets=late_secrets)
    rules, wrong = read_rules(files, environ)
    wrong += check_against(rules, config) if config else []
    return SettingsResult(config, tuple(rules), (*problems, *wrong))


def load(path: Path, environ: Mapping[str, str], *, late_secrets: bool = False) -> Settings:
    """Returns the settings in the file ``path`` and in the rule files that it names.

    Raises InputError with every problem of every file: exit 78 if the configuration has one, else 65.
    """
    found = read(path, environ, late_secrets=late_secrets)
    if found.config is None or found.problems:
        raise InputError(list(found.problems), EXIT_BAD_RULES if found.config else EXIT_BAD_CONFIG)
    return Settings(found.config, found.rules)


def check_against(rules: Iterable[Rule], config: Config) -> list[Problem]:
    """Returns the problems of rules that conflict with the configuration, each with its location in the rule's file."""
    return [rule.problem(note.message, *note.path) for rule in rules for note in _notes(rule, config)]


def _notes(rule: Rule, config: Config) -> Iterator[FieldProblem]:
    searches = [search.name for search in config.searches]
    if rule.search is not None and rule.search not in searches:
        yield FieldProblem(("search",), f"no search is named {rule.search!r}{suggest(rule.search, searches)}")
    if rule.reach > config.retention:
        reach, kept = format_duration(rule.reach), format_duration(config.retention)
        yield FieldProblem(
            rule.reach_is_in, f"the rule looks {reach} back, but messages are kept for {kept} (retention)"
        )
    yield from unanswered(rule, config)
    yield from _conditions(rule, config)


def _conditions(rule: Rule, config: Config) -> Iterator[FieldProblem]:
    accounts = [account.name for account in config.accounts]
    for path, condition in rule.conditions():
        if (
            condition.field == "to"
            and condition.operator not in ("is", "is_not")
            and config.privacy.recipients != "show"
        ):
            yield FieldProblem(
                path,
                f"numbers are masked, so {condition.operator} cannot see them: use is or is_not, or set privacy.recipients: show",
            )
        for value in condition.values:
            if condition.field == "account" and condition.operator in ("is", "is_not") and value not in accounts:
                yield FieldProblem(path, f"no account is named {value!r}{suggest(value, accounts)}")
