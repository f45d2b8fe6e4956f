"""How many files and connections the process may have open, and what of them the listener leaves to polling and telling."""

import resource
from typing import Final

WANTED: Final = 8192
_LISTENER_SHARE: Final = 2
"""The listener's connections take at most this fraction (one half) of the descriptors: the store, polling and telling need the rest."""


def raise_limit() -> None:
    """Raise the process's own (soft) limit of open files to 8192, or as far as the machine lets it."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox forbids to ask, or to change it: what there is has to do
        return


def connections_possible() -> int:
    """How many connections the listener can have open and leave enough descriptors to all else."""
    try:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (OSError, ValueError):
        return WANTED
    return WANTED if soft == resource.RLIM_INFINITY else max(soft // _LISTENER_SHARE, 1)
