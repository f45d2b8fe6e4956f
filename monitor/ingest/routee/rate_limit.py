"""Limits how fast one account is queried: a steady rate, and a pause when Routee asks for one."""

import trio

from monitor.runtime.clock import SECOND, Clock, Duration, Instant


class Steady:
    """A clock that never runs backwards: where the machine's clock is set back, time goes on from where it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.now()
        self._offset: Duration = 0

    def now(self) -> Instant:
        """An instant that is comparable with others of this clock only."""
        now = self._clock.now()
        self._offset += max(self._seen - now, 0)
        self._seen = now
        return now + self._offset

    async def sleep(self, duration: Duration) -> None:
        """Wait that long."""
        await self._clock.sleep(duration)


class Paused(Exception):
    """Routee asked for a pause that lasts longer than the caller can wait; ``wait`` is what is left of it."""

    def __init__(self, wait: Duration) -> None:
        super().__init__(wait)
        self.wait = wait


class TokenBucket:
    """A token bucket: ``per_second`` requests a second on average, at most that many (at least one) at once, in order of arrival."""

    def __init__(self, per_second: float, clock: Steady) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second)
        self._tokens = self._burst
        self._clock = clock
        self._filled_at = clock.now()
        self._paused_until = self._filled_at
        self._lock = trio.Lock()

    async def take(self, retry_policy: Duration) -> None:
        """Wait for one's turn. Raises Paused where a pause is to last for ``retry_policy`` or longer."""
        async with self._lock:  # trio's lock is fair: who came first goes first
            while wait := self._wait(retry_policy):
                await self._clock.sleep(wait)
            self._tokens -= 1

    def pause(self, duration: Duration) -> None:
        """Let nobody ask for so long."""
        self._paused_until = max(self._paused_until, self._clock.now() + duration)

    def _wait(self, retry_policy: Duration) -> Duration:
        now = self._clock.now()
        refill = (now - self._filled_at) * self._per_second / SECOND
        self._tokens, self._filled_at = min(self._burst, self._tokens + refill), now
        pause = self._paused_until - now
        if pause >= max(retry_policy, 1):
            raise Paused(pause)
        missing = max(1 - self._tokens, 0.0)
        # Rounded up: a wait that ends a microsecond early would be followed by another one.
        return max(pause, -int(-missing / self._per_second * SECOND // 1))
