"""Restores the logging after commands that ran in this process, because commands configure it for a whole process."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_as_it_was() -> Iterator[None]:
    """After the block the log is as it was before."""
    root, own = logging.getLogger(), logging.getLogger("monitor")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    own.setLevel(own_level)
    logging.captureWarnings(False)
