"""Notices that messages which rules wait for stay unread, although polls of their search complete."""

from typing import Final

from monitor.runtime.clock import MINUTE, Duration, Instant

PATIENCE: Final[Duration] = 15 * MINUTE
"""How long no older message may be read while rules wait for some. A read that goes on is no trouble, however long it takes."""


class UnreadHistory:
    """What is known of one search since the start of the daemon."""

    def __init__(self) -> None:
        self._covered_since: Instant | None = None
        self._oldest: Instant | None = None
        self._since: Instant = 0
        self.why = ""
        """The latest failure of the search."""

    def is_stuck(self, covered_since: Instant, now: Instant) -> bool | None:
        """Returns whether no older message was read for PATIENCE; None until that is known. Called at each poll while rules wait for some."""
        known, self._covered_since = self._covered_since, covered_since
        if known is None or covered_since < known:
            self._since, self.why = now, "" if known is not None else self.why
            return None if known is None else False
        return True if now - self._since >= PATIENCE else None

    def read(self, start: Instant, now: Instant) -> None:
        """Takes from where on messages were read. A read that a restart has cut off may begin again with the newest, and goes on as long as it comes
        to older ones, or to more of the oldest without having failed there."""
        if self._oldest is None or start < self._oldest:
            self._oldest, self._since, self.why = start, now, ""
        elif start == self._oldest and not self.why:
            self._since = now

    def pause(self) -> None:
        """No poll is complete: `MonitorBlind` tells of that, and the time does not count."""
        self._covered_since = None

    def over(self) -> None:
        """No rule waits for messages of the search any more."""
        self._covered_since, self._oldest, self.why = None, None, ""
