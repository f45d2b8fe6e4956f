"""Writes proposals as a unified diff of the rule files: only the numbers change, comments and everything else stay as they are."""

import os
import re
from collections.abc import Iterable, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Final

import yaml

from monitor.config.rules import Rule
from monitor.config.yaml.document import KeyPath
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import MonitorError

_LINE: Final = re.compile("[^\n]*\n|[^\n]+")
_NO_NEWLINE: Final = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class Edit:
    """A value of a rule, at a path below it, and what is to be written there."""

    rule: Rule
    path: KeyPath
    text: str


@dataclass(frozen=True, slots=True)
class Patch:
    """``text`` is the diff, empty if nothing changes; its paths begin in ``folder``. ``variables`` are the edits of values that come from
    variables of the environment, so that no file can be changed for them."""

    text: str
    folder: Path
    variables: tuple[Edit, ...]


def patch(edits: Iterable[Edit], here: Path) -> Patch:
    """The diff of all edits. Paths begin in the folder ``here`` if all files are below it, else in the nearest folder above all of them.

    Raises MonitorError if a file cannot be read, or has changed since its rules were read.
    """
    by_file: dict[Path, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(Path(edit.rule.source[0]).resolve(), []).append(edit)
    folder = _folder(list(by_file), here.resolve())
    pieces, variables = [], []
    for file, some in by_file.items():
        before = _read(file)
        after, left = _edited(before, some, file)
        variables += left
        pieces.append(_diff(before, after, file.relative_to(folder).as_posix()))
    return Patch("".join(pieces), folder, tuple(variables))


def is_from_variable(rule: Rule, path: KeyPath) -> bool:
    """Whether the value at ``path`` below the rule is written as a variable of the environment."""
    file, line, column = rule.location(*path)
    text = _read(Path(file))
    start, end = _scalar(text, line, column, Path(file))
    return "${" in text[start:end]


def _folder(files: Sequence[Path], here: Path) -> Path:
    if all(file.is_relative_to(here) for file in files):
        return here
    return Path(os.path.commonpath([file.parent for file in files]))


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MonitorError(f"{file} cannot be read any more: {error}") from error


def _edited(text: str, edits: Iterable[Edit], file: Path) -> tuple[str, list[Edit]]:
    """The text with all edits made, and the edits that cannot be made because the value is a variable's."""
    places = [(_scalar(text, *edit.rule.location(*edit.path)[1:], file), edit) for edit in edits]
    left = [edit for (start, end), edit in places if "${" in text[start:end]]
    untouched = {edit.rule.name for edit in left}  # the levels of a rule are moved together or not at all
    for (start, end), edit in sorted(places, key=lambda one: one[0], reverse=True):
        if edit.rule.name not in untouched:
            quote = text[start] if text[start] in "\"'" else ""
            text = f"{text[:start]}{quote}{edit.text}{quote}{text[end:]}"
    return text, left


def _scalar(text: str, line: int, column: int, file: Path) -> tuple[int, int]:
    """Where the value at that line and column begins and ends in the text; both are counted from 1, without a byte order mark."""
    mark = text.startswith("\ufeff")
    try:
        for event in yaml.parse(text[mark:], Loader=yaml.SafeLoader):
            start, end = event.start_mark, event.end_mark
            if not isinstance(event, yaml.ScalarEvent) or start is None or end is None:
                continue
            if (start.line + 1, start.column + 1) == (line, column):
                return start.index + mark, end.index + mark
    except yaml.YAMLError:
        pass
    raise MonitorError(f"{file} has changed since its rules were read: try again")


def _diff(before: str, after: str, name: str) -> str:
    lines = unified_diff(_LINE.findall(before), _LINE.findall(after), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)
