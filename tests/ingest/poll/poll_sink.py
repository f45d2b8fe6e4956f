"""A sink that remembers what polling handed over."""

from dataclasses import dataclass, field

from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import Instant
from monitor.runtime.errors import RouteeError, StoreError
from monitor.store.protocol import Cursor


@dataclass(slots=True)
class FakeSink:
    """Keeps the latest state of each message as a window does, the cursors, and the order of events."""

    statuses: dict[str, tuple[Instant, str]] = field(default_factory=dict)
    cursors: list[Cursor] = field(default_factory=list)
    events: list[tuple[str, object]] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    broken: StoreError | None = None
    broken_pages: StoreError | None = None

    def seen(self) -> dict[str, str]:
        """The latest status of each message that was handed over."""
        return {id_: status for id_, (_, status) in self.statuses.items()}

    def told(self, *names: str) -> list[str]:
        """The names of events, in order, of those asked for."""
        return [name for name, _ in self.events if name in names]

    def begin(self, search: str, read: str) -> None:
        """Nothing leaves here."""

    def end(self, search: str, read: str) -> None:
        """Nothing leaves here."""

    async def page(
        self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """Later reports win."""
        if self.broken_pages is not None:
            raise self.broken_pages
        self.rejected |= {one.record for one in rejected}
        for id_, date, status in zip(batch.message_id, batch.date.tolist(), batch.coded.of_each("status"), strict=True):
            self.statuses[id_] = max(self.statuses.get(id_, (0, "")), (date, status))

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """Keep the cursor."""
        if self.broken is not None:
            raise self.broken
        self.cursors.append(cursor)
        self.events.append(("complete", cursor.as_of))

    async def failed(self, search: str, error: RouteeError | StoreError) -> None:
        """Keep the error."""
        self.events.append(("failed", error))

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """Keep the reason."""
        if self.broken is not None:
            raise self.broken
        self.events.append(("blind", reason))

    async def sighted(self, search: str) -> None:
        """Keep that."""
        self.events.append(("sighted", None))

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """Keep the span."""
        self.events.append(("gap", (start, end)))


@dataclass(slots=True)
class Figures:
    """An observer that keeps every round."""

    rounds: list[PollFigures] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def reached(self, search: str, share: float) -> None:
        """Keep it."""
        self.shares.append(share)

    def finished(self, figures: PollFigures) -> None:
        """Keep it."""
        self.rounds.append(figures)
