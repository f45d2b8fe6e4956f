"""Which accounts a worker cannot read from the store, and until when it leaves them alone: maybe another worker can read them. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

LEFT_ALONE: Final = 5.0
"""Seconds for which an account is left alone at first; twice as long each time, up to LONGEST_ALONE."""
LONGEST_ALONE: Final = 300.0


@dataclass(slots=True)
class UnreadableAccounts:
    """The failures of this worker. ``changed`` is called with the accounts that could not be read when last tried, and why."""

    changed: Callable[[Mapping[str, str]], None]
    _why: dict[str, str] = field(default_factory=dict)
    _pauses: dict[str, float] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._why))

    def failed(self, account: str, why: str) -> None:
        """Notes that an account could not be read."""
        self._why[account] = why
        self.changed(self._why)

    def settled(self, account: str) -> None:
        """Notes that an account is no concern of this worker's any more: another one has it, or nobody needs it."""
        if self._why.pop(account, None) is not None:
            self.changed(self._why)

    def read(self, account: str) -> None:
        """Notes that an account was read."""
        self.settled(account)
        self._pauses.pop(account, None)
        self._until.pop(account, None)

    def leave_alone(self, account: str, now: float) -> float:
        """Leaves an account alone from now on. Returns for how many seconds."""
        pause = min(2 * self._pauses.get(account, LEFT_ALONE / 2), LONGEST_ALONE)
        self._pauses[account], self._until[account] = pause, now + pause
        return pause

    def without(self, accounts: Iterable[str], now: float) -> list[str]:
        """Returns the accounts that are not left alone now, in their order."""
        return [one for one in accounts if self._until.get(one, now) <= now]
