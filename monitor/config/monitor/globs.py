"""Finds the files that globs and folders name."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from monitor.runtime.file_reads import reading

RULES: Final = (".yaml", ".yml")
"""The suffixes of rule files in a folder."""
TEMPLATES: Final = (".j2",)
"""The suffixes of templates in a folder."""

_WILD: Final = frozenset("*?[")
_LEFTOVER: Final = re.compile(r"[.#]|.*~$")
"""Matches files that globs and folders leave out: macOS's ``._rules.yaml``, an editor's ``.#rules.yaml`` and ``rules.yaml~``, hidden files."""
TESTS: Final = "tests"
"""The name of folders with tests of rules; globs and folders leave their files out."""


def each_once(folder: Path, patterns: Iterable[str], suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    """Returns the files that ``patterns`` match, in their order, each once. Raises ValueError if a pattern matches none."""
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in find_files(folder, pattern, suffixes):
            found.setdefault(path.resolve(), path)
    return tuple(found.values())


def find_files(folder: Path, pattern: str, suffixes: tuple[str, ...] = RULES) -> tuple[Path, ...]:
    """Returns the sorted files that ``pattern`` matches, relative to ``folder``. A folder matches all files below it with one of ``suffixes``.

    Raises ValueError if there is none, and if something that matches is neither a file nor a folder: left out, it would end the alerts of its rules.
    """
    try:
        with reading(folder / pattern):
            found = _find(folder, pattern, suffixes)
    except _NoFile as error:
        raise ValueError(str(error)) from None
    except (OSError, ValueError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a path or a glob"
        raise ValueError(f"{pattern!r} cannot be looked for: {reason}") from None
    if not found:
        raise ValueError(_nothing(folder, pattern, suffixes))
    return found


def _nothing(folder: Path, pattern: str, suffixes: tuple[str, ...]) -> str:
    """Returns why a pattern matches no file."""
    if not folder.joinpath(Path(pattern).expanduser()).is_dir():
        return f"{pattern!r} matches no file (looked in {folder.absolute()})"
    kinds = " or ".join(f"*{suffix}" for suffix in suffixes)
    return f"the folder {pattern!r} has no file {kinds} in it (folders named {TESTS!r} are left out)"


def _find(folder: Path, pattern: str, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    parts = Path(pattern).expanduser().parts
    plain = next((number for number, part in enumerate(parts) if _WILD & set(part)), len(parts))
    start = folder.joinpath(*parts[:plain])
    if plain < len(parts):
        found = start.glob(str(Path(*parts[plain:])))
    elif start.is_dir():
        found = (path for path in start.rglob("*") if path.suffix in suffixes)
    else:
        return (start,) if start.exists() else ()
    wanted = sorted(path for path in found if not _LEFTOVER.match(path.name) and not _is_test(path, start))
    for path in wanted:
        if not path.is_file() and not path.is_dir() and os.path.lexists(path):
            raise _NoFile(pattern, path)
    return tuple(path for path in wanted if path.is_file())


class _NoFile(Exception):
    """Something that matches a pattern is no file."""

    def __init__(self, pattern: str, path: Path) -> None:
        what = "a link to what is not there" if path.is_symlink() else "neither a file nor a folder"
        super().__init__(
            f"{pattern!r} matches {str(path)!r}, which is {what}: take it away, or put the file in its place"
        )


def _is_test(path: Path, start: Path) -> bool:
    return TESTS in path.relative_to(start).parts[:-1]
