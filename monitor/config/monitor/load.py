"""Reads ``monitor.yaml`` and returns the configuration, or raises all of its problems."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from monitor.config.monitor.globs import RULES, each_once
from monitor.config.monitor.model import Config
from monitor.config.yaml import ValidationContext, validate, value_at
from monitor.config.yaml.document import read_document
from monitor.runtime.errors import InputError, Problem

EXIT_BAD_CONFIG: Final = 78

_CONFIG = TypeAdapter(Config)


def load_config(path: Path, environ: Mapping[str, str], *, late_secrets: bool = False) -> Config:
    """Returns the configuration in the file ``path``. Raises InputError (exit 78) with every problem.

    ``late_secrets``: a secret that cannot be read is none; whoever uses it gets SecretUnreadable.
    """
    config, problems, _ = read_config(path, environ, late_secrets=late_secrets)
    if config is None:
        raise InputError(problems, EXIT_BAD_CONFIG)
    return config


def read_config(
    path: Path, environ: Mapping[str, str], *, late_secrets: bool = False
) -> tuple[Config | None, list[Problem], tuple[Path, ...]]:
    """Returns the configuration (None if it has problems), its problems, and the rule files that it names and that were found."""
    document = read_document(path, environ)
    problems = list(document.problems)
    if not document.readable:
        return None, problems, ()
    folder = path.parent
    found = validate(_CONFIG, document, ValidationContext(folder, environ, late_secrets))
    files = _rule_files(folder, value_at(document.data, ("rules",)))
    if isinstance(found, list):
        return None, problems + found, files
    found.read_from(document, folder)
    return (None if problems else found), problems, files


def _rule_files(folder: Path, patterns: object) -> tuple[Path, ...]:
    files: dict[Path, None] = {}
    for pattern in patterns if isinstance(patterns, list) else ():
        try:
            files |= dict.fromkeys(each_once(folder, [str(pattern)], RULES))
        except ValueError:
            continue  # the problem is reported with those of the configuration
    return tuple(files)
