"""Limits the rate of messages to Slack: one message a second into a channel, and none while Slack has asked to wait.

All receivers and entries that write to one channel with one token share a `ChannelRateLimit`; `ChannelRateLimits` holds all of them. Times are
trio's own clock, because Slack counts real time.
"""

import math
from typing import Final

import trio

SPACING: Final = 1.0
"""Seconds between two posts to a channel. Slack accepts one a second, with short bursts."""


class RateLimited(Exception):
    """Slack has asked that nothing be sent to this channel for ``seconds``; nothing was sent."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"{seconds:.0f} s")


class ChannelRateLimit:
    """The rate limit of one channel. ``spacing`` is in seconds."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._free_at = -math.inf
        self._held_until = -math.inf

    async def acquire(self, limit: trio.CancelScope | None = None) -> None:
        """Waits for the next free slot, in the order of arrival. Raises RateLimited.

        The deadline of ``limit`` moves by the time waited, because waiting for our own posts does not mean that Slack is slow.
        """
        self.must_not_be_held()
        now = trio.current_time()
        start = max(now, self._free_at)
        self._free_at = start + self._spacing
        if limit is not None:
            limit.deadline += start - now
        await trio.sleep(start - now)
        self.must_not_be_held()

    def hold(self, seconds: float) -> None:
        """Blocks the channel for ``seconds``, because Slack asked for it."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    def must_not_be_held(self) -> None:
        """Raises RateLimited while Slack has asked to wait."""
        left = self._held_until - trio.current_time()
        if left > 0:
            raise RateLimited(left)

    def join(self, other: "ChannelRateLimit") -> None:
        """Takes over the limits of ``other``, which was used for the same channel under another name."""
        self._free_at = max(self._free_at, other._free_at)
        self._held_until = max(self._held_until, other._held_until)


class ChannelRateLimits:
    """The rate limits of all channels. Once Slack has said which id a channel's name has, the name and the id share one limit."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._paces: dict[tuple[str, str, str], ChannelRateLimit] = {}

    def of(self, api_url: str, token: str, channel: str) -> ChannelRateLimit:
        """Returns the limit of a channel for this token and API, the same for all callers. An incoming webhook is a token without a channel."""
        key = api_url, token, _plain(channel)
        return self._paces.setdefault(key, ChannelRateLimit(self._spacing))

    def same(self, api_url: str, token: str, name: str, channel_id: str) -> None:
        """Records that ``name`` is the channel ``channel_id``."""
        known, real = self.of(api_url, token, name), self.of(api_url, token, channel_id)
        if known is not real:
            real.join(known)
            self._paces[api_url, token, _plain(name)] = real


def _plain(channel: str) -> str:
    return channel.strip().removeprefix("#")
