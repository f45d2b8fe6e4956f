"""What the parts of the daemon report to."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import Clock
from monitor.runtime.errors import InternalError


@dataclass(slots=True)
class Services:
    """When it is, what is counted, whether all is well, and whom to wake when notifications were committed.

    ``reached`` is told how much of the past a search has read (account, search, share).
    """

    clock: Clock
    metrics: Metrics
    health: Health
    wake: Callable[[], None]
    reached: Callable[[str, str, float], None] = lambda account, search, share: None
    internal_error: Callable[[str, Exception], str] = lambda task, error: str(InternalError(error))
    """Gets an unexpected error and its task; returns the sentence for people."""
