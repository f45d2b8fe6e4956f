"""Notices while other daemons on the store judge an account by other rules: then nobody takes a rule that he does not have for removed.

A configuration is changed on one daemon after the other. Until all have it, an account may pass from one that has a new rule already to
one that does not: what that rule has told goes on, and what it has learned is kept.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.daemon.restore import judged_by
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.waiting_ends import waiting_ends
from monitor.model.announced_rules import AnnouncedRules
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore

log = logging.getLogger("monitor")

ANNOUNCE_EVERY: Final = 10.0
"""Seconds between two announcements, and for as long as an end that waited for the others' configurations is told late."""


JudgedOtherwise = Mapping[str, Sequence[AnnouncedRules]]
"""See `Pipeline.judged_otherwise`."""


def digests(present: RuntimeConfig) -> dict[str, str]:
    """Returns a digest of what each configured account is judged by."""
    config = present.config
    return {one.name: _digest(judged_by(one.name, config, present.rules)) for one in config.accounts}


async def announced(store: AsyncStore, present: RuntimeConfig) -> JudgedOtherwise:
    """Tells the others by which rules this daemon judges, and returns what `judged_otherwise` does. Raises StoreError.

    Called before anything is decided by a configuration, so that whoever takes an account over finds what its last holder had.
    """
    await store.announce_rules(digests(present))
    return await judged_otherwise(store, present)


async def judged_otherwise(store: AsyncStore, present: RuntimeConfig) -> JudgedOtherwise:
    """Returns the accounts that other daemons judge by other rules (`Pipeline.judged_otherwise`). Raises StoreError."""
    return differing(digests(present), await store.rules_of_others())


def differing(own: Mapping[str, str], others: Sequence[AnnouncedRules]) -> JudgedOtherwise:
    """Returns the accounts that others judge by something else, and who. One that is not configured here is judged by nothing."""
    found: dict[str, list[AnnouncedRules]] = {}
    for other in others:
        for account, digest in other.digests.items():
            if digest != own.get(account, _NOTHING):
                found.setdefault(account, []).append(other)
    return found


class RuleSets:
    """Announces the rules in force from time to time, and ends what was removed once all daemons agree on it."""

    def __init__(self, store: AsyncStore, pipeline: Pipeline, present: Callable[[], RuntimeConfig]) -> None:
        self._store, self._pipeline, self._present = store, pipeline, present
        pipeline.services.health.waiting_ends(lambda: waiting_ends(pipeline))
        self._logged: set[str] = set()

    async def run(self) -> None:
        """Announces until it is cancelled."""
        while True:
            with suppress(StoreError):  # the code that uses the store logs it
                await self.announce()
            await trio.sleep(ANNOUNCE_EVERY)

    async def announce(self) -> None:
        """Announces once. Raises StoreError."""
        async with self._pipeline.membership:
            self._pipeline.judged_otherwise = await announced(self._store, self._present())
        if self._pipeline.put_off - self._pipeline.judged_otherwise.keys():
            await self._pipeline.begin()
        self._say()

    def _say(self) -> None:
        """Logs once which ends wait, and for whom."""
        waiting = waiting_ends(self._pipeline)
        for sentence in waiting:
            if sentence not in self._logged:
                log.warning("%s", sentence)
        self._logged = set(waiting)


def _digest(names: list[str]) -> str:
    return hashlib.blake2b("\0".join(names).encode(), digest_size=9).hexdigest()


_NOTHING: Final = _digest([])
