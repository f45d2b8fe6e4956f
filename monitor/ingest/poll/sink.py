"""The interfaces of polling: a sink gets rows and cursors, an observer gets figures."""

from typing import Literal, Protocol

from monitor.model.batch import Batch
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InternalError, RouteeError, StoreError
from monitor.store.protocol import Cursor


class Sink(Protocol):
    """The receiver of what polls and sweeps read. Any method may raise StoreError; then the poll counts as failed and is repeated.

    A poll and a sweep of the same search may call ``page`` concurrently. Their calls of ``complete`` never overlap. The sink must
    commit all rows that it has got, also if one ``complete`` fails, because they may not be read again.
    """

    def begin(self, search: str, read: str) -> None:
        """Marks the beginning of a poll or sweep of a search that messages can leave. Several with different names may run at once."""

    def end(self, search: str, read: str) -> None:
        """Marks the end of a poll or sweep, complete or not."""

    async def page(
        self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """Takes the content of a page. The same rows may come again."""

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> Instant | None:
        """Commits the cursor of a complete poll or sweep with all rows that came before. A sweep does not change ``as_of``.

        ``read`` says what was read; it is None if messages cannot leave the search. Returns up to where messages were dropped since they were
        read: the committed cursor covers nothing before, and to be known that has to be read again. None if none were.
        """

    async def failed(self, search: str, error: RouteeError | StoreError | InternalError) -> None:
        """Takes the error of a failed poll or sweep, which is repeated at the next interval."""

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """Notes that no poll was complete for three intervals. ``since`` is the end of the last one, ``reason`` a sentence."""

    async def sighted(self, search: str) -> None:
        """Notes that polls are complete again. It follows ``complete``, and also the first one of a run, since an earlier run may have ended
        blind."""

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """Notes that changes between ``start`` and ``end`` can no longer be requested. It precedes the ``complete`` of the poll that skips
        them."""


Kind = Literal["poll", "sweep"]


@dataclass(slots=True)
class PollFigures:
    """The figures of one poll or sweep. ``outcome`` is ``ok``, a RouteeError's outcome, ``store`` or ``internal``.

    ``reread`` counts further passes over slices, ``skipped`` slices of a sweep that were unchanged.
    """

    search: str
    kind: Kind
    outcome: str = "ok"
    requests: int = 0
    pages: int = 0
    rows: int = 0
    rejected: int = 0
    slices: int = 0
    reread: int = 0
    skipped: int = 0
    seconds: float = 0.0


class PollObserver(Protocol):
    """An observer that collects figures."""

    def finished(self, figures: PollFigures) -> None:
        """Records the figures of a finished poll or sweep, successful or not."""

    def reached(self, search: str, share: float) -> None:
        """Records the share of the past that has been read; see `monitor.ingest.poll.plan.share_read`."""


class NoObserver:
    """An observer that ignores everything."""

    def finished(self, figures: PollFigures) -> None:
        """Does nothing."""

    def reached(self, search: str, share: float) -> None:
        """Does nothing."""
