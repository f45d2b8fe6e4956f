"""Limits how often the same kind of error is logged, because clients can cause it a thousand times a second."""

import trio


class RateLimitedLog:
    """Lets at most ``most`` log entries through per ``seconds``. For use inside trio's loop."""

    def __init__(self, most: int = 1, seconds: float = 60.0) -> None:
        self._most, self._seconds = most, seconds
        self._began = float("-inf")
        self._passed = 0

    def passes(self) -> bool:
        """Returns whether to log this entry."""
        now = trio.current_time()
        if now - self._began >= self._seconds:
            self._began, self._passed = now, 0
        self._passed += 1
        return self._passed <= self._most
