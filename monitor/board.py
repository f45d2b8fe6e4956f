"""What the daemon shows of its alerts, and what others may do about them: the seam between telling and the listener."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.clock import Instant
from monitor.notification import AlertView
from monitor.silence import Silence


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that is pending or fires, who is or would be told of it, and what keeps it from being told now.

    ``fingerprint`` is the alert's own, the same over severities. ``muted_by`` are names of time intervals, ``silenced_by`` ids of silences,
    ``inhibited_by`` fingerprints of alerts.
    """

    fingerprint: str
    view: AlertView
    pending: bool
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()

    @property
    def is_suppressed(self) -> bool:
        """Whether nobody hears of it."""
        return bool(self.silenced_by or self.inhibited_by or self.muted_by)


@dataclass(frozen=True, slots=True)
class Together:
    """Alerts that one receiver is told of in one message."""

    receiver: str
    labels: dict[str, str]
    alerts: tuple[Standing, ...]


class Board(Protocol):
    """One daemon's alerts. What changes something raises StoreError, and has then changed nothing."""

    def now(self) -> Instant:
        """The present instant."""

    def receivers(self) -> Sequence[str]:
        """The names of all receivers."""

    def alerts(self) -> Sequence[Standing]:
        """Everything that is pending or fires."""

    def groups(self) -> Sequence[Together]:
        """What fires, by group."""

    def silences(self) -> Sequence[Silence]:
        """All silences that are kept, those that are over included."""

    async def put_silence(self, silence: Silence) -> None:
        """Begin one, or replace the one with its id."""

    async def expire_silence(self, silence_id: str) -> None:
        """End one now. Raises KeyError where there is none."""

    async def acknowledge(self, fingerprint: str, by: str, comment: str, until: Instant | None) -> None:
        """Somebody looks after the alert: it is not repeated, until it is over or ``until``. Raises KeyError where it does not fire."""

    async def unacknowledge(self, fingerprint: str) -> None:
        """Nobody does any more. Raises KeyError where nobody did."""
