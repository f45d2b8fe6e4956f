"""Holds the access token: fetches it once for all tasks that wait for it, and renews it before it expires."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import trio

from monitor.ingest.routee.answers import Token
from monitor.ingest.routee.rate_limit import Steady
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant
from monitor.runtime.errors import RouteeError

MARGIN: Final = MINUTE
"""How long before its end a token is renewed. A short-lived one is renewed after nine tenths of its lifetime."""


class NumberedToken(NamedTuple):
    """A token and its number, counted from 1. The number distinguishes tokens even if the server returns the same text twice."""

    value: str
    number: int


class Tokens:
    """One account's token. ``fetch`` requests a new one and raises RouteeError."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]], clock: Steady) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held = NumberedToken("", 0)
        self._renew_at: Instant = 0
        self._fetching = trio.Lock()
        self._finished = 0
        self._failure: RouteeError | None = None

    async def get(self) -> NumberedToken:
        """Returns a token that does not expire soon. Raises RouteeError."""
        return await self._newer_than(0)

    async def get_newer(self, refused: NumberedToken) -> NumberedToken:
        """Returns a token that was fetched after the refused one. Of many callers at once, only the first fetches. Raises RouteeError."""
        return await self._newer_than(refused.number)

    async def _newer_than(self, number: int) -> NumberedToken:
        finished = self._finished
        if self._is_good(number):
            return self._held
        async with self._fetching:
            if not self._is_good(number):
                self._share_failure_since(finished)
                await self._renew()
        return self._held

    def _is_good(self, number: int) -> bool:
        return self._held.number > number and self._clock.now() < self._renew_at

    def _share_failure_since(self, finished: int) -> None:
        """Raises the failure of a fetch for which this caller has waited, so that each waiting caller does not fetch again."""
        if self._failure is not None and self._finished > finished:
            raise type(self._failure)(str(self._failure), self._failure.outcome)

    async def _renew(self) -> None:
        asked_at = self._clock.now()
        self._failure = None
        try:
            token = await self._fetch()
        except RouteeError as failure:
            self._failure = failure
            raise
        finally:
            self._finished += 1
        self._held = NumberedToken(token.value, self._held.number + 1)
        self._renew_at = asked_at + _good_for(token)


def _good_for(token: Token) -> Duration:
    lifetime = round(token.lifetime * SECOND)
    return max(lifetime - MARGIN, lifetime * 9 // 10)
