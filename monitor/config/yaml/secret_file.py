"""Finds and reads secret files, and strips white space around the secret."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from monitor.runtime.file_reads import read_file, reading

LARGEST: Final = 64 * 1024

_PLAINLY_A_NAME: Final = re.compile(r"(/|\./|\.\./|~)|[A-Za-z_. -]{1,40}$")
"""Matches a path or a word without a digit, which is probably not a secret."""


def locate(name: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """Returns the path of ``name``: a bare name that exists in systemd's $CREDENTIALS_DIRECTORY, else a path relative to ``folder``."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if credentials and "/" not in name:
        candidate = Path(credentials) / name
        with reading(candidate):
            if candidate.exists():
                return candidate
    return folder / Path(name).expanduser()


def _where_else(name: str, environ: Mapping[str, str]) -> str:
    """Returns where a file may be that was looked for by a bare name and without systemd's folder."""
    if "/" in name or environ.get("CREDENTIALS_DIRECTORY"):
        return ""
    return (
        "; if systemd gives it to the service (LoadCredential=), only the service has it: run this as root with "
        "CREDENTIALS_DIRECTORY=FOLDER before the command, the folder of the secrets"
    )


def read_secret(name: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Returns the secret in the file ``name``, without white space around it. Raises ValueError, whose message does not show the secret.

    The message also hides a name that could be the secret itself, written instead of the file's name.
    """
    shown = f"the file {name}" if _PLAINLY_A_NAME.match(name) else "the file named here"
    try:
        path = locate(name, folder, environ)
        content = read_file(path, LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {error.strerror}{_where_else(name, environ)}") from None
    except (ValueError, RuntimeError):  # an invalid file name, or ~ without a home
        raise ValueError(f"{shown} cannot be read: that is no file's name") from None
    secret = content.decode("utf-8-sig", "replace").strip()
    if len(content) > LARGEST or "\0" in secret or "\ufffd" in secret:
        raise ValueError(f"{shown} does not hold a secret: it is not text, or larger than 64 KiB")
    if not secret:
        raise ValueError(f"{shown} is empty; write the secret into it")
    return secret
