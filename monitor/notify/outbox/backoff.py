"""Decides when a failed notification is tried again. Pure: the randomness is passed in.

A failure first counts against the channel: nothing is sent there until a pause is over, and the pauses grow with the number of *different*
notifications that failed since one succeeded. A failure may also be the notification's own (a receiver that answers 500 to this one alone), so
each notification also has its own growing wait, and delays the others by at most a second. When a channel with several failures accepts one
again, the others that failed meanwhile are tried at once, each once.
"""

from typing import Final

from monitor.runtime.backoff import FIRST_WAIT, Jitter, backoff
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.store.protocol import OutboxRow

LONGEST_ASKED: Final = HOUR
"""The longest wait that is granted when the other side asks for one (Retry-After)."""


class ChannelBackoff:
    """The failures of one channel since the process started."""

    def __init__(self, jitter: Jitter) -> None:
        self._jitter = jitter
        self._failed: set[int] = set()
        self._hurried: set[int] = set()
        self._patient: set[int] = set()
        self._together: set[int] = set()
        """Outbox rows that failed beside another one. They do not extend the channel's pause, because they say nothing new about it."""

    def due_at(self, outbox_row: OutboxRow, now: Instant) -> Instant:
        """Returns when a row may be tried, ``now`` at the earliest. A time further ahead than `LONGEST_ASKED` means that the clock was set back:
        now.
        """
        if outbox_row.id in self._hurried or outbox_row.next_at > now + LONGEST_ASKED:
            return now
        return max(outbox_row.next_at, now)

    def failed(
        self, outbox_row: OutboxRow, asked: Duration | None, *, together: bool = False
    ) -> tuple[Duration, Duration]:
        """Returns how long this outbox row waits, and how long the whole channel does.

        ``asked`` is the wait that the other side asked for; ``together`` says that the row was sent at the same time as another one that failed.
        """
        self._failed.add(outbox_row.id)
        (self._together.add if together else self._together.discard)(outbox_row.id)
        if outbox_row.id in self._hurried:
            self._hurried.discard(outbox_row.id)
            self._patient.add(outbox_row.id)
        if asked is not None and asked >= FIRST_WAIT:
            return (min(asked, LONGEST_ASKED),) * 2
        # A wait of less than a second, above all 0, would send too many requests.
        strikes = len(self._failed - self._together)
        return backoff(outbox_row.attempts + 1, self._jitter), backoff(max(strikes, 1), self._jitter)

    def answered(self, outbox_row: OutboxRow) -> None:
        """Records that the channel accepted the row, or rejected it for good: either shows that the channel answers."""
        for known in (self._failed, self._hurried, self._patient, self._together):
            known.discard(outbox_row.id)
        if len(self._failed) > 1:
            self._hurried |= self._failed - self._patient
        self._failed.clear()
        self._together.clear()
