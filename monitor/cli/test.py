"""``routee-monitor test``: runs rule tests."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import config_option, environment, json_option, level_option
from monitor.cli.output import say
from monitor.cli.output_file import require_writable, write_output
from monitor.cli.table import print_json

if TYPE_CHECKING:
    from monitor.simulation.ruletest import Suite, Verdict


@click.command(short_help="Run rule tests.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--run", "pattern", metavar="PATTERN", help="Only tests whose name matches this regular expression.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write JUnit XML.")
@json_option
@config_option
@level_option
def test(files: Sequence[str], pattern: str | None, junit: Path | None, as_json: bool, config: Path | None) -> int:
    """Run rule tests: files that describe messages and the alerts that are expected of them.

    FILES are test files, globs or folders (of a folder of rules those in its
    folder tests). The rules are evaluated as the daemon evaluates them, on a clock that only the test moves.
    With --config, a test that names no time_zone takes that of the account.

    \b
    Exit codes: 0 all is as expected; 1 something is not; 65 a test file, or a
    rule file that it names, is wrong.
    """
    from monitor.simulation.ruletest import as_json as results
    from monitor.simulation.ruletest import load_suites

    if junit is not None:
        require_writable(junit)
    wanted = _compiled(pattern)
    verdicts = []
    time_zone = _time_zone(config)
    for suite, number in _chosen(load_suites(files, environment()), wanted):
        verdicts.append(_run(suite, number, time_zone))
        if not as_json:
            _show(verdicts[-1])
    if junit is not None:
        from monitor.simulation.ruletest import junit as as_junit

        write_output(junit, as_junit(verdicts))
    found = results(verdicts)
    if as_json:
        print_json(found)
    else:
        say(f"{found['passed']} passed, {found['failed']} failed")
    return int(found["failed"] > 0)


def _compiled(pattern: str | None) -> "re.Pattern[str] | None":
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise click.BadParameter(f"{pattern!r} is not a regular expression: {error}", param_hint="--run") from None


def _chosen(suites: "Sequence[Suite]", wanted: "re.Pattern[str] | None") -> "list[tuple[Suite, int]]":
    chosen = [
        (suite, number)
        for suite in suites
        for number, test in enumerate(suite.tests)
        if wanted is None or wanted.search(test.name)
    ]
    if not chosen and wanted is not None:
        names = [test.name for suite in suites for test in suite.tests]
        said = f"no test has a name that matches {wanted.pattern!r}; the tests are: {'; '.join(names[:10])}"
        raise click.BadParameter(said + ("; …" if len(names) > 10 else ""), param_hint="--run")
    return chosen


def _time_zone(config: Path | None) -> str:
    """Returns the time zone of the accounts of a configuration; UTC if none is named."""
    if config is None:
        return "UTC"
    from monitor.cli.load import read_config

    zones = sorted({account.time_zone for account in read_config(config).accounts})
    if len(zones) > 1:
        said = f"its accounts have different time zones ({', '.join(zones)}): write time_zone in each test, and leave --config out"
        raise click.BadParameter(said, param_hint="--config")
    return zones[0]


def _run(suite: "Suite", number: int, time_zone: str) -> "Verdict":
    from monitor.simulation.ruletest import run_test

    return run_test(suite, number, time_zone)


def _show(verdict: "Verdict") -> None:
    from monitor.cli.output import shaded

    word = shaded("ok  ", "green") if verdict.ok else shaded("FAIL", "red")
    say(word, f"  {verdict.file}: {verdict.name} ({verdict.seconds:.1f}s)", indent=6)
    for line in verdict.message.splitlines():
        say(f"      {line}")
