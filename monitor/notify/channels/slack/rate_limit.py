"""Slack's pace: one message a second into a channel, whoever of us writes it, and nothing while Slack has asked to wait.

Receivers and entries that write into one channel with one token share its `ChannelRateLimit`; `ChannelRateLimits` has them all. trio's
own time counts here, because it is Slack's.
"""

import math
from typing import Final

import trio

SPACING: Final = 1.0
"""Seconds between two posts into a channel: Slack takes one a second, and a few more now and then."""


class RateLimited(Exception):
    """Slack has asked that nothing be sent to this channel for ``seconds``; nothing was sent."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"{seconds:.0f} s")


class ChannelRateLimit:
    """When the next message may go into one channel. ``spacing`` in seconds."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._free_at = -math.inf
        self._held_until = -math.inf

    async def acquire(self, limit: trio.CancelScope | None = None) -> None:
        """Wait for the next free second. Those who wait are served in the order in which they came. Raises RateLimited.

        A time ``limit`` is moved by as much: waiting for others of us is no slowness of Slack's.
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
        """Slack has asked that nothing be sent for ``seconds``."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    def must_not_be_held(self) -> None:
        """Raises RateLimited while Slack wants nothing."""
        left = self._held_until - trio.current_time()
        if left > 0:
            raise RateLimited(left)

    def join(self, other: "ChannelRateLimit") -> None:
        """Another name of the same channel was in use so far: what holds for it holds here."""
        self._free_at = max(self._free_at, other._free_at)
        self._held_until = max(self._held_until, other._held_until)


class ChannelRateLimits:
    """The paces of all channels. A channel has a name and an id; once Slack has told which id a name has, both have one pace."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._paces: dict[tuple[str, str, str], ChannelRateLimit] = {}

    def of(self, api_url: str, token: str, channel: str) -> ChannelRateLimit:
        """The pace of that channel for that token at that Slack; the same whoever asks. An incoming webhook is a token without a channel."""
        key = api_url, token, _plain(channel)
        return self._paces.setdefault(key, ChannelRateLimit(self._spacing))

    def same(self, api_url: str, token: str, name: str, channel_id: str) -> None:
        """``name`` is the channel ``channel_id``."""
        known, real = self.of(api_url, token, name), self.of(api_url, token, channel_id)
        if known is not real:
            real.join(known)
            self._paces[api_url, token, _plain(name)] = real


def _plain(channel: str) -> str:
    return channel.strip().removeprefix("#")
