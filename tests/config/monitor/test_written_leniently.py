"""What machines and people leave behind in what is written: newlines after secrets, files of the system, other names for zones."""

import os
from pathlib import Path

import pytest

from monitor.config.monitor.globs import RULES, find_files
from monitor.config.yaml.scalar import substitute
from monitor.config.yaml.zone import zone_of


@pytest.mark.parametrize("held", ["hunter2\n", "hunter2\r\n", " hunter2 ", "hunter2"])
def test_white_space_around_a_variable_is_no_part_of_a_secret(held: str) -> None:
    assert substitute("${SECRET}", {"SECRET": held}) == ("hunter2", [])


def test_a_variable_of_nothing_but_a_newline_is_empty() -> None:
    assert substitute("${SECRET:-other}", {"SECRET": "\n"}) == ("other", [])


@pytest.mark.parametrize("pattern", [".", "*", "*.yaml", "**/*.yaml"])
def test_what_systems_and_editors_leave_behind_is_no_rule(tmp_path: Path, pattern: str) -> None:
    for name in ("a.yaml", "._a.yaml", ".#a.yaml", "#a.yaml#", ".a.yaml.swp", ".hidden.yaml", "a.yaml~"):
        (tmp_path / name).write_text("rules: []")
    assert [path.name for path in find_files(tmp_path, pattern, RULES)] == ["a.yaml"]


@pytest.mark.parametrize("pattern", [".", "*", "*.yaml", "**/*.yaml"])
@pytest.mark.parametrize("is_pipe", [True, False])
def test_what_is_no_file_is_an_error_and_not_left_out(tmp_path: Path, pattern: str, is_pipe: bool) -> None:
    (tmp_path / "a.yaml").write_text("rules: []")
    (tmp_path / "folder.yaml").mkdir()
    assert [path.name for path in find_files(tmp_path, pattern, RULES)] == ["a.yaml"]
    if is_pipe:
        os.mkfifo(tmp_path / "b.yaml")
    else:
        (tmp_path / "b.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(
        ValueError, match=r"b\.yaml', which is (a link to what is not there|neither a file nor a folder)"
    ):
        find_files(tmp_path, pattern, RULES)
    (tmp_path / "gone.yaml").write_text("rules: []")
    if not is_pipe:
        assert {path.resolve().name for path in find_files(tmp_path, "b*", RULES)} == {"gone.yaml"}


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / ".mine.yaml").write_text("rules: []")
    assert find_files(tmp_path, ".mine.yaml") == (tmp_path / ".mine.yaml",)


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("UTC+3", "Etc/GMT-3"),
        ("utc+03:00", "Etc/GMT-3"),
        ("GMT-5", "Etc/GMT+5"),
        ("+2", "Etc/GMT-2"),
        ("UTC +10", "Etc/GMT-10"),
    ],
)
def test_an_offset_is_answered_with_a_place_or_the_zone_of_that_offset(written: str, zone: str) -> None:
    with pytest.raises(ValueError, match="Europe/Athens") as raised:
        zone_of(written)
    assert f"or {zone}, which is {written}" in str(raised.value)


def test_an_offset_that_no_zone_has_is_not_answered_with_one() -> None:
    with pytest.raises(ValueError, match="not a time zone") as raised:
        zone_of("UTC+25")
    assert "Etc/GMT" not in str(raised.value)
