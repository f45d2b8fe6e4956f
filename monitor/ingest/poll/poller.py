"""Polls the newest messages of one search at each interval."""

import trio

from monitor.ingest.poll.plan import LEAST_OVERLAP, Slice, due, next_tick, poll_range, tick
from monitor.ingest.poll.reader import SliceResult
from monitor.ingest.poll.search_state import SearchState
from monitor.ingest.poll.sink import PollFigures
from monitor.model.complete_read import POLL
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.errors import RouteeUnavailable


class Polls:
    """Polls of one search, each over all that came since the watermark, and the overlap before it.

    The overlap is what makes a status change appear with the next poll under both meanings of the API's dates: selected by status
    change, the change itself is new; selected by sending, the message is found if it was sent within the overlap. Later
    changes of the second kind are the sweeps' part.
    """

    def __init__(self, search: SearchState) -> None:
        self._search = search
        self._density = 0.0  # parts a microsecond, as the last poll found them: a guess that spares asking

    async def run(self) -> None:
        """Poll at each tick; at once where the last poll outlasted its interval. One poll makes up for all ticks missed."""
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
        now = search.clock.now()
        folded = self._folded(now)
        wanted = poll_range(search.plan, now, progress.watermark, max(folded, default=0))
        readings: list[SliceResult] = []
        expected, self._density = round(self._density * wanted.length), 0.0
        await search.reader(figures, fresh_since=self._fresh_since()).read(wanted, readings.append, expected)
        total = sum(reading.counts[0] for reading in readings)
        start = min((reading.slice.start for reading in readings), default=wanted.start)
        seen_to = self._seen_to(readings, wanted)
        read = progress.read(POLL, [one.slice for one in readings if one.still], wanted.end)
        await progress.polled(start, seen_to, {str(back): now for back in folded}, read)
        self._density = total / max(wanted.length, 1)
        for back in folded[:1]:
            search.measured(back, total)
        search.first_poll.set()
        search.reached()
        search.blindness.completed(progress.as_of)

    def _fresh_since(self) -> Instant:
        """What this poll is the first to return was sent after that: the poll before would have returned it.

        Nothing is known where a filter on the status may have hidden it until now.
        """
        watermark, question = self._search.progress.watermark, self._search.plan.question
        return 0 if watermark is None or question.by_status else watermark - LEAST_OVERLAP

    def _seen_to(self, readings: list[SliceResult], wanted: Slice) -> Instant:
        """The end of the range, or the start of the first slice that never held still, where that is progress at all."""
        seen_to = min((reading.slice.start for reading in readings if not reading.still), default=wanted.end)
        watermark = self._search.progress.watermark
        if seen_to < wanted.end and (watermark is None or seen_to <= watermark):
            raise RouteeUnavailable(
                "Routee's pages changed each time they were read, also within single seconds; the daemon tries again at the next interval",
                "paging",
            )
        return seen_to

    def _folded(self, now: Instant) -> list[Duration]:
        """The sweeps that this poll does by starting further back, largest first."""
        search = self._search
        small = [sweep for sweep in search.plan.sweeps if search.is_small(sweep[0])]
        if search.plan.question.by_status:
            return [back for back, _ in small]  # it costs no request more, and tells at once what has left the search
        return due(small, search.progress.swept, now, leeway=search.plan.every // 2)
