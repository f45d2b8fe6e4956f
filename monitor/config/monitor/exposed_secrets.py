"""Finds secret files that other users of this machine can read."""

import stat
from collections.abc import Mapping
from pathlib import Path

from monitor.config.yaml import YamlModel, secret_files
from monitor.config.yaml.secret_file import locate


def exposed_files(config: YamlModel, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Returns the secret files named by ``config`` (written in ``folder``) that every user can read, each once."""
    paths = (locate(name, folder, environ) for name in secret_files(config))
    return [path for path in dict.fromkeys(paths) if is_exposed(path)]


def is_exposed(path: Path) -> bool:
    """Returns whether every user can read the file and enter the folders above it. False if that is unknown."""
    try:
        real = path.resolve()
        passable = all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
        return passable and bool(real.stat().st_mode & stat.S_IROTH)
    except (OSError, ValueError, RuntimeError):
        return False
