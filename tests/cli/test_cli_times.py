"""Times that a person types: in the zone of the terminal, unless another one is written."""

import click
import pytest
from click.testing import CliRunner, Result

from monitor.cli.output import say
from monitor.cli.times import TIME, WHEN, When
from monitor.runtime.clock import DAY, HOUR, MINUTE, iso, parse_iso

pytestmark = pytest.mark.usefixtures("athens")


@click.command()
@click.option("--at", type=TIME)
@click.option("--since", type=WHEN, default="7d")
def command(at: int | None, since: When) -> None:
    say(iso(since.relative_to(parse_iso("2026-11-21T12:00:00Z")) if at is None else at))


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize(
    ("text", "instant", "spoken"),
    [
        ("2026-11-21T18:00", "2026-11-21T16:00:00Z", "2026-11-21T18:00:00+02:00 (EET), 16:00Z"),
        ("2026-07-21 18:00:30", "2026-07-21T15:00:30Z", "2026-07-21T18:00:30+03:00 (EEST), 15:00Z"),
        ("2026-11-21", "2026-11-20T22:00:00Z", "2026-11-21T00:00:00+02:00 (EET), 2026-11-20 22:00Z"),
    ],
)
@pytest.mark.parametrize("option", ["--at", "--since"])
def test_without_a_zone_it_is_the_terminals_and_the_instant_is_said(option, text, instant, spoken) -> None:
    outcome = asked(option, text)
    assert outcome.stdout == instant + "\n"
    assert outcome.stderr == f"{option} {text} has no time zone. It is read in yours: {spoken}.\n"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T18:00:00Z", "2026-11-21T18:00:00Z"),
        ("2026-11-21T18:00+05:30", "2026-11-21T12:30:00Z"),
        ("2026-11-21T18:00:00+0000", "2026-11-21T18:00:00Z"),
    ],
)
@pytest.mark.parametrize("option", ["--at", "--since"])
def test_a_zone_that_is_written_holds_and_nothing_is_said(option, text, instant) -> None:
    outcome = asked(option, text)
    assert (outcome.stdout, outcome.stderr) == (instant + "\n", "")


def test_a_time_that_the_clocks_skip_is_refused_and_one_that_comes_twice_is_the_first() -> None:
    skipped = asked("--at", "2026-03-29T03:30")
    assert skipped.exit_code == 2
    assert "'2026-03-29T03:30' does not exist in your time zone" in skipped.stderr
    twice = asked("--at", "2026-10-25T03:30")
    assert twice.stdout == "2026-10-25T00:30:00Z\n"
    assert "It comes twice that night; this is the first time." in twice.stderr


def test_a_span_counts_back_from_the_other_moment() -> None:
    assert asked("--since", "2h30m").stdout == "2026-11-21T09:30:00Z\n"
    assert asked().stdout == "2026-11-14T12:00:00Z\n"
    assert When(before=DAY).relative_to(HOUR + DAY) == HOUR
    assert When(MINUTE).relative_to(HOUR) == MINUTE


@pytest.mark.parametrize("text", ["tomorrow", "", "18:00", "2026-13-01", "0001-01-01T00:00", "9999-12-31T23:59", "2h"])
def test_what_is_no_time_is_wrong_usage(text: str) -> None:
    outcome = asked("--at", text)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "'--at'" in outcome.stderr
    assert "Traceback" not in outcome.stderr
