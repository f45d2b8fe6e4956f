"""Help that is quick, complete and the same as the documentation."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_folder import PROGRAM, Folder
from click.testing import CliRunner

from monitor.cli import cli
from monitor.cli.choices import OneOf
from monitor.cli.times import TIME, WHEN

HEAVY = (
    "httpx",
    "hypercorn",
    "jinja2",
    "msgspec",
    "numpy",
    "pydantic",
    "re2",
    "rich",
    "slack_sdk",
    "starlette",
    "trio",
    "yaml",
)
DOCS = Path(__file__).parents[2] / "docs" / "commands.md"


def commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*above, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_word_of_the_help_is_broken(width: int) -> None:
    for words in commands(cli):
        shown = CliRunner().invoke(cli, [*words, "--help"], terminal_width=width).output
        assert not [line for line in shown.splitlines() if re.search(r"\w-$", line)], words


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom monitor.cli import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n"
        f"    print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("Usage: ")
    assert done.stdout.endswith("HEAVY []\n")


def test_the_program_says_its_version() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert re.fullmatch(r"routee-monitor, version \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_takes_config_and_tells_its_exit_codes(name: str) -> None:
    command = cli.commands[name]
    assert any("--config" in option.opts for option in command.params if isinstance(option, click.Option))
    shown = CliRunner().invoke(cli, [name, "--help"])
    assert shown.exit_code == 0
    assert "Exit codes: 0 " in shown.stdout


def test_the_short_descriptions_fit_on_a_line() -> None:
    assert "..." not in CliRunner().invoke(cli, ["--help"]).stdout.partition("Commands:")[2]


def test_the_documentation_has_every_command_with_an_example_and_exit_codes() -> None:
    sections = re.split(r"^## ", DOCS.read_text(), flags=re.MULTILINE)[1:]
    documented = {found[1]: section for section in sections if (found := re.match(r"`([a-z-]+)", section))}
    assert list(documented) == list(cli.commands)
    for name, section in documented.items():
        assert f"routee-monitor {name}" in section
        assert "Exit codes:" in section
        for option in cli.commands[name].params:
            for spelling in option.opts:
                if spelling.startswith("--") and spelling not in ("--config", "--json", "--wide", "--log-level"):
                    assert f"`{spelling}" in section, f"{spelling} of {name} is not in docs/commands.md"


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    for name, command in cli.commands.items():
        parts = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *parts):
            yield from ((f"{name} {one.name}", parameter) for parameter in one.params)


def test_all_times_are_read_in_the_same_way_and_all_fixed_words_are_suggested() -> None:
    for name, parameter in parameters():
        assert not isinstance(parameter.type, click.Choice) or isinstance(parameter.type, OneOf), name
        kind = {"TIME": TIME, "WHEN": WHEN}.get(str(parameter.metavar), parameter.type)
        assert parameter.type is kind, name
        assert not isinstance(parameter.type, click.DateTime), name


def test_a_fixed_word_that_is_mistyped_is_suggested() -> None:
    for words in (["alerts", "--state", "Fireing"], ["alerts", "--log-level", "debg"], ["schema", "rule"]):
        outcome = CliRunner().invoke(cli, words)
        assert outcome.exit_code == 2
        assert "Did you mean '" in outcome.stderr


def test_every_command_that_prints_tables_takes_wide() -> None:
    lacking, found = set(), set()
    for command in cli.commands.values():
        for one in command.commands.values() if isinstance(command, click.Group) else [command]:
            module = inspect.unwrap(one.callback).__module__ if one.callback is not None else ""
            if hasattr(sys.modules.get(module), "print_table"):
                wide = any("--wide" in option.opts for option in one.params)
                (found if wide else lacking).add(module)
    assert lacking - found == set()
    assert len(found) >= 7


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _commands(below, (*path, name))


@pytest.mark.parametrize("path", _commands(cli), ids=" ".join)
def test_help_fits_a_terminal_of_80_columns(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80)
    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []


def test_the_configuration_may_be_named_before_the_command_too(folder: Folder) -> None:
    folder.replace(folder.config, "web:", "wep:")
    for line in (["-c", str(folder.config), "check"], ["--config", str(folder.config), "rules", "review"]):
        outcome = CliRunner().invoke(cli, line)
        assert outcome.exit_code == 78
        assert f"{folder.config}:" in outcome.stderr
    after = CliRunner().invoke(cli, ["-c", str(folder.config), "check", "-c", str(folder.path / "none.yaml")])
    assert "none.yaml" in after.stderr, "what stands with the command counts"
