"""Says how a package that is an extra is added to this installation, as docs/install does for each kind of it."""

import sys
from pathlib import Path
from typing import Final

_OF_CONTAINERS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that container engines put into every container."""


def how_to_add(lock: str, prefix: Path | None = None, marks: tuple[Path, ...] = _OF_CONTAINERS) -> str:
    """Returns the command that installs the packages of ``requirements/LOCK.txt`` beside this program.

    ``prefix`` is the folder of its virtual environment; default: that of this process. ``marks`` are the files that only a container has.
    """
    prefix = Path(sys.prefix) if prefix is None else prefix
    if any(mark.exists() for mark in marks):
        return f'build the image with --build-arg LOCKS="run {lock}"'
    pip = "pipx runpip routee-monitor" if (prefix / "pipx_metadata.json").exists() else f"{prefix}/bin/pip"
    return f"in the folder of the release, run {pip} install --require-hashes --no-deps -r requirements/{lock}.txt"
