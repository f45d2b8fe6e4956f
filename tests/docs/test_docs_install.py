"""What docs/install says to type is what the tests of the service and of the image do."""

import json
import re
import shlex
from pathlib import Path

import pytest

from monitor.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = {page.stem: page.read_text("utf-8") for page in (ROOT / "docs" / "install").glob("*.md")}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def shown(page: str) -> set[str]:
    """The commands on a page: one a line, indented; continued lines joined, comments dropped."""
    text = re.sub(r" \\\n\s+", " ", PAGES[page])
    commands = re.findall(r"^    (?! )(\S.*)$", text, re.MULTILINE)
    return {re.split(r"\s{2,}#", command)[0].strip() for command in commands}


def typed() -> list[str]:
    """The commands that the test of the service types to install it, up to what is particular to that test."""
    script = (ROOT / "tests/system/install.sh").read_text("utf-8").partition("# What is particular")[0]
    lines = (line.strip() for line in script.splitlines() if not line.startswith("#"))
    commands = [line.replace(" --quiet", "").replace("/root/fetch", "fetch") for line in lines if line]
    return [line for line in commands if not line.startswith(("cd ", "if ", "fi", "exit"))]


@pytest.mark.parametrize("command", typed())
def test_what_the_test_of_the_service_types_is_what_the_pages_say(command: str) -> None:
    assert command in shown("air-gapped") | shown("systemd")


def test_the_container_is_run_as_the_compose_file_and_the_tests_run_it() -> None:
    (run,) = (command for command in shown("container") if command.startswith("docker run"))
    words = shlex.split(run)
    assert {"--read-only", "no-new-privileges:true", "ALL"} <= set(words)
    volumes = [words[number + 1].split(":")[1] for number, word in enumerate(words) if word == "--volume"]
    assert "/var/lib/routee-monitor" in volumes
    assert "VOLUME /var/lib/routee-monitor" in DOCKERFILE
    assert words[-1] == "routee-monitor"


def called() -> set[str]:
    """The program's commands that are called anywhere on the pages."""
    everywhere = "\n".join(command for page in PAGES for command in shown(page))
    quoted = re.findall(r"`routee-monitor ([a-z-]+)", "\n".join(PAGES.values()))
    return {*quoted, *re.findall(r"(?:^|/bin/|\()routee-monitor ([a-z-]+)", everywhere, re.MULTILINE)}


def test_every_command_of_the_program_that_is_called_exists() -> None:
    assert {"backup", "check", "send-test", "completion", "manual", "healthcheck"} <= called()
    assert called() <= set(cli.commands)


def test_fields_of_the_journal_are_those_that_the_code_hands_over() -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", PAGES["systemd"].split("| field | on |")[1].split("\n\n")[0]))
    written = "\n".join(path.read_text("utf-8") for path in (ROOT / "monitor").rglob("*.py"))
    for field in listed:
        assert json.dumps(field) in written or f'"{field.lower()}":' in written, field


def test_every_secret_that_the_unit_loads_has_a_line_that_makes_its_file() -> None:
    loaded = set(re.findall(r"^LoadCredential=\w+:(\S+)", PAGES["systemd"], re.MULTILINE))
    assert len(loaded) == 2
    assert {f"install -m 0600 /dev/stdin {file}" for file in loaded} <= shown("systemd")


def test_every_page_is_on_the_map() -> None:
    assert {f"{name}.md" for name in PAGES} - {"index.md"} == set(re.findall(r"\]\(([a-z-]+\.md)\)", PAGES["index"]))
