"""Which accounts a worker cannot poll although it holds them, and which it therefore leaves to others: maybe another worker can. Pure.

Routee may be out of reach from one machine only, or one machine may have a wrong secret. What fails everywhere must not wander about for it: a
worker that gave something back tries nothing again for a while, then one account, and if that fails nothing for twice as long. A worker at which
every request fails, as all do while Routee is down, is no better than the one that holds an account: until one succeeds it takes nothing else
from others.
All times are seconds of the same clock.
"""

from collections.abc import Collection
from dataclasses import field
from math import inf
from typing import Final

from monitor.model.fleet import Fleet
from monitor.runtime.dataclass import dataclass

FAILING_FOR: Final = 15.0
"""Seconds for which an account's requests fail, and none succeeds, before others are to take it."""
FIRST_REST: Final = 600.0
"""Seconds for which a worker then tries no account that it left to others; twice as long each time, up to LONGEST_REST."""
LONGEST_REST: Final = 14_400.0

_OF_THE_QUESTION: Final = frozenset({"429", "cancelled", "paging", "malformed"})
"""Outcomes that another worker would get as well."""


def is_out_of_reach(outcome: str) -> bool:
    """Returns whether a request with this outcome failed for a reason that may be the worker's own: its credentials, or its way to Routee."""
    is_of_question = outcome.startswith("4") and outcome not in ("401", "403", "407", "408")
    return not is_of_question and outcome not in _OF_THE_QUESTION


@dataclass(slots=True)
class UnpolledAccounts:
    """The failures of this worker.

    ``left_alone`` are the accounts that others should take rather than this one, those that it holds included, as of the last `follow`.
    """

    left_alone: frozenset[str] = frozenset()
    _since: dict[str, float] = field(default_factory=dict)
    _succeeded_at: float = -inf
    _given: dict[str, float] = field(default_factory=dict)
    _held: frozenset[str] = frozenset()
    _overdue: frozenset[str] = frozenset()
    _trial: str = ""
    _rest: float = FIRST_REST / 2
    _rests_until: float = -inf
    _is_cut_off: bool = False

    def failed(self, account: str, outcome: str, now: float) -> None:
        """Notes that a request for messages of an account failed."""
        if is_out_of_reach(outcome):
            self._since.setdefault(account, now)

    def succeeded(self, account: str, now: float) -> None:
        """Notes that Routee answered a request for messages of an account."""
        self._succeeded_at = now
        self._since.pop(account, None)
        if self._given.pop(account, None) is not None or not self._given:
            self.reconsider()
        self._is_cut_off = False

    def reconsider(self) -> None:
        """Has this worker try at once what it left to others: the reason may be gone."""
        self._rest, self._rests_until, self._is_cut_off = FIRST_REST / 2, -inf, False

    def given_back(self, account: str, now: float) -> None:
        """Notes that an account that could not be polled is given to others."""
        self._given[account] = now
        self.left_alone |= {account}
        self._begin_rest(now)

    def follow(self, worker: int, held: Collection[str], fleet: Fleet, now: float) -> None:
        """Takes the answer to a beat of this worker, which holds ``held``.

        What nobody else holds or would take is left alone by nobody: an account that cannot be polled has to be told of by somebody.
        """
        living = [one for one in fleet.living if one.id != worker]
        elsewhere = {account for one in living for account in fleet.accounts_of(one.id)}
        takers = {account for one in living for account in one.takes}
        self._overdue = frozenset(account for one in living for account in one.left_alone)
        self._since = {name: since for name, since in self._since.items() if name in held}
        cannot = {name for name, since in self._since.items() if now - since >= FAILING_FOR}
        if not self._is_cut_off and cannot and self._succeeded_at < min(self._since[name] for name in cannot):
            self._is_cut_off = True
            self._begin_rest(now)
        if any(self._is_cut_off or name in self._given for name in held if name not in self._held):
            self._begin_rest(now)  # the next trial has begun
        self._held = frozenset(held)
        others = {name for name in elsewhere | takers if self._is_cut_off or name in self._given}.difference(held)
        is_trial = now >= self._rests_until
        if not is_trial or self._trial in held or (self._trial in elsewhere and self._trial not in others):
            self._trial = ""
        if is_trial and not self._trial:
            self._trial = min(others, key=self._turn, default="")
        self.left_alone = frozenset(cannot | others - {self._trial})

    @property
    def left_to_others(self) -> frozenset[str]:
        """The accounts that this worker gave away because it could not poll them, until it can."""
        return frozenset(self._given)

    def is_overdue(self, account: str) -> bool:
        """Returns whether another worker leaves the account alone: it may not have been polled for a while."""
        return account in self._overdue

    def cannot_poll(self, account: str) -> bool:
        """Returns whether requests for an account that this worker holds fail at present."""
        return account in self._since

    def _turn(self, account: str) -> tuple[float, str]:
        return self._given.get(account, inf), account

    def _begin_rest(self, now: float) -> None:
        if now >= self._rests_until:
            self._rest = min(2 * self._rest, LONGEST_REST)
            self._rests_until = now + self._rest
