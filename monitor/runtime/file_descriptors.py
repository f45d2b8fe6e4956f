"""Raises the process's limit of open files, and says how many of them the listener may use for connections."""

import resource
from typing import Final

WANTED: Final = 8192
_LISTENER_SHARE: Final = 2
"""The listener's connections take at most one part in this many (half) of the descriptors; the store, polling and notifying need the rest."""


def raise_limit() -> None:
    """Raises the process's soft limit of open files to 8192, or as far as the machine lets it. Never fails."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox may forbid to read or to change the limit
        return


def connections_possible() -> int:
    """Returns how many connections the listener may have open, so that enough descriptors are left for everything else."""
    try:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (OSError, ValueError):
        return WANTED
    return WANTED if soft == resource.RLIM_INFINITY else max(soft // _LISTENER_SHARE, 1)
