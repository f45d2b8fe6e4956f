"""Says whose notifications may be sent now, where several daemons share the accounts of one store.

A daemon that cannot renew its leases stops before others can take them: no send begins after the deadline, and those under way are cancelled
then. What was cancelled waits in the store, with the same key, for whoever holds the account next.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from math import inf

import trio


class AccountGate:
    """The accounts whose notifications may be sent. At first it is open for all, without a deadline. ``changed`` is called when it opens,
    and when other accounts are held.

    Times are in trio's seconds. The account '' is open for whoever may send at all.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self.holding = 0
        """Grows each time that an account is added."""
        self._held: frozenset[str] | None = None
        self._since: dict[str, int] = {}
        self._closed: frozenset[str] = frozenset()
        self._read_anew: Counter[str] = Counter()
        self._deadline = inf
        self._scopes: dict[trio.CancelScope, str] = {}
        self._under_way: Counter[str] = Counter()
        self._ended = trio.Event()

    def is_open(self, account: str) -> bool:
        """Returns whether a send for the account may begin now."""
        return self.keeps(account) and not self._is_closed(account) and trio.current_time() < self._deadline

    def _is_closed(self, account: str) -> bool:
        return account in self._closed or self._read_anew[account] > 0

    def keeps(self, account: str) -> bool:
        """Returns whether this daemon holds the account, maybe without being allowed to send just now: what was sent is still to be noted."""
        return not account or self._held is None or account in self._held

    def since(self, account: str) -> int | None:
        """Returns the value of `holding` since which this daemon holds the account without a break.

        None if it does not, or is giving it away. It may be so without being allowed to send just now.
        """
        if not self.keeps(account) or self._is_closed(account):
            return None
        return self._since.get(account, 0)

    def hold(self, accounts: Collection[str]) -> None:
        """Replaces the accounts that are held. Sends under way for others are cancelled."""
        before, self._held = self._held, frozenset(accounts)
        self.holding += before is None or not before.issuperset(accounts)
        self._since = {account: self._since.get(account, self.holding) for account in self._held}
        self._closed &= self._held
        for scope, account in self._scopes.items():
            if not self.keeps(account):
                scope.cancel()
        self._look_again()
        if before != self._held:  # also if one went: its notifications may have hidden others
            self._changed()

    def close(self, account: str) -> None:
        """Lets no more sends for the account begin; those under way go on."""
        self._closed |= {account}

    @contextmanager
    def read_anew(self, account: str) -> Iterator[None]:
        """Lets no send for the account begin in the block, in which what is known of it is forgotten; afterwards it is as if newly held."""
        self._read_anew[account] += 1
        try:
            yield
        finally:
            self._read_anew[account] -= 1
            if self.keeps(account) and account not in self._closed:
                self.holding += 1
                self._since[account] = self.holding
                self._changed()

    def cut(self, account: str) -> None:
        """Cancels the sends under way for the account."""
        for scope, whose in self._scopes.items():
            if whose == account:
                scope.cancel()

    async def drained(self, account: str) -> None:
        """Waits until no send for the account is under way, and what came of each is noted, or until it is not held any more."""
        while self._under_way[account] and self.keeps(account):
            await self._ended.wait()

    def extend(self, deadline: float) -> None:
        """Moves the deadline. Sends under way are cancelled when it has passed."""
        was_over = trio.current_time() >= self._deadline
        self._deadline = deadline
        for scope in self._scopes:
            scope.deadline = deadline
        if was_over:
            self._changed()

    def suspend(self) -> None:
        """Lets no send begin until the next `extend`, and cancels those under way."""
        self._deadline = -inf
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def handling(self, account: str) -> Iterator[None]:
        """Counts what is done in the block as under way for the account."""
        self._under_way[account] += 1
        try:
            yield
        finally:
            self._under_way[account] -= 1
            self._look_again()

    def _look_again(self) -> None:
        self._ended.set()
        self._ended = trio.Event()

    @contextmanager
    def sending(self, account: str) -> Iterator[trio.CancelScope]:
        """Cancels the block once the account's notifications may not be sent any more."""
        with trio.CancelScope(deadline=self._deadline) as scope:
            self._scopes[scope] = account
            try:
                if not self.is_open(account):
                    scope.cancel()
                yield scope
            finally:
                del self._scopes[scope]
