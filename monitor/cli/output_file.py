"""Writes files for users: checks before the work starts that they can be written."""

import os
from pathlib import Path

from monitor.runtime.errors import MonitorError


def require_writable(path: Path) -> None:
    """Raises MonitorError if ``path`` cannot be written."""
    folder = path.parent
    if not folder.is_dir():
        raise MonitorError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise MonitorError(f"{path} cannot be written: you may not write there")


def write_output(path: Path, data: bytes) -> None:
    """Writes the file. Raises MonitorError with the reason if that fails."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MonitorError(f"{path} cannot be written: {error.strerror}") from error
