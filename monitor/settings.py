"""Everything that people wrote, read together: the configuration, the rules, and whether they agree."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.clock import format_duration
from monitor.config import EXIT_BAD_CONFIG, Config, read_config
from monitor.errors import InputError, Problem
from monitor.rules import EXIT_BAD_RULES, Rule, read_rules
from monitor.written import Note, suggest


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration with its rules."""

    config: Config
    rules: tuple[Rule, ...]


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in the file ``path`` and in the rule files that it names.

    Raises InputError with every problem of every file: exit 78 if the configuration has one, else 65.
    """
    config, problems, files = read_config(path, environ)
    rules, wrong = read_rules(files, environ)
    wrong += check_against(rules, config) if config else []
    if config is None or wrong:
        raise InputError(problems + wrong, EXIT_BAD_RULES if config else EXIT_BAD_CONFIG)
    return Settings(config, tuple(rules))


def check_against(rules: Iterable[Rule], config: Config) -> list[Problem]:
    """What of the rules does not go with the configuration, each with its place in the rule's file."""
    return [rule.problem(note.message, *note.path) for rule in rules for note in _notes(rule, config)]


def _notes(rule: Rule, config: Config) -> Iterator[Note]:
    searches = [search.name for search in config.searches]
    if rule.search is not None and rule.search not in searches:
        yield Note(("search",), f"no search is named {rule.search!r}{suggest(rule.search, searches)}")
    if rule.reach > config.retention:
        reach, kept = format_duration(rule.reach), format_duration(config.retention)
        yield Note((), f"the rule looks {reach} back, but messages are kept for {kept} (retention)")
    yield from _conditions(rule, config)


def _conditions(rule: Rule, config: Config) -> Iterator[Note]:
    accounts = [account.name for account in config.accounts]
    for path, condition in rule.conditions():
        if (
            condition.field == "to"
            and condition.operator not in ("is", "is_not")
            and config.privacy.recipients != "show"
        ):
            yield Note(
                path,
                f"numbers are masked, so {condition.operator} cannot see them: use is or is_not, or set privacy.recipients: show",
            )
        for value in condition.values:
            if condition.field == "account" and condition.operator in ("is", "is_not") and value not in accounts:
                yield Note(path, f"no account is named {value!r}{suggest(value, accounts)}")
