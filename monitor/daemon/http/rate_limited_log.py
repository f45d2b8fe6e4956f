"""How often the same kind of trouble is logged: what clients cause, they can cause a thousand times a second."""

import trio


class RateLimitedLog:
    """Lets ``most`` log entries through in each span of ``seconds``. For use inside trio's loop."""

    def __init__(self, most: int = 1, seconds: float = 60.0) -> None:
        self._most, self._seconds = most, seconds
        self._began = float("-inf")
        self._passed = 0

    def passes(self) -> bool:
        """Whether this entry is to be logged."""
        now = trio.current_time()
        if now - self._began >= self._seconds:
            self._began, self._passed = now, 0
        self._passed += 1
        return self._passed <= self._most
