"""The interface of the leases by which several daemons share the accounts of one store.

An account's lease has a holder, an expiry by the clock of the store's server, and a token, which grows by one each time the account is
taken. Each commit checks the tokens (`monitor.store.protocol.Store.hold`), so a daemon that lost an account cannot commit for it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from monitor.model.fleet import FleetView
from monitor.runtime.clock import MILLISECOND, SECOND, Duration

LEASE_TTL: Final[Duration] = 6 * SECOND
"""How long a lease lasts after its latest renewal, by the clock of the store's server."""

BEAT_EVERY: Final[Duration] = SECOND
"""How often a worker renews its leases."""

LEASE_DEADLINE: Final[Duration] = 4_500 * MILLISECOND
"""How long after the beginning of its last successful beat a worker may commit and send, by its own clock, which counts suspends too."""

NONE_LEFT: Final[Mapping[str, str]] = MappingProxyType({})
"""No account is left to others."""


class LeaseStore(Protocol):
    """The leases as one worker sees them, over a connection of its own. Synchronous; one thread at a time, which need not be the store's.

    A call waits a few seconds at most. It raises StoreError if the server does not answer; what it asked for may have been done then.
    The next call connects again.
    """

    worker: int
    """The number of this worker, which no other one ever had."""
    name: str
    """The name of this worker, ``HOST:PROCESS``."""

    def beat(
        self,
        wanted: Sequence[str],
        held: Mapping[str, int],
        orphans: Sequence[str] = (),
        left_alone: Mapping[str, str] = NONE_LEFT,
    ) -> FleetView:
        """Renews this worker and the leases that it holds: those of ``held`` (account to token) that still have that token and this worker,
        even if they have lapsed. Tells the other workers what this one has in its configuration (``wanted``), and what it does not take at
        present, and why (``left_alone``). Makes leases for accounts in ``wanted`` and ``orphans`` that have none. Raises StoreOutdated if the
        store no longer knows this worker.

        A lease in ``held`` whose token or worker is another one in the answer is lost.
        """

    def take(self, wanted: Sequence[str]) -> dict[str, int]:
        """Takes those of the leases ``wanted`` that nobody holds. Returns account to token, in the order of ``wanted``.

        A lease that its holder has a commit under way for is left out, and so is one that another worker takes at the same time.
        """

    def release(self, account: str, token: int) -> None:
        """Gives a lease up, so that others can take it at once; does nothing if it is no longer this worker's."""

    def leave(self) -> None:
        """Gives all leases up and forgets this worker. Afterwards its store can no longer commit."""

    def close(self) -> None:
        """Closes the connection; safe to call twice."""
