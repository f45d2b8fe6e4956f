"""What the listener needs of the daemon's alerts: how they stand, and what people may do about them. The pipeline is one."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from monitor.dispatch.status import AlertStatus, GroupStatus, SilenceStatus
from monitor.routing.acknowledgements import Ack
from monitor.routing.silences import Silence
from monitor.runtime.clock import Instant


class StatusReader(Protocol):
    """How things stand at one moment."""

    def alerts(self) -> Iterable[AlertStatus]:
        """Every alert that is pending or fires, or is over but not told so everywhere; each is made when it is asked for."""

    def find(self, fingerprint: str, *, deep: bool = False) -> AlertStatus | None:
        """The one with this fingerprint, its own or that of its labels; ``deep``: also with what explains it."""

    def groups(self) -> Sequence[GroupStatus]:
        """What fires, by group."""

    def silences(self) -> Sequence[SilenceStatus]:
        """All silences, those that are over for some days included."""


class AlertActions(Protocol):
    """One daemon's alerts. What changes something raises StoreError, and has then changed nothing."""

    def stock(self) -> StatusReader:
        """How things stand now."""

    async def put_silence(self, silence: Silence) -> None:
        """Begin one, or replace the one with its id. Raises ValueError where there are too many."""

    async def expire_silence(self, silence_id: str) -> None:
        """End one now. Raises NothingThere."""

    async def acknowledge(self, fingerprint: str, by: str, comment: str = "", until: Instant | None = None) -> Ack:
        """Take on an alert that fires. Raises NothingThere, and ValueError where it makes no sense."""

    async def unacknowledge(self, fingerprint: str) -> None:
        """Take that back. Raises NothingThere."""
