"""The demo's clock, which runs at real speed until all is prepared and faster from then on, and how far its story has come."""

import trio
import trio.lowlevel

from monitor.runtime.clock import SECOND, Clock, Duration, Instant


class StoryClock(Clock):
    """A clock that starts at ``start``. Tasks that sleep while its speed changes still wake at their instant."""

    def __init__(self, start: Instant) -> None:
        self._since = start
        self._origin = trio.current_time()
        self._speed = 1.0
        self._changed = trio.Event()

    def now(self) -> Instant:
        """Returns the present instant."""
        return self._since + round((trio.current_time() - self._origin) * self._speed * SECOND)

    def run_at(self, speed: float) -> None:
        """Runs ``speed`` times as fast as real time from now on."""
        self._since, self._origin, self._speed = self.now(), trio.current_time(), speed
        self._changed.set()
        self._changed = trio.Event()

    async def sleep(self, duration: Duration) -> None:
        """Waits for ``duration`` of this clock."""
        until = self.now() + duration
        await trio.lowlevel.checkpoint()
        while (left := until - self.now()) > 0:
            with trio.move_on_after(left / SECOND / self._speed):
                await self._changed.wait()


class StoryProgress:
    """How much of a story that ``takes`` so long has passed; None: it has no end."""

    def __init__(self, clock: Clock, takes: Duration | None) -> None:
        self._clock, self._takes = clock, takes
        self._began: Instant | None = None

    @property
    def now(self) -> Instant:
        """The present instant of the story."""
        return self._clock.now()

    def begin(self) -> None:
        """The story begins now."""
        self._began = self.now

    @property
    def done(self) -> float | None:
        """The share of the story that has passed, up to 0.99: it is over when it is; None if it has no end."""
        if self._takes is None:
            return None
        return 0.0 if self._began is None else min((self.now - self._began) / self._takes, 0.99)
