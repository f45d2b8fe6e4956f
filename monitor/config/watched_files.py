"""Lists the files of a configuration: its own, those that it names, its secret files and the listener's certificate."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from monitor.config.monitor import Config
from monitor.config.monitor.globs import RULES, TEMPLATES, each_once
from monitor.config.yaml import locate, secret_files
from monitor.runtime.file_reads import reading

Stamp = tuple[tuple[str, int, int, int], ...]
"""The name, time of change (in nanoseconds), size and inode of each file; zeros if it does not exist."""


def files_of(path: Path, config: Config, environ: Mapping[str, str]) -> list[Path]:
    """Returns every file that reading the configuration ``path`` again would read. Lists folders, but reads no file."""
    found = [path]
    for patterns, suffixes in ((config.rules, RULES), (config.templates, TEMPLATES)):
        with suppress(ValueError):  # the pattern matches no file any more, so its files are missing in the stamp
            found += each_once(config.folder, patterns, suffixes)
    certificates = [config.web.tls.cert_file] if config.web is not None and config.web.tls is not None else []
    found += (locate(name, config.folder, environ) for name in (*secret_files(config), *certificates))
    return found


def stamp(files: Iterable[Path]) -> Stamp:
    """Returns a value that changes when one of the files does. Blocks."""
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: Path) -> tuple[str, int, int, int]:
    try:
        with reading(file):
            status = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return str(file), status.st_mtime_ns, status.st_size, status.st_ino
