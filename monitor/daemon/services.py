"""The services that the parts of the daemon share."""

from collections.abc import Callable
from dataclasses import field

from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.runtime.checkpoints import Pieces
from monitor.runtime.clock import Clock
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InternalError


@dataclass(slots=True)
class Services:
    """The clock, the metrics, the health, and callbacks.

    ``wake`` is called once notifications were committed. ``reached`` gets how much of the past a search has read (account, search, share).
    """

    clock: Clock
    metrics: Metrics
    health: Health
    wake: Callable[[], None]
    reached: Callable[[str, str, float], None] = lambda account, search, share: None
    internal_error: Callable[[str, Exception], str] = lambda task, error: str(InternalError(error))
    """Takes an unexpected error and its task; returns the sentence for people."""
    worker: str = ""
    """The name of this daemon among those that share its store; empty: there are no others."""
    pieces: Pieces = field(default_factory=Pieces)
    """Does long work and lets other tasks run in between."""
