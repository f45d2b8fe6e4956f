"""Reads past messages from Routee into a window in memory."""

from collections.abc import Callable, Sequence

from monitor.config.monitor import Search
from monitor.ingest.poll.plan import Slice, horizon
from monitor.ingest.poll.reader import Reader, SliceResult
from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import PAGE_SIZE, RejectedRecord, Tracking
from monitor.runtime.clock import Clock, Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.run import AccountMessages
from monitor.window import Window

Progress = Callable[[str, int, int], None]
"""Gets a search, the number of its parts that have been read, and the number of all its parts."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An account's messages, and the searches whose pages changed while they were read, so that some messages may be missing."""

    account: AccountMessages
    moving: tuple[str, ...]
    requests: int


async def fetch(
    tracking: Tracking,
    searches: Sequence[Search],
    start: Instant,
    end: Instant,
    privacy: RecipientMask,
    clock: Clock,
    progress: Progress,
) -> Fetched:
    """Reads all messages of an account's searches from ``start``, or as far back as Routee has any, to ``end``.

    Requests keep to the client's own rate limit. Raises RouteeError.
    """
    window = Window(searches[0].account, privacy)
    moving: list[str] = []
    covered_since, requests = start, 0
    for search in searches:
        fetching = _Fetching(tracking, search, window, clock, progress)
        covered_since = max(covered_since, await fetching.run(start, end))
        requests += fetching.figures.requests
        moving += [search.name] if fetching.moving else []
    account = AccountMessages(window, [search.name for search in searches], covered_since)
    return Fetched(account, tuple(moving), requests)


class _Fetching:
    """Reads one search."""

    def __init__(self, tracking: Tracking, search: Search, window: Window, clock: Clock, progress: Progress) -> None:
        self.figures = PollFigures(search.name, "sweep")
        self.moving = False
        self._search = search
        self._window = window
        self._clock = clock
        self._progress = progress
        self._total = 0
        self._reader = Reader(tracking, search.question, PAGE_SIZE, self._take, self.figures, self._earliest)

    async def run(self, start: Instant, end: Instant) -> Instant:
        """Reads all of it; returns since when nothing is missing."""
        wanted = Slice(max(start, self._earliest()), end)
        self._total = await self._reader.count(wanted)
        self._progress(self._search.name, 0, self._total)
        await self._reader.read(wanted, self._note, self._total)
        return max(start, self._earliest())

    def _earliest(self) -> Instant:
        return horizon(self._clock.now())

    async def _take(self, batch: Batch, _rejected: tuple[RejectedRecord, ...], _origin: ReadOrigin) -> None:
        self._window.upsert(batch, self._search.name)
        self._progress(self._search.name, min(self.figures.rows, self._total), self._total)

    def _note(self, reading: SliceResult) -> None:
        self.moving |= not reading.still
