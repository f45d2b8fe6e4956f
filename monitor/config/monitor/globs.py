"""Finds the files that globs and folders name."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

RULES: Final = (".yaml", ".yml")
"""What rule files in a folder end with."""
TEMPLATES: Final = (".j2",)
"""What templates in a folder end with."""

_WILD: Final = frozenset("*?[")
_LEFTOVER: Final = re.compile(r"[.#]|.*~$")
"""Files that a glob or a folder leaves out: macOS's ``._rules.yaml``, an editor's ``.#rules.yaml`` and ``rules.yaml~``, hidden ones."""
TESTS: Final = "tests"
"""Folders of this name hold tests of rules; what a glob or a folder finds there is left out."""


def each_once(folder: Path, patterns: Iterable[str], suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that all ``patterns`` name, in their order, each once. Raises ValueError where a pattern names none."""
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in find_files(folder, pattern, suffixes):
            found.setdefault(path.resolve(), path)
    return tuple(found.values())


def find_files(folder: Path, pattern: str, suffixes: tuple[str, ...] = RULES) -> tuple[Path, ...]:
    """The files that ``pattern`` names, relative to ``folder``, sorted: one file, a glob, or a folder with all files in it that end so.

    Raises ValueError where there is none.
    """
    try:
        found = _find(folder, pattern, suffixes)
    except (OSError, ValueError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a path or a glob"
        raise ValueError(f"{pattern!r} cannot be looked for: {reason}") from None
    if not found:
        raise ValueError(_nothing(folder, pattern, suffixes))
    return found


def _nothing(folder: Path, pattern: str, suffixes: tuple[str, ...]) -> str:
    """Why a pattern names no file."""
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
    wanted = (path for path in found if not _LEFTOVER.match(path.name) and not _is_test(path, start))
    return tuple(sorted(path for path in wanted if path.is_file()))


def _is_test(path: Path, start: Path) -> bool:
    return TESTS in path.relative_to(start).parts[:-1]
