"""Loads and validates everything that people write, templates included: returns it, or all of its problems.

Annotations of rules are rendered with a sample alert of the rule, and templates of receivers with a sample notification. A template file that
nothing names directly is only compiled, because templates that include it may set variables for it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from monitor.alerts.kinds import unit_of
from monitor.config.monitor import EXIT_BAD_CONFIG, Config
from monitor.config.rules import EXIT_BAD_RULES, Rule
from monitor.config.settings import Settings, read
from monitor.model.notification import AlertView
from monitor.notify.receivers import entry_problems
from monitor.notify.render import TemplateProblem, Templates, alert_context, awkward, sample_view
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InputError, Problem
from monitor.runtime.file_reads import read_file

_LARGEST: Final = 256 * 1024
"""The most bytes of a template file."""

_NAMES_FILES: Final = re.compile(r"\{%-?\s*(include|import|from|extends)\b")


@dataclass(frozen=True, slots=True)
class SettingsWithTemplates:
    """Settings with their templates."""

    settings: Settings
    templates: Templates


def load(path: Path, environ: Mapping[str, str], *, late_secrets: bool = False) -> SettingsWithTemplates:
    """Returns what the configuration ``path`` and the files that it names say.

    Raises InputError with every problem of every file: exit code 78 if the configuration or a template is wrong, else 65.
    With ``late_secrets``, a secret that cannot be read is no problem, but raises SecretUnreadable for who uses it.
    """
    found = read(path, environ, late_secrets=late_secrets)
    files, wrong = _sources(found.config) if found.config else ({}, [])
    templates = Templates({file.name: text for file, text in files.items()})
    wrong += [problem for rule in found.rules for problem in _annotations(rule, found.config, templates)]
    if found.config:
        wrong += _files(files, templates)
        wrong += entry_problems(found.config, templates, {file.name: str(file) for file in files})
    if found.config is None or found.problems or wrong:
        raise InputError([*found.problems, *wrong], EXIT_BAD_CONFIG if wrong or not found.config else EXIT_BAD_RULES)
    return SettingsWithTemplates(Settings(found.config, found.rules), templates)


def templates_of(config: Config) -> Templates:
    """Returns the templates, unchecked; a file that cannot be read is left out."""
    files, _ = _sources(config)
    return Templates({file.name: text for file, text in files.items()})


def sample_of(rule: Rule, accounts: int = 1) -> AlertView:
    """Returns a sample alert of ``rule`` without rendered annotations; with several accounts it has an account label."""
    return sample_view(
        rule.name,
        rule.kind,
        rule.grouping,
        severity=rule.levels_[-1].severity,
        labels=rule.labels
        | ({"account": "main"} if accounts > 1 else {})
        | {name: values[0] for name, values in rule.own_labels.items()},
        unit=unit_of(rule),
        window=rule.alert_window,
        history_every=rule.history_step,
    )


def _sources(config: Config) -> tuple[dict[Path, str], list[Problem]]:
    """Returns the texts of the template files, and the problems of files that cannot be read."""
    texts: dict[Path, str] = {}
    wrong: list[Problem] = []
    for file in config.template_files:
        twin = next((other for other in texts if other.name == file.name), None)
        if twin is not None:
            wrong.append(config.problem(f"{twin} and {file} have the same name; rename one of them", "templates"))
            continue
        try:
            texts[file] = _text(file)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            wrong.append(Problem(str(file), 1, 1, "", f"cannot be read as a template: {reason}"))
    return texts, wrong


def _text(file: Path) -> str:
    data = read_file(file, _LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 1024} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1})") from None


def _files(files: Iterable[Path], templates: Templates) -> Iterator[Problem]:
    for file in files:
        problem = templates.check_syntax(file.name)
        if problem is not None:
            yield Problem(str(file), problem.line, 1, "", problem.message)


def _annotations(rule: Rule, config: Config | None, templates: Templates) -> Iterator[Problem]:
    sample = sample_of(rule, len(config.accounts) if config else 1)
    for name, text in rule.annotations.items():
        if config is None and _NAMES_FILES.search(text):
            continue  # the template files are not known while the configuration has errors
        problem = _tried(text, rule, sample, templates)
        if problem is not None:
            line = f"line {problem.line}: " if "\n" in text.strip() else ""
            yield rule.problem(f"{line}{problem.message}", "annotations", name)


def _tried(text: str, rule: Rule, sample: AlertView, templates: Templates) -> TemplateProblem | None:
    over = msgspec.structs.replace(sample, status="resolved", ends_at=sample.as_of, resolved_because="recovered")
    strange = (awkward(view, set(rule.labels)) for view in (sample, over))
    try:
        template = templates.compile(text)
        for view in (sample, over, *strange):
            template.render(alert_context(view))
    except TemplateProblem as problem:
        return problem
    return None
