"""``routee-monitor backtest``: shows which alerts the rules would have raised in the past."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter  # noqa: TID251 - people are told how long it took
from typing import TYPE_CHECKING, Final

import click

from monitor.cli import suggest as tuning
from monitor.cli.choices import known
from monitor.cli.load import read_everything
from monitor.cli.options import config_option, duration, json_option, level_option, since_option
from monitor.cli.output import say, width_of_output
from monitor.cli.output_file import require_writable, write_output
from monitor.cli.progress import progress
from monitor.cli.table import print_json
from monitor.cli.times import WHEN, When
from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.cli.history import History
    from monitor.config.monitor import Config
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.dispatch.dispatcher import Dispatcher
    from monitor.runtime.clock import Duration
    from monitor.simulation.backtest import Backtest, EvaluationSpan, EvaluationStep, Subject
    from monitor.simulation.backtest.run import Watch


MOST_NAMES: Final = 3
"""The most rules that are named of those of which alerts can be missed."""


@click.command(short_help="Show what the rules would have alerted in the past.")
@config_option
@json_option
@level_option
@since_option("7d", "The start: how far back (7d), or a time.")
@click.option("--until", type=WHEN, metavar="WHEN", help="The end, in the same form; default: the last poll, or now.")
@click.option("--rule", "names", metavar="NAME", multiple=True, help="Only this rule; can be given several times.")
@click.option("--set", "changes", metavar="RULE.KEY=VALUE", multiple=True, help="Also try the rule with this change.")
@click.option(
    "--from-api", is_flag=True, help="Ask Routee for the messages instead of the daemon's store (at most 7d)."
)
@click.option(
    "--every",
    type=duration,
    metavar="DURATION",
    help="How often rules are evaluated; default: as often as the searches poll, or less.",
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write a page with charts."
)
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write only the charts."
)
@click.option("--suggest", "suggesting", is_flag=True, help="Propose a threshold for each rule.")
@click.option(
    "--alerts-a-week",
    type=click.FloatRange(0),
    metavar="NUMBER",
    help="With --suggest: the most alerts a week that each rule should give; default: 1.",
)
@click.option(
    "--patch",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="With --suggest: write the proposals as a patch of the rule files; - is standard output.",
)
def backtest(
    config: Path | None,
    as_json: bool,
    since: When,
    until: When | None,
    names: Sequence[str],
    changes: Sequence[str],
    from_api: bool,
    every: "Duration | None",
    html: Path | None,
    svg: Path | None,
    suggesting: bool,
    alerts_a_week: float | None,
    patch: Path | None,
) -> None:
    """Show what the rules would have alerted in the past: when each alert would have fired and resolved, and how often.

    It evaluates the rules with the daemon's own code, over the messages of the daemon's store (also while the daemon runs). It also counts the
    notifications that people would have got. It sends nothing.

    \b
    routee-monitor backtest --set 'OperatorFailureRate.above=15%' --html try.html
    routee-monitor backtest --suggest --alerts-a-week 2 --patch tuned.patch

    \b
    Exit codes: 0 shown; 1 there is no such rule; 65 bad rules, or a bad --set;
    69 there is no store, no poll, or no Routee; 78 bad configuration.
    """
    tuning.check_options(suggesting, alerts_a_week, patch, changes, as_json)
    for file in (html, svg, patch):
        if file not in (None, tuning.STDOUT):
            require_writable(file)
    began = perf_counter()
    loaded = read_everything(config)
    subjects = _subjects(loaded, names, changes)
    history = _history(loaded, subjects, since, until, from_api)
    span = span_of(history, subjects, every)
    if suggesting:
        limit = 1.0 if alerts_a_week is None else alerts_a_week
        found, suggestions = tuning.suggest(loaded, history, subjects, span, limit)
        more = tuning.as_json(suggestions, found, limit)
    else:
        found, suggestions, more = judged(history, subjects, span, "evaluating the rules", loaded=loaded), [], {}
    found.seconds = perf_counter() - began
    _write(found, html, svg, history.note)
    if as_json:
        from monitor.simulation.backtest.report import as_json as whole

        print_json(whole(found) | more)
    elif suggesting:
        tuning.show(suggestions, found, err=patch == tuning.STDOUT)
    else:
        _print(found)
    if patch is not None:
        tuning.write_patch(suggestions, patch)


def _subjects(loaded: "SettingsWithTemplates", names: Sequence[str], changes: Sequence[str]) -> "list[Subject]":
    """Returns the rules to try, each followed by its variant."""
    from monitor.config.settings import check_against
    from monitor.simulation.backtest import Subject
    from monitor.simulation.backtest.variant import variants

    rules = loaded.settings.rules
    for name in names:
        known("rule", name, (rule.name for rule in rules))
    changed = variants(changes, rules)
    problems = check_against([subject.rule for subject in changed], loaded.settings.config)
    if problems:
        from monitor.simulation.backtest.variant import BadChange

        raise BadChange("\n".join(f"--set: {problem.path}: {problem.message}" for problem in problems))
    asked = {*names, *(subject.name for subject in changed)}
    chosen = [rule for rule in rules if (rule.name in asked if names else rule.enabled or rule.name in asked)]
    subjects = []
    for rule in chosen:
        subjects.append(Subject(rule.model_copy(update={"enabled": True}), rule.name))
        subjects += [subject for subject in changed if subject.name == rule.name]
    if not subjects:
        raise MonitorError("there are no rules to try: see `rules` in the configuration")
    return subjects


def _history(
    loaded: "SettingsWithTemplates",
    subjects: "Sequence[Subject]",
    since: When,
    until: When | None,
    from_api: bool,
) -> "History":
    from monitor.cli import history

    reach = max(subject.rule.reach for subject in subjects)
    wanted = history.HistoryQuery(since, until, reach)
    return history.from_routee(loaded, wanted) if from_api else history.from_store(loaded, wanted)


def span_of(history: "History", subjects: "Sequence[Subject]", every: "Duration | None") -> "EvaluationSpan":
    """Returns the span and how often rules are evaluated in it, and says what a person has to know about that."""
    from monitor.simulation.backtest import EvaluationSpan, EvaluationStep, choose_step, unseen

    length = history.until - history.since
    rules = [subject.rule for subject in subjects]
    chosen = choose_step(history.every, length, rules, history.messages, history.known)
    step = chosen if every is None else EvaluationStep(every, 0, unseen(every, history.every, rules))
    for line in _said_of_step(step, history.every, chosen=every is None):
        say(line, err=True)
    return EvaluationSpan(history.since, history.until, step.length)


def _said_of_step(step: "EvaluationStep", usual: "Duration", *, chosen: bool) -> "Iterator[str]":
    """Yields what a person has to know about the step; nothing if it is the daemon's own."""
    from monitor.model.plurals import plural
    from monitor.runtime.clock import format_duration

    coarse, fine = format_duration(step.length), format_duration(usual)
    if chosen and step.length > usual:
        sees = "" if step.unseen else ", which sees the `for` of every rule"
        yield f"Rules are evaluated every {coarse}{sees}; alerts can begin up to {coarse} later than the daemon's. --every {fine} evaluates as often."
    if chosen and step.seconds > 60:
        yield f"This takes about {plural(round(step.seconds / 60), 'minute')}."
    if step.unseen:
        names = list(dict.fromkeys(rule.name for rule in step.unseen))
        shown, more = names[:MOST_NAMES], len(names) - MOST_NAMES
        which = ", ".join(shown) + (f" and {plural(more, 'other rule')}" if more > 0 else "")
        yield f"Alerts can be missed, because `for` is shorter than {coarse}: {which}. Evaluate them alone (--rule NAME), or more often (--every)."


