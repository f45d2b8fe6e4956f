"""Which accounts a worker cannot read from the store, and which it therefore leaves alone: maybe another worker can read them. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from typing import Final

from monitor.daemon.fleet.left_reasons import unread
from monitor.runtime.dataclass import dataclass

LEFT_ALONE: Final = 5.0
"""Seconds for which an account that nobody works for is left alone at first; twice as long each time, up to LONGEST_ALONE."""
LONGEST_ALONE: Final = 300.0
LEFT_TO_OTHERS: Final = 3600.0
"""Seconds for which an account that another worker works for is left to that one: it would stand still while this one tries to read it."""


@dataclass(slots=True)
class _Failure:
    why: str
    given_back: float | None = None
    pause: float = LEFT_ALONE / 2
    is_elsewhere: bool = False
    of_row: bool = False
    """It was a row that could not be read."""

    def is_left_alone(self, now: float) -> bool:
        return self.given_back is not None and (self.is_elsewhere or now < self.given_back + self.pause)


@dataclass(slots=True)
class UnreadableAccounts:
    """The failures of this worker.

    ``changed`` is called with the accounts that could not be read when last tried, and why: those that nobody else works for, and those that
    another worker does.
    """

    changed: Callable[[Mapping[str, str], Mapping[str, str]], None]
    _failures: dict[str, _Failure] = field(default_factory=dict)

    def failed(self, account: str, why: str, *, of_row: bool = False) -> None:
        """Notes that an account could not be read; ``of_row``: because of a row of it."""
        failure = self._failures.setdefault(account, _Failure(why))
        failure.why, failure.of_row = why, of_row
        self._report()

    def rows_read(self, account: str) -> None:
        """Notes that the rows of an account can be read. That is the end of it where one could not be, and another worker has the account."""
        failure = self._failures.get(account)
        if failure is not None and failure.of_row and failure.is_elsewhere:
            self.read(account)

    def read(self, account: str) -> None:
        """Notes that an account was read."""
        if self._failures.pop(account, None) is not None:
            self._report()

    def give_back(self, account: str, now: float) -> float:
        """Leaves an account that could not be read alone from now on. Returns for how many seconds, if nobody else works for it."""
        failure = self._failures.setdefault(account, _Failure(""))
        failure.pause, failure.given_back = min(2 * failure.pause, LONGEST_ALONE), now
        return failure.pause

    def follow(self, needed: Collection[str], elsewhere: Collection[str], now: float) -> None:
        """Takes which accounts this worker holds or has to care for, and which others work for. Forgets what is of no concern any more."""
        before = {name: one.is_elsewhere for name, one in self._failures.items()}
        for name, one in tuple(self._failures.items()):
            one.is_elsewhere = name in elsewhere
            is_over = one.is_elsewhere and one.given_back is not None and now >= one.given_back + LEFT_TO_OTHERS
            if name not in needed or is_over:
                del self._failures[name]
        if before != {name: one.is_elsewhere for name, one in self._failures.items()}:
            self._report()

    @property
    def names(self) -> Collection[str]:
        """The accounts that could not be read when last tried."""
        return self._failures.keys()

    def left_alone(self, now: float) -> dict[str, str]:
        """Returns the accounts that this worker does not take now, and why."""
        return {name: unread(one.why) for name, one in self._failures.items() if one.is_left_alone(now)}

    def _report(self) -> None:
        nobodys = {name: one.why for name, one in self._failures.items() if not one.is_elsewhere}
        self.changed(nobodys, {name: one.why for name, one in self._failures.items() if one.is_elsewhere})
