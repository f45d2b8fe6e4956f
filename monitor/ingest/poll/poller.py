"""Polls the newest messages of one search at each interval."""

import trio

from monitor.ingest.poll.plan import LEAST_OVERLAP, Slice, due, next_tick, poll_range, punctual, tick
from monitor.ingest.poll.poll_log import log_poll
from monitor.ingest.poll.reader import Reader, SliceResult
from monitor.ingest.poll.search_state import SearchState
from monitor.ingest.poll.short_poll import ShortPolls
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep_ledger import SweepSlice
from monitor.ingest.poll.sweep_pieces import divide
from monitor.model.complete_read import POLL
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.errors import RouteeUnavailable


class Polls:
    """Polls one search. Each poll reads everything since the watermark, and the overlap before it, or what may have changed there
    (`monitor.ingest.poll.short_poll`).

    The overlap lets the next poll find a status change, whichever date the API selects by. If it selects by the change of status, the
    change itself is new. If it selects by the time of sending, the message is found if it was sent within the overlap. The sweeps
    find later changes.
    """

    def __init__(self, search: SearchState) -> None:
        self._search = search
        self._density = 0.0  # parts a microsecond in the last poll, by which the next one chooses its slices
        self._short = ShortPolls(search.plan.page_size, search.progress.ledger)

    async def run(self) -> None:
        """Polls at each tick, or at once if the last poll took longer than the interval. One poll makes up for all missed ticks."""
        search = self._search
        while True:
            at = tick(search.plan, search.clock.now())
            search.idle = trio.Event()
            await search.attempt("poll", self._poll)
            search.idle.set()
            now = search.clock.now()
            if tick(search.plan, now) <= at:
                await search.clock.sleep(next_tick(search.plan, now))

    async def _poll(self, figures: PollFigures) -> None:
        search, progress = self._search, self._search.progress
        search.blindness.began()
        began = search.clock.now()
        now = punctual(search.plan, began)
        folded = self._folded(now)
        wanted = poll_range(search.plan, now, progress.watermark, max(folded, default=0))
        reader = search.reader(figures, fresh_since=self._fresh_since())
        is_short = self._may_be_short(wanted, folded)
        log_poll(search.plan, wanted, progress.watermark, folded, is_short=is_short)
        if not (is_short and await self._poll_shortly(reader, wanted)):
            if not folded:
                wanted = self._short.hand_over(wanted)
            await self._poll_fully(reader, wanted, {str(back): now for back in folded})
        search.first_poll.set()
        search.reached()
        search.has_polled()
        search.blindness.completed(progress.as_of, figures.requests, search.clock.now() - began)

    def _may_be_short(self, wanted: Slice, folded: list[Duration]) -> bool:
        """Returns whether a short poll is possible. It proves nothing about messages that have left a search."""
        return not folded and not self._search.plan.question.is_narrow and self._short.can_read(wanted)

    async def _poll_shortly(self, reader: Reader, wanted: Slice) -> bool:
        """Polls with few requests, and returns whether that was enough."""
        total = await self._short.read(reader, wanted)
        if total is not None:
            await self._search.progress.polled(self._short.start, wanted.end, {})
            self._search.known_since = self._short.start
            self._density = total / (wanted.end - self._short.start)
        return total is not None

    async def _poll_fully(self, reader: Reader, wanted: Slice, folded: dict[str, Instant]) -> None:
        search, progress = self._search, self._search.progress
        readings: list[SliceResult] = []
        expected, self._density = round(self._density * wanted.length), 0.0
        for piece in divide([SweepSlice(wanted, None, expected)], search.plan.page_size):
            await reader.read(piece.slice, readings.append, piece.expected)
        self._short.remember(wanted, readings)
        total = sum(reading.counts[0] for reading in readings)
        start = min((reading.slice.start for reading in readings), default=wanted.start)
        seen_to = self._seen_to(readings, wanted)
        read = progress.read(POLL, [one.slice for one in readings if one.still], wanted.end)
        await progress.polled(start, seen_to, folded, read)
        search.known_since = start
        self._density = total / max(wanted.length, 1)
        for back in list(folded)[:1]:
            search.measured(int(back), total)

    def _fresh_since(self) -> Instant:
        """Returns an instant after which the messages that this poll returns first were sent; the poll before would have returned older ones.

        Returns 0 if nothing is known: before the first poll, or if a filter on the status may have hidden a message.
        """
        watermark, question = self._search.progress.watermark, self._search.plan.question
        return 0 if watermark is None or question.by_status else watermark - LEAST_OVERLAP

    def _seen_to(self, readings: list[SliceResult], wanted: Slice) -> Instant:
        """Returns up to where the poll is complete: the end of the range, or the start of the oldest slice that was not still.

        Raises RouteeUnavailable if that is no progress since the watermark.
        """
        seen_to = min((reading.slice.start for reading in readings if not reading.still), default=wanted.end)
        watermark = self._search.progress.watermark
        if seen_to < wanted.end and (watermark is None or seen_to <= watermark):
            raise RouteeUnavailable(
                "Routee's pages changed each time they were read, also within single seconds; the daemon tries again at the next interval",
                "paging",
            )
        return seen_to

    def _folded(self, now: Instant) -> list[Duration]:
        """Returns the ``back`` of the sweeps that this poll includes by starting further back, largest first."""
        search = self._search
        small = [sweep for sweep in search.plan.sweeps if search.is_small(sweep[0])]
        if search.plan.question.by_status:
            return [
                back for back, _ in small
            ]  # no further request, and the poll finds at once what has left the search
        return due(small, search.progress.swept, now, leeway=search.plan.every // 2)
