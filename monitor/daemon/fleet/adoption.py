"""Adopts the accounts that a worker takes at about the same time together: a take-over costs as many round trips to the store, and as many
flushes of all alerts, as the adoption of one account.

A large account is adopted alone, the smaller ones first: the others need not wait for it, nor does one that cannot be read hinder them.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
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
    size: int | None = None
    """The bytes of its journal; None before it was measured."""
    is_adopted: bool = False
    turn: trio.Event = field(default_factory=trio.Event)
    """Set once it may be adopted alone."""
    following: "_Wanted | None" = None
    """The one whose turn comes next, once it has begun."""
    waits: bool = True
    """Whether somebody still waits for its turn: False once it was cancelled."""


class Adoptions:
    """The adoptions of one worker.

    ``measure`` returns the bytes of the journals of accounts, ``together`` adopts several accounts, given how large all of their journals
    are, or none of them, and ``alone`` adopts one, given the size of its journal (None: unknown). All raise StoreError.
    """

    def __init__(
        self,
        measure: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
        together: Callable[[Sequence[str], int], Awaitable[None]],
        alone: Callable[[str, int | None], Awaitable[None]],
    ) -> None:
        self._measure, self._together, self._alone = measure, together, alone
        self._waiting: list[_Wanted] = []
        self._round = trio.Lock()

    async def adopt(self, account: str) -> None:
        """Adopts an account, together with others that are waiting for that too. Raises what ``alone`` raises.

        Of those that are adopted alone, the smallest begins first: ``alone`` is called in this order.
        """
        own = _Wanted(account)
        self._waiting.append(own)
        try:
            async with self._round:
                while own in self._waiting:
                    await self._take_turn(own)
            if not own.is_adopted:
                await own.turn.wait()
        finally:
            own.waits = False
            if own in self._waiting:
                self._waiting.remove(own)
            if own.following is not None:
                own.following.turn.set()  # it runs once this one waits for something
        if not own.is_adopted:
            await self._alone(account, own.size)

    async def _take_turn(self, own: _Wanted) -> None:
        """Adopts several small ones of those that wait together; without any, has all that wait adopted alone, in their order."""
        try:
            await self._measure_waiting()
        except StoreError:
            self._waiting.remove(own)  # it finds out alone
            own.turn.set()
            return
        chosen = self._chosen()
        if len(chosen) > 1:
            await self._adopt_together(chosen)
        else:
            self._line_up(self._smallest_first())
            self._waiting.clear()

    def _line_up(self, ordered: Sequence[_Wanted]) -> None:
        there = [one for one in ordered if one.waits]
        for one, following in pairwise(there):
            one.following = following
        if there:
            there[0].turn.set()

    async def _measure_waiting(self) -> None:
        while unmeasured := [one for one in self._waiting if one.size is None]:
            sizes = await self._measure([one.account for one in unmeasured])
            for one in unmeasured:
                one.size = sizes[one.account]

    async def _adopt_together(self, chosen: Sequence[_Wanted]) -> None:
        for one in chosen:
            self._waiting.remove(one)
        names = [one.account for one in chosen]
        try:
            await self._together(names, sum(map(_size, chosen)))
            for one in chosen:
                one.is_adopted = True
        except Exception as error:  # noqa: BLE001 - which account it is of shows when each is adopted alone
            log.info("%d accounts are read one after the other, since together they cannot be read", len(chosen))
            log.debug("they cannot be read together: %s", error)
        finally:
            # Those that are adopted go on at once. If this was cancelled, the others are read one by one.
            self._line_up(chosen)

    def _smallest_first(self) -> list[_Wanted]:
        return sorted(self._waiting, key=_size)

    def _chosen(self) -> list[_Wanted]:
        chosen, left = list[_Wanted](), TOGETHER
        for one in self._smallest_first():
            left -= _size(one)
            if _size(one) > SMALL or left < 0:
                break
            chosen.append(one)
        return chosen


def _size(one: _Wanted) -> int:
    return one.size or 0
