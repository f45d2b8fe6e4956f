"""Ends the episodes of alerts that the store lost, so that none goes on for ever in the history."""

import logging
from collections.abc import Sequence
from typing import Final

from monitor.alerts.alert_episodes import end_not_seen
from monitor.dispatch.missing_alerts import MISSING_FOR
from monitor.model.alert import Transition
from monitor.model.plurals import first_of, plural
from monitor.runtime.clock import Instant
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit

log = logging.getLogger("monitor")

_MOST_NAMED: Final = 5


class UnseenEnds:
    """Knows since when alerts are missing: they count as firing for `MISSING_FOR`, in which they are found again if they still fire."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._since: dict[tuple[str, Instant], Instant] = {}
        """By an alert and its latest change, when it was first found missing."""

    async def look(self, now: Instant) -> None:
        """Records the end of the alerts that are missing for `MISSING_FOR`, as of when they were first missing. Raises StoreError."""
        missing = {(one.fingerprint, one.at): one for one in await self._store.lost_alerts()}
        fresh = [one for key, one in missing.items() if key not in self._since and one.about and one.about.level]
        self._since = {key: min(self._since.get(key, now), now) for key in missing}  # the clock may have been set back
        if fresh:
            log.warning(
                "the store has lost %s: %s; receivers are told nothing of them for an hour, in which they are found again if they still fire",
                plural(len(fresh), "alert"),
                _named(fresh),
            )
        over = [key for key, since in self._since.items() if now - since >= MISSING_FOR]
        if not over:
            return
        ends = [end_not_seen(missing[key], max(self._since[key], missing[key].at)) for key in over]
        await self._store.commit(Commit(transitions=ends))
        log.warning(
            "the store had lost %s, not found again within an hour: the ends were not seen, which `routee-monitor history` says",
            plural(len(ends), "alert"),
        )


def _named(some: Sequence[Transition]) -> str:
    """Returns the rules and groups of the first few."""
    names = [" ".join((one.rule, *(value for _, value in (one.about.group if one.about else ())))) for one in some]
    return first_of(names, _MOST_NAMED)
