"""Lists the files of a configuration: its own, those that it names, and its secret files."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from monitor.config.monitor import Config
from monitor.config.monitor.globs import RULES, TEMPLATES, each_once
from monitor.config.yaml import locate, secret_files

Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, when it was changed, its size and its number; 0 where there is none."""


def files_of(path: Path, config: Config, environ: Mapping[str, str]) -> list[Path]:
    """Every file that reading the configuration ``path`` again would read, as far as they are there now. Looks into folders, but reads nothing."""
    found = [path]
    for patterns, suffixes in ((config.rules, RULES), (config.templates, TEMPLATES)):
        with suppress(ValueError):  # a pattern that names no file any more: its files are missing in the stamp
            found += each_once(config.folder, patterns, suffixes)
    found += (locate(name, config.folder, environ) for name in secret_files(config))
    return found


def stamp(files: Iterable[Path]) -> Stamp:
    """What changes when one of the files does. Blocking."""
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: Path) -> tuple[str, int, int, int]:
    try:
        status = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return str(file), status.st_mtime_ns, status.st_size, status.st_ino
