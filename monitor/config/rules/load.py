"""Loads rule files: every rule of every file, or every problem of every file."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from monitor.config.rules.kinds import RULE
from monitor.config.rules.model import Rule
from monitor.config.yaml import YamlModel, validate, value_at
from monitor.config.yaml.document import Document, read_document
from monitor.runtime.errors import InputError, Problem

EXIT_BAD_RULES: Final = 65


class RuleFile(YamlModel):
    """What a rule file holds."""

    rules: list[Any]
    """The rules."""


_FILE = TypeAdapter(RuleFile)


def load_rules(paths: Iterable[Path], environ: Mapping[str, str] | None = None) -> list[Rule]:
    """Returns the rules of all files, in order. Raises InputError (exit 65) with every problem; variables come from ``environ``."""
    rules, problems = read_rules(paths, os.environ if environ is None else environ)
    if problems:
        raise InputError(problems, EXIT_BAD_RULES)
    return rules


def read_rules(paths: Iterable[Path], environ: Mapping[str, str]) -> tuple[list[Rule], list[Problem]]:
    """Returns the valid rules, and every problem of the others."""
    documents = [read_document(path, environ) for path in paths]
    rules: list[Rule] = []
    problems = _twice(documents)
    for document in documents:
        problems += document.problems
        if document.readable:
            good, wrong = _rules_of(document)
            rules += good
            problems += wrong
    return rules, problems


def _rules_of(document: Document) -> tuple[list[Rule], list[Problem]]:
    shape = validate(_FILE, document)
    problems = shape if isinstance(shape, list) else []
    items = value_at(document.data, ("rules",))
    rules: list[Rule] = []
    for index in range(len(items) if isinstance(items, list) else 0):
        found = validate(RULE, document, at=("rules", index))
        if isinstance(found, list):
            problems += found
        else:
            found.read_from(document, ("rules", index))
            rules.append(found)
    return rules, problems


def _twice(documents: Sequence[Document]) -> list[Problem]:
    """Returns a problem for each rule with the name of an earlier rule, even if something else about it is wrong."""
    first: dict[str, tuple[str, int, int]] = {}
    problems: list[Problem] = []
    for document in documents:
        items = value_at(document.data, ("rules",))
        for index in range(len(items) if isinstance(items, list) else 0):
            path = ("rules", index, "name")
            name = value_at(document.data, path)
            if not isinstance(name, str) or document.is_broken(path):
                continue
            if name in first:
                file, line, _ = first[name]
                problems.append(
                    document.problem(path, f"another rule is named {name!r}, at {file}:{line}; names are unique")
                )
            else:
                first[name] = document.location(path)
    return problems
