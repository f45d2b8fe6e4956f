"""Makes rules with changed fields: ``OperatorFailureRate.above=15%``."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from monitor.config.rules import EXIT_BAD_RULES, RULE, Rule
from monitor.config.yaml import suggest, validate, value_at
from monitor.config.yaml.document import parse_document
from monitor.runtime.errors import MonitorError
from monitor.simulation.backtest.run import Subject

_EXAMPLE: Final = "write it like 'OperatorFailureRate.above=15%'"

Change = tuple[str, str, str]
"""A change as written, its key and its value."""


class BadChange(MonitorError):
    """A change that cannot be made; each line says what is wrong with one change."""

    exit_code = EXIT_BAD_RULES


def variants(changes: Iterable[str], rules: Sequence[Rule]) -> list[Subject]:
    """Returns one changed rule for each rule that ``changes`` name. Raises BadChange with all problems."""
    by_rule: dict[str, list[Change]] = {}
    known = {rule.name: rule for rule in rules}
    wrong = []
    for change in changes:
        left, equals, value = change.partition("=")
        name, _, key = left.strip().partition(".")
        if not equals or not key:
            wrong.append(f"--set {change}: is not a change of a rule; {_EXAMPLE}")
        elif key.strip() == "name":
            wrong.append(f"--set {change}: the name of a rule cannot be changed here; change another field")
        elif name not in known:
            wrong.append(f"--set {change}: there is no rule {name!r}{suggest(name, sorted(known))}")
        else:
            by_rule.setdefault(name, []).append((change, key.strip(), value.strip()))
    found = [changed(known[name], some) for name, some in by_rule.items()]
    wrong += [line for one in found if isinstance(one, list) for line in one]
    if wrong:
        raise BadChange("\n".join(wrong))
    return [one for one in found if isinstance(one, Subject)]


def changed(rule: Rule, changes: Sequence[Change]) -> Subject | list[str]:
    """Returns the rule with all changes made, or what is wrong with it."""
    data: Any = deepcopy(rule.as_written)
    wrong: list[str] = []
    for change, key, text in changes:
        document = parse_document(f"value: {text}".encode(), "", {})
        if document.problems:
            wrong += [f"--set {change}: {problem.message}" for problem in document.problems]
        elif not _put(data, key.split("."), value_at(document.data, ("value",))):
            wrong.append(f"--set {change}: the rule has no {key}; {_EXAMPLE}")
    if wrong:
        return wrong
    words = ", ".join(f"{key}={text}" for _, key, text in changes)
    found = validate(RULE, replace(parse_document(b"", "", {}), data=data))
    if isinstance(found, list):
        return [f"--set {rule.name}.{words}: {problem.path or 'it'}: {problem.message}" for problem in found]
    # Alerts of a rule are identified by its name; nobody can write this one in a file. A rule that is switched off is tried all the same.
    return Subject(found.model_copy(update={"name": f"{rule.name} ({words})", "enabled": True}), rule.name, words)


def _put(data: Any, path: Sequence[str], value: object) -> bool:
    """Sets a value in mappings and lists; returns False if nothing at that path can hold it."""
    key, *below = path
    index: Any = int(key) if isinstance(data, list) and key.isdecimal() else key
    if isinstance(data, list):
        if not isinstance(index, int) or index >= len(data):
            return False
    elif not isinstance(data, dict):
        return False
    if below:
        inner = data[index] if isinstance(data, list) else data.setdefault(index, {})
        return _put(inner, below, value)
    data[index] = value
    return True
