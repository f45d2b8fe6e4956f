"""The part of ``routee-monitor backtest`` that proposes thresholds: ``--suggest``."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import say, say_lines
from monitor.cli.output_file import write_output

if TYPE_CHECKING:
    from monitor.cli.history import History
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.simulation.backtest import Backtest, EvaluationSpan, Subject
    from monitor.simulation.suggest.proposal import Suggestion

STDOUT = Path("-")


def check_options(
    suggesting: bool, alerts_a_week: float | None, patch: Path | None, changes: Sequence[str], as_json: bool
) -> None:
    """Raises click.UsageError if options do not go together."""
    if not suggesting and (alerts_a_week is not None or patch is not None):
        raise click.UsageError("--alerts-a-week and --patch work only with --suggest")
    if alerts_a_week is not None and not isfinite(alerts_a_week):
        raise click.UsageError("--alerts-a-week is a number like 1 or 0.5")
    if suggesting and changes:
        raise click.UsageError("--suggest looks for thresholds itself: leave out --set")
    if as_json and patch == STDOUT:
        raise click.UsageError("--json and --patch - cannot both write to standard output")


def suggest(
    loaded: "SettingsWithTemplates",
    history: "History",
    subjects: "Sequence[Subject]",
    span: "EvaluationSpan",
    alerts_a_week: float,
) -> "tuple[Backtest, list[Suggestion]]":
    """Judges the rules, and those with a proposal again. The backtest has each proposal as a variant of its rule."""
    from monitor.cli.backtest import judged
    from monitor.config.settings import check_against
    from monitor.simulation.suggest.proposal import Recorder
    from monitor.simulation.suggest.proposal import suggest as proposed

    recorder = Recorder(span)
    found = judged(history, subjects, span, "evaluating the rules", recorder.watch, loaded)
    suggestions = proposed(
        found,
        recorder.rules,
        alerts_a_week,
        lambda rule: not check_against([rule], loaded.settings.config),
        lambda again: judged(history, again, span, "evaluating the proposals"),
    )
    found.trials = [trial for one in suggestions for trial in (one.trial, one.proposed) if trial is not None]
    return found, suggestions


def as_json(suggestions: "Sequence[Suggestion]", found: "Backtest", alerts_a_week: float) -> dict[str, Any]:
    """The keys that suggestions add to the backtest's JSON."""
    from monitor.simulation.suggest.report import as_json

    return {"alerts_a_week": alerts_a_week, "suggestions": as_json(suggestions, found)}


def write_patch(suggestions: "Sequence[Suggestion]", target: Path) -> None:
    """Writes the proposals as a patch of the rule files, and says how it is applied."""
    from monitor.simulation.suggest.patch import Edit, patch

    edits = [
        Edit(one.rule, level.path, rung.text)
        for one in suggestions
        for level, rung in zip(one.thresholds, one.rungs, strict=False)
    ]
    found = patch(edits, Path.cwd())
    if target == STDOUT:
        say_lines(found.text, newline=False)
    else:
        write_output(target, found.text.encode())
    for edit in found.variables:
        file, line, _ = edit.rule.location(*edit.path)
        key = ".".join(map(str, edit.path))
        say(f"{file}:{line}: {edit.rule.name}.{key} comes from a variable: set it to {edit.text} there", err=True)
    if not found.text:
        say("the patch is empty: no file changes", err=True)
    elif target != STDOUT:
        there = "" if found.folder == Path.cwd() else f" in {found.folder}"
        say(f"apply it{there} with: patch -p1 < {target}", err=True)


def show(suggestions: "Sequence[Suggestion]", found: "Backtest", *, err: bool) -> None:
    """Prints the suggestions for people."""
    from monitor.simulation.backtest.timeline import totals_of
    from monitor.simulation.suggest.report import lines

    for line in (*totals_of(found), "", *lines(suggestions, found)):
        say(line, indent=4, err=err)
