"""Notices other daemons on the store that have this one's name or address, as containers with one host name do: people cannot tell them apart."""

import logging
from dataclasses import field
from typing import Final

from monitor.model.fleet import Fleet, WorkerView
from monitor.runtime.clock import SECOND
from monitor.runtime.dataclass import dataclass
from monitor.store.leases import LEASE_TTL

_SURE_AFTER: Final = 2 * LEASE_TTL / SECOND
"""Seconds after which one that lives is no daemon that this one was started in place of, whose lease would have run out."""

log = logging.getLogger("monitor")


@dataclass(slots=True)
class Namesakes:
    """The living namesakes, by their numbers since when they were seen."""

    _since: dict[int, float] = field(default_factory=dict)
    _named: set[int] = field(default_factory=set)

    def follow(self, worker: int, fleet: Fleet, now: float) -> None:
        """Takes the living daemons at ``now`` in seconds. Warns once of each namesake that goes on living."""
        own = next((one for one in fleet.workers if one.id == worker), None)
        found = [] if own is None else [one for one in fleet.living if one.id != worker and _are_alike(one, own)]
        self._since = {one.id: self._since.get(one.id, now) for one in found}
        for one in found:
            if one.id not in self._named and now - self._since[one.id] >= _SURE_AFTER:
                self._named.add(one.id)
                log.warning(
                    "another daemon on this store is %s%s too: give each machine or container a host name of its own, "
                    "or `status` and the pages cannot tell them apart",
                    one.name,
                    f" at {one.url}" if one.url else "",
                )


def _are_alike(one: WorkerView, own: WorkerView) -> bool:
    return one.name == own.name or bool(one.url and one.url == own.url)
