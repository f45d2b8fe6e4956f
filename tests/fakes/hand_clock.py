"""A clock that only the test moves."""

from monitor.runtime.clock import Clock, Duration, Instant, parse_iso


class HandClock(Clock):
    """Shows ``at``, which the test sets; nobody can wait on it."""

    def __init__(self, at: Instant | str = "2026-11-18T12:00:00Z") -> None:
        self.at = parse_iso(at) if isinstance(at, str) else at

    def now(self) -> Instant:
        return self.at

    async def sleep(self, duration: Duration) -> None:
        raise AssertionError("a clock set by hand cannot be waited on")
