"""The manual page and the shells' completions: complete, because they are made from the commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from monitor.cli import cli
from monitor.cli.completion import SHELLS, completion_script
from monitor.cli.roff import each_command, manual

TOP = click.Context(cli, info_name="routee-monitor")
CONTEXTS = list(each_command(TOP))


def page() -> str:
    return manual(cli, "1.2.3")


def options(context: click.Context) -> Iterator[str]:
    for param in context.command.params:
        if isinstance(param, click.Option):
            yield from (opt for opt in (*param.opts, *param.secondary_opts) if opt.startswith("--"))


def shown_by_man(text: str) -> str:
    """As a person reads it; roff's own escapes are undone by hand where no reader of roff is installed."""
    return text.replace("\\-", "-").replace("\\(rs", "\\").replace("\\&", "")


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_the_manual_has_every_command_with_every_option(context: click.Context) -> None:
    text = shown_by_man(page())
    section = text.partition(f".SS {context.command_path.removeprefix('routee-monitor ')}\n")[2].split("\n.SS ")[0]
    assert section
    for option in options(context):
        assert option in section


def test_no_line_of_the_manual_is_taken_for_a_request_that_is_none() -> None:
    known = ("TH", "SH", "SS", "TP", "PP", "B", "I", "BR", "RI", "nf", "fi")
    requests = {line[1:].split()[0] for line in page().splitlines() if line.startswith((".", "'"))}
    assert requests <= set(known)


def test_text_that_looks_like_roff_is_text() -> None:
    @click.group()
    def odd() -> None:
        """Odd.

        \b
        .SH not a heading
        'quoted \\fBnot bold
        """

    text = manual(odd, "1")
    assert "\n\\&.SH not a heading\n\\&'quoted \\(rsfBnot bold\n" in text


@pytest.mark.parametrize("reader", [["mandoc", "-Tlint", "-W", "error"], ["man", "--warnings=w", "-l", "-"]])
def test_readers_of_manuals_have_nothing_against_it(reader: list[str]) -> None:
    if shutil.which(reader[0]) is None:
        return  # either is enough, and neither is needed to run the program
    done = subprocess.run(reader, input=page(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""


def test_the_command_prints_the_page_of_this_version() -> None:
    shown = CliRunner().invoke(cli, ["manual"]).stdout
    assert shown.startswith(".TH ROUTEE\\-MONITOR 1 ")
    assert ".SS healthcheck" in shown


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str) -> None:
    shown = CliRunner().invoke(cli, ["completion", shell])
    assert shown.exit_code == 0
    assert shown.stdout == completion_script(cli, shell)
    assert "_ROUTEE_MONITOR_COMPLETE" in shown.stdout


COMPLETE = """
{script}
COMP_WORDS=({words} "{typed}") COMP_CWORD={number}
_routee_monitor_completion routee-monitor
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def completed(tmp_path: Path) -> Callable[[str, str], set[str]]:
    """Asks a bash what it offers after these words for what was typed of the next."""
    program = tmp_path / "routee-monitor"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m monitor "$@"\n')
    program.chmod(0o755)
    around = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def ask(words: str, typed: str) -> set[str]:
        number = len(words.split())
        script = COMPLETE.format(script=completion_script(cli, "bash"), words=words, typed=typed, number=number)
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True, env=around
        )
        assert done.stderr == ""
        return set(done.stdout.split())

    return ask


def test_bash_completes_every_command(completed: Callable[[str, str], set[str]]) -> None:
    assert completed("routee-monitor", "") == set(cli.commands)
    assert completed("routee-monitor", "heal") == {"healthcheck"}


def test_bash_completes_options_and_their_values(completed: Callable[[str, str], set[str]]) -> None:
    assert completed("routee-monitor run", "--log-l") == {"--log-level"}
    assert completed("routee-monitor run --log-level", "w") == {"warning"}


def test_completing_is_quick_enough_to_be_typed() -> None:
    code = (
        "import sys\nfrom monitor.cli import cli\n"
        "try:\n    cli.main([], prog_name='routee-monitor')\nexcept SystemExit:\n"
        "    print(sorted({'httpx', 'numpy', 'pydantic', 'trio', 'rich', 'yaml'} & set(sys.modules)))"
    )
    asked = {"_ROUTEE_MONITOR_COMPLETE": "bash_complete", "COMP_WORDS": "routee-monitor run --", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=os.environ | asked
    )
    assert done.stdout.splitlines()[-1] == "[]"
