"""Limits the requests of one account: a steady rate, and pauses that Routee asks for."""

import trio

from monitor.runtime.clock import SECOND, Clock, Duration, Instant


class Steady:
    """A clock that never runs backwards. If the machine's clock is set back, its time goes on from where it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.now()
        self._offset: Duration = 0

    def now(self) -> Instant:
        """Returns an instant that can be compared only with others of this clock."""
        now = self._clock.now()
        self._offset += max(self._seen - now, 0)
        self._seen = now
        return now + self._offset

    async def sleep(self, duration: Duration) -> None:
        """Waits for this duration."""
        await self._clock.sleep(duration)


class Paused(Exception):
    """Routee asked for a pause that lasts longer than the caller can wait. ``wait`` is the time that is left of it."""

    def __init__(self, wait: Duration) -> None:
        super().__init__(wait)
        self.wait = wait


class TokenBucket:
    """A token bucket. It allows ``per_second`` requests a second on average, and at most that many (at least one) at once, in the order of
    arrival."""

    def __init__(self, per_second: float, clock: Steady) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second)
        self._tokens = self._burst
        self._clock = clock
        self._filled_at = clock.now()
        self._paused_until = self._filled_at
        self._lock = trio.Lock()

    async def take(self, longest: Duration) -> None:
        """Waits until a request is allowed. Raises Paused if a pause lasts for ``longest`` or longer."""
        async with self._lock:  # trio's lock is fair: tasks get it in the order of arrival
            while wait := self._wait(longest):
                await self._clock.sleep(wait)
            self._tokens -= 1

    def pause(self, duration: Duration) -> None:
        """Allows no request for this duration."""
        self._paused_until = max(self._paused_until, self._clock.now() + duration)

    def _wait(self, longest: Duration) -> Duration:
        now = self._clock.now()
        refill = (now - self._filled_at) * self._per_second / SECOND
        self._tokens, self._filled_at = min(self._burst, self._tokens + refill), now
        pause = self._paused_until - now
        if pause >= max(longest, 1):
            raise Paused(pause)
        missing = max(1 - self._tokens, 0.0)
        # Rounded up, since a wait that ends a microsecond early would be followed by another one.
        return max(pause, -int(-missing / self._per_second * SECOND // 1))
