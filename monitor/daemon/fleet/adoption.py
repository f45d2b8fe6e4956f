"""Adopts the accounts that a worker takes at about the same time together: a take-over costs as many round trips to the store, and as many
flushes of all alerts, as the adoption of one account.

A large account is adopted alone: the others need not wait for it, nor does one that cannot be read hinder them.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio

from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError

SMALL: Final = 4 << 20
"""Bytes that the journal of an account has at most that is adopted with others."""
TOGETHER: Final = 32 << 20
"""Bytes that the journals of all of them have at most."""

log = logging.getLogger("monitor")


@dataclass(eq=False, slots=True)
class _Wanted:
    account: str
    is_adopted: bool = False


class Adoptions:
    """The adoptions of one worker.

    ``measure`` returns the bytes of the journals of accounts, ``together`` adopts several accounts, given how large all of their journals
    are, or none of them, and ``alone`` adopts one. All raise StoreError.
    """

    def __init__(
        self,
        measure: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
        together: Callable[[Sequence[str], int], Awaitable[None]],
        alone: Callable[[str], Awaitable[None]],
    ) -> None:
        self._measure, self._together, self._alone = measure, together, alone
        self._waiting: list[_Wanted] = []
        self._round = trio.Lock()

    async def adopt(self, account: str) -> None:
        """Adopts an account, together with others that are waiting for that too. Raises what ``alone`` raises."""
        own = _Wanted(account)
        self._waiting.append(own)
        try:
            async with self._round:
                if own in self._waiting:
                    await self._adopt_waiting()
        finally:
            if own in self._waiting:
                self._waiting.remove(own)
        if not own.is_adopted:
            await self._alone(account)

    async def _adopt_waiting(self) -> None:
        sizes: dict[str, int] = {}
        try:
            while unmeasured := [one.account for one in self._waiting if one.account not in sizes]:
                sizes |= await self._measure(unmeasured)
        except StoreError:
            return  # who has this turn finds out alone
        chosen = self._chosen(sizes)
        if len(chosen) < 2:
            return
        for one in chosen:
            self._waiting.remove(one)
        try:
            names = [one.account for one in chosen]
            await self._together(names, sum(sizes[one] for one in names))
        except Exception as error:  # noqa: BLE001 - which account it is of shows when each is adopted alone
            log.info("%d accounts are read one after the other: %s", len(chosen), error)
            return
        for one in chosen:
            one.is_adopted = True

    def _chosen(self, sizes: Mapping[str, int]) -> list[_Wanted]:
        chosen, left = list[_Wanted](), TOGETHER
        for one in sorted(self._waiting, key=lambda one: sizes[one.account]):
            left -= sizes[one.account]
            if sizes[one.account] > SMALL or left < 0:
                break
            chosen.append(one)
        return chosen
