"""The interfaces of polling: a sink gets rows and cursors, an observer gets figures."""

from dataclasses import dataclass
from typing import Literal, Protocol

from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.message import Batch
from monitor.model.routee_query import SetAside
from monitor.runtime.clock import Instant
from monitor.runtime.errors import InternalError, RouteeError, StoreError
from monitor.store.protocol import Cursor


class Sink(Protocol):
    """Where polls go. Any method may raise StoreError: the poll then counts as failed and is made again.

    A poll and a sweep of the same search may hand over pages at the same time; their ``complete`` calls never overlap. Rows
    that were handed over stay the sink's to commit, also when one ``complete`` fails: they are not sure to come again.
    """

    def begin(self, search: str, read: str) -> None:
        """A poll or sweep of a search that messages can leave begins. Several of different names may be under way."""

    def end(self, search: str, read: str) -> None:
        """Marks the end of a poll or sweep, complete or not."""

    async def page(
        self, search: str, batch: Batch, asides: tuple[SetAside, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """Rows as reported now; the same ones may come again."""

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """A poll (``as_of`` moved) or a sweep (it did not) is complete: commit the cursor with all rows that came before.

        ``read`` is what was read, where messages can leave the search.
        """

    async def failed(self, search: str, error: RouteeError | StoreError | InternalError) -> None:
        """One poll or sweep failed; it is tried again at the next interval."""

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """For three intervals no poll was complete; ``since`` is how far was seen, ``reason`` a sentence."""

    async def sighted(self, search: str) -> None:
        """Polls are complete again. Comes after ``complete``, and also with the first one of a run: an earlier run may have ended blind."""

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """What changed between the two is out of the API's reach. Comes before the ``complete`` of the poll that skips it."""


Kind = Literal["poll", "sweep"]


@dataclass(slots=True)
class PollFigures:
    """The figures of one poll or sweep. ``outcome`` is ``ok``, an error's outcome or ``store``; ``reread`` counts slices read again."""

    search: str
    kind: Kind
    outcome: str = "ok"
    requests: int = 0
    pages: int = 0
    rows: int = 0
    asides: int = 0
    slices: int = 0
    reread: int = 0
    skipped: int = 0
    seconds: float = 0.0


class PollObserver(Protocol):
    """An observer that collects figures."""

    def finished(self, figures: PollFigures) -> None:
        """Records the figures of a finished poll or sweep, successful or not."""

    def reached(self, search: str, share: float) -> None:
        """Takes how much of the past that the search looks back to has been read: see `monitor.ingest.poll.plan.share_read`."""


class NoObserver:
    """An observer that ignores everything."""

    def finished(self, figures: PollFigures) -> None:
        """Nothing."""

    def reached(self, search: str, share: float) -> None:
        """Nothing."""