def judged(
    history: "History",
    subjects: "Sequence[Subject]",
    span: "EvaluationSpan",
    what: str,
    watch: "Watch | None" = None,
    loaded: "SettingsWithTemplates | None" = None,
) -> "Backtest":
    """Returns the backtest of these rules. A progress bar says ``what`` is being done. With ``loaded`` the notifications are counted."""
    from monitor.simulation.backtest.run import run, watch_nothing

    with progress(what) as report:
        return run(
            history.accounts,
            subjects,
            span,
            lambda done: report(round(done * 1000), 1000),
            watch or watch_nothing,
            None if loaded is None else partial(_dispatcher, loaded.settings.config),
        )


def _dispatcher(config: "Config") -> "Dispatcher":
    """Returns the daemon's dispatcher as at its first start, without a watchdog."""
    from monitor.daemon.restore import restored_dispatcher
    from monitor.store.protocol import StoredState

    dispatcher = restored_dispatcher(config, StoredState([], [], []))
    dispatcher.watchdog = None
    return dispatcher


def _write(found: "Backtest", html: Path | None, svg: Path | None, note: str) -> None:
    from monitor.simulation.backtest.chart import figure
    from monitor.simulation.backtest.page import page

    if html is not None:
        write_output(html, page(found, note).encode())
    if svg is not None:
        write_output(svg, figure(found).encode())


def _print(found: "Backtest") -> None:
    from monitor.simulation.backtest.timeline import lines, totals_of

    for line in (*totals_of(found), "", *lines(found, width_of_output() or 110)):
        say(line, indent=4)
