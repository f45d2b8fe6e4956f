"""When a channel that does not take something is tried again: pure, with the randomness handed in.

A failure is first of all the channel's: nothing goes there until a pause is over, and the pauses grow with the number of
*different* notifications that failed since one got through. It may also be the notification's own (a receiver that answers
500 to this one alone), so each also waits for itself, longer every time, and cannot hold up the others for more than a second.
When a channel that refused several takes one again, those that failed meanwhile are tried at once, each once.
"""

from typing import Final

from monitor.runtime.backoff import FIRST_WAIT, Jitter, backoff
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.store.protocol import OutboxRow

LONGEST_ASKED: Final = HOUR
"""A wait that the other side asks for (Retry-After) is honoured up to here."""


class ChannelBackoff:
    """What is remembered of one channel's failures while the process lives."""

    def __init__(self, jitter: Jitter) -> None:
        self._jitter = jitter
        self._failed: set[int] = set()
        self._hurried: set[int] = set()
        self._patient: set[int] = set()
        self._together: set[int] = set()
        """Those that failed beside another one: the channel's pause does not grow by them, since they tell nothing new of it."""

    def due_at(self, outbox_row: OutboxRow, now: Instant) -> Instant:
        """When it may be tried, ``now`` at the earliest. A time further ahead than any wait means that the clock was set back: now."""
        if outbox_row.id in self._hurried or outbox_row.next_at > now + LONGEST_ASKED:
            return now
        return max(outbox_row.next_at, now)

    def failed(
        self, outbox_row: OutboxRow, asked: Duration | None, *, together: bool = False
    ) -> tuple[Duration, Duration]:
        """How long this outbox row waits, and how long the whole channel does. ``asked``: what the other side asked for; ``together``: it was
        sent side by side with another one that has failed."""
        self._failed.add(outbox_row.id)
        (self._together.add if together else self._together.discard)(outbox_row.id)
        if outbox_row.id in self._hurried:
            self._hurried.discard(outbox_row.id)
            self._patient.add(outbox_row.id)
        if asked is not None and asked >= FIRST_WAIT:
            return (min(asked, LONGEST_ASKED),) * 2
        # Less than a second, 0 above all, would be an invitation to hammer.
        strikes = len(self._failed - self._together)
        return backoff(outbox_row.attempts + 1, self._jitter), backoff(max(strikes, 1), self._jitter)

    def answered(self, outbox_row: OutboxRow) -> None:
        """The channel took it, or said that it never will: it is there."""
        for known in (self._failed, self._hurried, self._patient, self._together):
            known.discard(outbox_row.id)
        if len(self._failed) > 1:
            self._hurried |= self._failed - self._patient
        self._failed.clear()
        self._together.clear()
