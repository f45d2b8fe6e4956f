"""Shows how much of the past has been read after a first start: a changing line in a terminal, and some lines in the log."""

import logging
from collections.abc import Callable, Container
from typing import Final

from monitor.runtime.clock import SECOND, Clock, Instant, format_duration

log = logging.getLogger("monitor")

STEPS: Final = 4
"""The most lines of progress that are logged per search, evenly spaced."""
_LEAST_FOR_GUESS: Final = 0.05
"""Share of the past that must have been read before the remaining time is estimated."""

Search = tuple[str, str]


class CatchUp:
    """Tracks how far each search has come.

    ``live`` shows a text in place of its last one; an empty text removes it. Without it, progress is only logged.
    """

    def __init__(self, clock: Clock, live: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._live = live
        self._shares: dict[Search, float] = {}
        self._began: dict[Search, tuple[Instant, float]] = {}

    def reached(self, account: str, search: str, share: float) -> None:
        """Takes the share (0 to 1) of the past that a search has read; not called for a search that has read all of it from the start."""
        key, before = (account, search), self._shares.get((account, search))
        self._shares[key] = share
        if share >= 1:
            if key in self._began:
                log.info(
                    "search %s of account %s: all past messages were read, in %s", search, account, self._took(key)
                )
                del self._began[key]
        elif key not in self._began:
            self._began[key] = self._clock.now(), share
            log.info(
                "search %s of account %s reads past messages; until it has read enough, rules that look back have not enough data",
                search,
                account,
            )
        elif self._live is None and before is not None and int(share * STEPS) > int(before * STEPS):
            log.info("search %s of account %s: %d%% of the past messages are read", search, account, share * 100)
        if self._live is not None:
            self._live(self._line())

    def keep(self, accounts: Container[str]) -> None:
        """Forgets the searches of all other accounts: this daemon reads them no more."""
        gone = [key for key in self._shares if key[0] not in accounts]
        for key in gone:
            del self._shares[key]
            self._began.pop(key, None)
        if gone and self._live is not None:
            self._live(self._line())

    def _took(self, key: Search) -> str:
        return format_duration((self._clock.now() - self._began[key][0]) // SECOND * SECOND)

    def _line(self) -> str:
        """Returns for example ``reading the past: outbound 43%, about 2m left``; empty once everything is read."""
        if not self._began:
            return ""
        parts = [f"{search} {self._shares[account, search]:.0%}" for account, search in self._began]
        left = [guess for key in self._began if (guess := self._left(key)) is not None]
        shown = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more searches" if len(parts) > 3 else "")
        return f"reading the past: {shown}" + (f", about {format_duration(max(left))} left" if left else "")

    def _left(self, key: Search) -> int | None:
        began, start = self._began[key]
        done = self._shares[key] - start
        if done < _LEAST_FOR_GUESS:
            return None
        return round((self._clock.now() - began) * (1 - self._shares[key]) / done) // SECOND * SECOND
