"""The cursor of one search: how far the search has been read, and how the cursor advances."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import trio

from monitor.ingest.poll.plan import SearchPlan, Slice, horizon, share_read
from monitor.ingest.poll.sink import Sink
from monitor.ingest.poll.sweep_ledger import Ledger
from monitor.model.complete_read import CompleteRead
from monitor.runtime.clock import MINUTE, Clock, Duration, Instant
from monitor.store.protocol import Cursor

WORTH_WAITING: Final[Duration] = 5 * MINUTE
"""The most that a stored cursor may lie ahead of a correct clock. One further ahead comes from a wrong clock."""
log = logging.getLogger("monitor")


class Progress:
    """The cursor of a search. It moves only after the sink has committed it.

    Its ``as_of`` does not move back: after the clock was set back, it stays until the clock has caught up. The exception is an ``as_of``
    more than WORTH_WAITING ahead of a clock that is known to be right; a wrong clock made it, and it is replaced. Of a cursor of other
    filters under the same name only ``as_of`` is used, and past messages are fetched again.
    """

    def __init__(self, plan: SearchPlan, sink: Sink, clock: Clock, cursor: Cursor | None) -> None:
        self._plan = plan
        self._sink = sink
        self._clock = clock
        self._lock = trio.Lock()
        self._question = plan.question.digest
        if cursor is not None and cursor.question not in ("", self._question):
            log.info("search %s has other filters than before: past messages are fetched again", plan.name)
            cursor = msgspec.structs.replace(cursor, covered_since=cursor.as_of, swept={}, counts={}, question="")
            self._covered_since = None
        else:
            self._covered_since = cursor.covered_since if cursor else None
        self._seen_to: Instant | None = None
        self.cursor = cursor
        self.ledger = Ledger.load(cursor.counts if cursor else {})

    @property
    def watermark(self) -> Instant | None:
        """Returns from where on the next poll has to read; None before the first one. It is before ``as_of`` while a clock that was set back
        catches up."""
        if self.cursor is None:
            return None
        return self.cursor.as_of if self._seen_to is None else min(self.cursor.as_of, self._seen_to)

    @property
    def as_of(self) -> Instant:
        """Returns the end of the last complete poll, less ``settle``. There has to be one."""
        assert self.cursor is not None, "no poll was complete yet"
        return self.cursor.as_of

    @property
    def swept(self) -> Mapping[str, Instant]:
        """Returns when the last complete run of each sweep began."""
        return self.cursor.swept if self.cursor else {}

    def share_read(self, unread: Duration = 0) -> float:
        """Returns the share (0 to 1) of the past that has been read, also by a sweep that is under way; ``unread`` is how far back there is
        more to be read than the sweeps read."""
        if self._covered_since is None:
            return 0.0
        return share_read(self._plan, self.as_of, self._covered_since, self.swept, unread)

    def has_read(self, since: Instant) -> bool:
        """Returns whether no message is missing since then, also by a sweep that is under way."""
        return self._covered_since is not None and self._covered_since <= since

    def read(self, name: str, spans: Iterable[Slice], seen_to: Instant) -> CompleteRead | None:
        """Returns the complete read of ``spans`` (newest first), with adjacent ones joined; None if messages cannot leave the search."""
        question = self._plan.question
        if not question.is_narrow:
            return None
        found: list[tuple[Instant, Instant]] = []
        for piece in spans:
            if found and piece.end == found[-1][0]:
                found[-1] = piece.start, found[-1][1]
            else:
                found.append((piece.start, piece.end))
        return CompleteRead(self._plan.name, name, tuple(found), self._clock.now(), seen_to, question.is_of_one_status)

    def forget_uncovered(self) -> None:
        """Forgets what sweeps know of the time that is not covered: its messages may have been dropped, so that a sweep must not spare them."""
        if self._covered_since is not None:
            self.ledger.forget_before(self._covered_since)

    def covers(self, piece: Slice) -> None:
        """Notes that ``piece`` is up to date. If it adjoins the covered time, the covered time begins at its start."""
        if self._covered_since is not None and piece.start < self._covered_since <= piece.end:
            self._covered_since = piece.start

    async def polled(
        self, start: Instant, seen_to: Instant, swept: Mapping[str, Instant], read: CompleteRead | None = None
    ) -> None:
        """Commits a complete poll from ``start`` to ``seen_to``. Reports a gap to the sink if ``start`` is after ``as_of``. Raises StoreError;
        then the cursor is unchanged."""
        before = self.cursor
        missed = before is not None and start > before.as_of
        if before is not None and missed:
            await self._sink.gap(self._plan.name, before.as_of, start)
        covered = start if missed or self._covered_since is None else min(self._covered_since, start)
        await self._commit(seen_to - self._plan.settle, covered, swept, read)
        assert self.cursor is not None, "it was committed"
        covered = self.cursor.covered_since
        # A sweep may have reached further back meanwhile.
        self._covered_since = covered if missed or self._covered_since is None else min(self._covered_since, covered)
        self._seen_to = seen_to

    async def swept_over(self, swept: Mapping[str, Instant], read: CompleteRead | None = None) -> None:
        """Commits complete sweeps. Raises StoreError; then the cursor is unchanged."""
        assert self._covered_since is not None, "a sweep follows a complete poll"
        await self._commit(self.as_of, self._covered_since, swept, read)

    async def _commit(
        self, as_of: Instant, covered_since: Instant, swept: Mapping[str, Instant], read: CompleteRead | None
    ) -> None:
        async with self._lock:
            before = self.cursor
            cursor = Cursor(
                account=self._plan.account,
                search=self._plan.name,
                as_of=max(as_of, before.as_of) if before and not self._is_of_a_wrong_clock(before) else as_of,
                covered_since=covered_since,
                swept=self._still_planned({**self.swept, **swept}),
                counts=self.ledger.dump(horizon(self._clock.now())),
                question=self._question,
            )
            dropped_to = await self._sink.complete(self._plan.name, cursor, read)
            self.cursor = cursor if dropped_to is None else cursor.without(dropped_to)
            if dropped_to is not None and self._covered_since is not None:
                self._covered_since = max(self._covered_since, dropped_to)

    def _is_of_a_wrong_clock(self, cursor: Cursor) -> bool:
        clock = self._clock
        return clock.is_sure and cursor.as_of > clock.now() + WORTH_WAITING

    def _still_planned(self, swept: Mapping[str, Instant]) -> dict[str, Instant]:
        planned = {str(back) for back, _ in self._plan.sweeps}
        return {back: at for back, at in swept.items() if back in planned}
