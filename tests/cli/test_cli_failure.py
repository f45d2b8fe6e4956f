"""How errors end: one line each on standard error, the right exit code, no traceback."""

import logging
import os
import subprocess
from pathlib import Path

import click
import pytest
from cli_folder import PROGRAM
from click.testing import CliRunner, Result

from monitor.cli.exit_codes import CommandLine
from monitor.cli.options import level_option
from monitor.runtime.errors import InputError, Problem, RouteeUnavailable, StoreError

NO_PRIVILEGE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Runs a command that permissions hold for, also if root does."""


def run(error: BaseException | None, *arguments: str, result: int | None = None) -> Result:
    @click.group(cls=CommandLine)
    def program() -> None: ...

    @program.command()
    @level_option
    def act() -> int | None:
        if error is not None:
            raise error
        return result

    return CliRunner().invoke(program, ["act", *arguments])


def test_what_a_command_returns_is_the_exit_code() -> None:
    assert run(None).exit_code == 0
    assert run(None, result=1).exit_code == 1


def test_an_error_of_ours_is_one_line_and_its_own_code() -> None:
    outcome = run(RouteeUnavailable("nobody answers; check the URL"))
    assert (outcome.exit_code, outcome.stderr, outcome.stdout) == (69, "nobody answers; check the URL\n", "")


def test_every_problem_of_a_file_is_listed_in_order() -> None:
    problems = [Problem("b.yaml", 1, 1, "", "second"), Problem("a.yaml", 3, 2, "rules[0]", "first")]
    outcome = run(InputError(problems, 65))
    assert outcome.exit_code == 65
    assert outcome.stderr == "a.yaml:3:2: rules[0]: first\nb.yaml:1:1: second\n"


def test_errors_out_of_nurseries_are_told_one_by_one() -> None:
    group = ExceptionGroup("g", [StoreError("the disk is full"), ExceptionGroup("h", [RouteeUnavailable("no answer")])])
    outcome = run(group)
    assert (outcome.exit_code, outcome.stderr) == (69, "the disk is full\nno answer\n")


def test_a_folder_that_was_deleted_is_no_internal_error(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    outcome = subprocess.run(
        ["sh", "-c", script, "sh", tmp_path / "gone", *PROGRAM, "check"], capture_output=True, text=True, check=False
    )
    assert outcome.stderr == "the folder in which this runs was deleted: change to another one\n"
    assert outcome.returncode == 69


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["alerts", "--config", "monitor.yaml"], 69),
        (["check", "--config", "monitor.yaml"], 69),
        (["run", "--config", "monitor.yaml"], 69),
        (["backup", "closed/copy.db", "--config", "open.yaml"], 69),
        (["backup", "copy.db", "--config", "monitor.yaml"], 69),
        (["alerts", "--config", "closed/monitor.yaml"], 78),
        (["init", "--application-id", "id", "--tell", "console", "--config", "closed/monitor.yaml"], 69),
    ],
)
def test_a_folder_that_a_user_may_not_enter_is_no_internal_error(tmp_path: Path, command: list[str], code: int) -> None:
    folder = tmp_path / "work"
    (folder / "closed").mkdir(parents=True)
    config = """
accounts: [{name: main, application_id: id, application_secret: secret}]
searches: [{name: all, account: main}]
receivers: [{name: ops, console: [{}]}]
route: {receiver: ops}
web: off
"""
    (folder / "monitor.yaml").write_text(config + "store: sqlite:closed/monitor.db\n")
    (folder / "open.yaml").write_text(config + "store: sqlite:monitor.db\n")
    (folder / "closed").chmod(0)
    command = [*NO_PRIVILEGE, *PROGRAM, *command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, input="")
    assert done.returncode == code, done.stderr
    assert "internal error" not in done.stderr
    assert "permission denied" in done.stderr.lower()
    assert "closed/" in done.stderr, "what is forbidden is named"


def test_an_unexpected_error_is_one_line_without_a_traceback() -> None:
    outcome = run(ZeroDivisionError("division\nby zero"))
    assert outcome.exit_code == 70
    assert outcome.stderr.startswith("internal error, please report it: ZeroDivisionError: division by zero")
    assert outcome.stderr.count("\n") == 1


def test_debug_shows_the_traceback() -> None:
    outcome = run(ZeroDivisionError("division"), "--log-level", "debug")
    assert outcome.exit_code == 70
    assert "Traceback" in outcome.stderr
    assert logging.getLogger().isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("g", [KeyboardInterrupt()])])
def test_an_interrupt_is_quiet(error: BaseException) -> None:
    outcome = run(error)
    assert (outcome.exit_code, outcome.stderr.strip()) == (130, "")


def test_wrong_usage_is_exit_2() -> None:
    assert run(None, "--no-such-option").exit_code == 2


def test_a_reader_that_has_left_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        done = subprocess.run([*PROGRAM, "schema", "rules"], stdout=nobody_reads, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", ["--help", "schema rules"])
def test_a_closed_output_is_said_and_no_file_takes_its_place(arguments: str) -> None:
    command = f"{' '.join(PROGRAM)} {arguments} >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (74, "Standard output cannot be written: it is closed\n")


def test_a_reader_of_a_help_text_that_has_left_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        done = subprocess.run([*PROGRAM, "--help"], stdout=nobody_reads, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_where_errors_cannot_be_written_the_exit_code_still_says_it(redirection: str) -> None:
    done = subprocess.run(["sh", "-c", f"{' '.join(PROGRAM)} check -c nowhere.yaml {redirection}"], timeout=60)
    assert done.returncode == 78


def test_an_error_and_a_wrong_word_do_not_steer_the_terminal() -> None:
    outcome = run(StoreError("peer said \x1b]0;owned\x07 \u202e"))
    assert outcome.stderr == "peer said \ufffd]0;owned\ufffd \ufffd\n"
    assert "\x1b" not in run(None, "--\x1b]0;x\x07").stderr
