"""Keeps this worker's leases: beats every second, takes accounts, gives them away, and stops acting when it cannot renew.

`monitor.daemon.fleet.ownership` decides; this module calls the lease table, and has the rest of the daemon follow: what may be committed
(`AsyncStore.hold`), what may be sent (`AccountGate`), and what runs (`AccountDuties`).
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import trio

from monitor.daemon.fleet.async_leases import LEAVE_LIMIT, AsyncLeases
from monitor.daemon.fleet.earlier_holder import Holders, has_lapsed, taken_from
from monitor.daemon.fleet.left_reasons import wrong_clock
from monitor.daemon.fleet.namesakes import Namesakes
from monitor.daemon.fleet.ownership import HURRIED, Ownership, OwnershipChange
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.daemon.fleet.unreadable_accounts import UnreadableAccounts
from monitor.daemon.fleet.wrong_clock import WrongClock
from monitor.model.fleet import Fleet, FleetView, WorkerView
from monitor.notify.outbox import GRACE
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import Clock
from monitor.runtime.errors import InternalError, StoreDamaged, StoreError, StoreOutdated
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore

ADOPT_AGAIN: Final = 1.0
"""Seconds before an account is read from the store again after that failed."""
TRIES: Final = 5
"""How often an account is read before its lease is given back, so that another worker can try."""
NOTING_LIMIT: Final = 30.0
"""Seconds that writing down what was sent may take after that, before the account is given away without it."""

_NO_ANSWER: Final = "the store has not answered in time"

log = logging.getLogger("monitor")


class AccountDuties(Protocol):
    """What this daemon does for the accounts that it holds."""

    async def adopt(self, account: str) -> None:
        """Reads the account from the store, and begins to work for it. Raises StoreError."""

    async def hand_over(self, account: str) -> None:
        """Ends the work for the account in good order, and forgets it."""

    async def drop(self, account: str) -> None:
        """Ends the work for the account at once, and forgets it, if it is known."""

    def suspend(self) -> None:
        """Stops the work for all accounts at once, and keeps what is known of them."""

    def resume(self) -> None:
        """Goes on with all accounts."""

    def unreadable(self, accounts: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        """Takes which accounts could not be read from the store when that was tried last, and why.

        Those in ``elsewhere`` another worker works for, and those in ``accounts`` nobody else does.
        """


class LeaseKeeper:
    """The task of the leases.

    ``wanted`` returns the accounts that this worker's configuration has, in their order, and ``orphans`` those that it has not although
    something is left to do for them. ``unpolled`` knows what it cannot poll, and leaves to others.
    """

    def __init__(
        self,
        leases: AsyncLeases,
        store: AsyncStore,
        gate: AccountGate,
        wanted: Callable[[], Sequence[str]],
        duties: AccountDuties,
        clock: Clock,
        orphans: Callable[[], Sequence[str]] = tuple,
        failed: Callable[[str, Exception], object] = lambda task, error: None,
        unpolled: UnpolledAccounts | None = None,
    ) -> None:
        self._leases, self._store, self._gate = leases, store, gate
        self._wanted, self._orphans = wanted, orphans
        self._duties, self._clock, self._failed = duties, clock, failed
        self.view: FleetView | None = None
        """The answer to the last successful beat."""
        self._heard_at: float | None = None
        self._namesakes = Namesakes()
        self._why_not = _NO_ANSWER
        self._beaten = trio.Event()
        self._own: Ownership | None = None
        self._locks: dict[str, trio.Lock] = {}
        self._starting: set[str] = set()
        """The accounts of the first beat whose reading was not tried yet."""
        self._unreadable = UnreadableAccounts(duties.unreadable)
        self._unpolled = UnpolledAccounts() if unpolled is None else unpolled
        self._wrong_clock = WrongClock()
        self._holders = Holders(leases.worker)
        self._clean: dict[str, int] = {}
        """The leases since which nothing is left in memory of the time before them, with their tokens."""
        self._settled = trio.Event()
        self._readings: set[trio.CancelScope] = set()
        self._is_leaving, self._left = False, trio.Event()
        self._trouble = ThrottledLog(log, "the leases of the accounts", clock, logging.ERROR)

    @property
    def worker(self) -> int:
        """The number of this worker."""
        return self._leases.worker

    @property
    def age(self) -> float | None:
        """The seconds since `view` was asked for; None while there is none."""
        return None if self._heard_at is None else trio.current_time() - self._heard_at

    @property
    def beaten(self) -> trio.Event:
        """An event that the next successful beat sets, or the next account that is adopted."""
        return self._beaten

    @property
    def settled(self) -> trio.Event:
        """An event that is set once what was free at the first beat is adopted, or could not be read at the first try."""
        return self._settled

    @property
    def held(self) -> tuple[str, ...]:
        """The accounts whose leases this worker has, adopted or not."""
        return () if self._own is None else tuple(self._own.tokens)

    @property
    def is_suspended(self) -> bool:
        """Whether this worker could not renew its leases in time."""
        return self._own is None or self._own.is_suspended

    @property
    def why_not(self) -> str:
        """Why the leases could not be renewed when that was tried last, in the store's words."""
        return self._why_not

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beats until `leave`. Reports as started once what was free at the first beat is adopted, or could not be read at the first try.

        Gives the leases back at the end, also when cancelled, so that other workers need not wait for them to lapse.
        """
        self._hold()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._report_started, task_status)
                nursery.start_soon(self._watch_deadline)
                await self._beat_until_left(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._gate.suspend()
            self._store.hold({})
            with trio.move_on_after(LEAVE_LIMIT, shield=True), suppress(StoreError):
                await self._leases.leave()

    def leave(self) -> None:
        """Ends `run`. Nothing must be under way for any account any more."""
        self._left.set()

    def rows_read(self, accounts: Collection[str]) -> None:
        """Takes which accounts' rows could be read from the store beside another worker that has them: a row of theirs is no trouble any more."""
        for account in accounts:
            self._unreadable.rows_read(account)

    def settle(self) -> None:
        """Takes and gives away nothing more, and reads no further what is being read: the daemon is about to stop."""
        self._is_leaving = True
        for one in self._readings:
            one.cancel()

    async def _beat_until_left(self, nursery: trio.Nursery) -> None:
        while not self._left.is_set():
            began = trio.current_time()
            try:
                pause = await self._beat(began, nursery)
                self._trouble.over()
                self._why_not = _NO_ANSWER
            except StoreError as error:
                self._why_not = str(error)
                self._hold()
                if isinstance(error, StoreOutdated):
                    self._store.outdated(error)
                self._trouble.arose(str(error))
                pause = trio.current_time() - began + HURRIED
            with trio.move_on_at(began + pause):
                await self._left.wait()

    async def _beat(self, began: float, nursery: trio.Nursery) -> float:
        """Does one beat and what follows from it. Returns in how many seconds after ``began`` the next one is due. Raises StoreError."""
        wanted, orphans = self._wanted(), self._orphans()
        cannot = self._unpolled.reasons | self._unreadable.left_alone(began)
        tokens = {} if self._own is None else dict(self._own.tokens)
        view = await self._leases.beat(wanted, tokens, orphans, self._wrong_clock.left_alone | cannot)
        own = self._own = self._own or Ownership(self._leases.worker)
        has_turned = self._follow_clock(view)
        left_alone = self._wrong_clock.left_alone | cannot
        decision = own.beaten(
            began, trio.current_time(), view.fleet, wanted, orphans, left_alone, self._unreadable.names
        )
        for account in decision.dropped:
            log.warning("account %s is held by another worker now%s", account, _named(view.fleet.holder_of(account)))
        self._follow_ownership()
        for account in decision.dropped:
            nursery.start_soon(self._drop, account, name=f"drop account {account}")
        if decision.resumed:
            self._guard("going on after a pause", self._duties.resume)
        self.view, self._heard_at = view, began
        self._namesakes.follow(self.worker, view.fleet, began)
        self._follow_failures(view.fleet)
        if not self._is_leaving:
            await self._move(decision, view.fleet, nursery)
        self._settle_start()
        self._wake()
        return 0.0 if has_turned else decision.next_in  # the others are to know it before they give it accounts

    async def _move(self, decision: OwnershipChange, fleet: Fleet, nursery: trio.Nursery) -> None:
        """Gives away what is too much, or takes what is too little. Raises StoreError."""
        assert self._own is not None
        for account in decision.released:
            self._leave_to_others(account, fleet)
            nursery.start_soon(self._hand_over, account, name=f"hand over account {account}")
        if not decision.take:
            return
        giver = {account: self._holders.last(account) for account in decision.take}
        taken = await self._leases.take(decision.take)
        self._own.took(taken)
        self._follow_ownership()
        if not self._settled.is_set():
            self._starting.update(taken)
        for account, token in taken.items():
            level = logging.WARNING if has_lapsed(fleet, account, self.worker) else logging.INFO
            log.log(level, "account %s was taken%s", account, taken_from(fleet, account, self.worker, giver[account]))
            nursery.start_soon(self._adopt, account, token, name=f"adopt account {account}")

    def _follow_ownership(self) -> None:
        """Has commits and sends follow what this worker holds, and until when."""
        assert self._own is not None
        self._hold()
        if self._own.is_suspended:
            self._gate.suspend()
        else:
            self._gate.extend(self._own.deadline)

    def _hold(self) -> None:
        tokens = {} if self._own is None else self._own.tokens
        usable = {account: token for account, token in tokens.items() if self._clean.get(account) == token}
        self._gate.hold(usable)
        if self.is_suspended:
            self._store.hold({}, "" if self._own is None else self._why_not)
        else:
            self._store.hold(usable)

    async def _watch_deadline(self) -> None:
        """Suspends this worker whenever no beat has succeeded in time."""
        while True:
            own = self._own
            if own is None or own.is_suspended:
                await trio.sleep(HURRIED)
                continue
            await trio.sleep_until(own.deadline)
            if own.expired(trio.current_time()):
                log.error("the leases cannot be renewed: nothing is polled, committed or sent until they are")
                self._follow_ownership()
                self._guard("pausing all accounts", self._duties.suspend)

    # The start

    async def _report_started(self, task_status: trio.TaskStatus[None]) -> None:
        await self._settled.wait()
        task_status.started()

    def _settle_start(self) -> None:
        if not self._starting:
            self._settled.set()

    # One account's moves, which wait for each other

    def _lock(self, account: str) -> trio.Lock:
        return self._locks.setdefault(account, trio.Lock())

    def _has(self, account: str, token: int) -> bool:
        return self._own is not None and self._own.tokens.get(account) == token

    async def _adopt(self, account: str, token: int) -> None:
        with trio.CancelScope() as scope:
            if self._is_leaving:
                return
            self._readings.add(scope)
            try:
                await self._adopt_unless_cancelled(account, token)
            finally:
                self._readings.discard(scope)

    async def _adopt_unless_cancelled(self, account: str, token: int) -> None:
        async with self._lock(account):
            was_read = False
            if await self._forget(account):  # what is left of an earlier lease must not be committed under this one
                self._clean[account] = token
                self._hold()
                was_read = await self._read(account, token)
            self._tried(account)
            self._wake()
            if not was_read and self._has(account, token):
                await self._give_up(account, token)

    async def _read(self, account: str, token: int) -> bool:
        """Has the account adopted. Returns whether it was. The start does not wait for more than one try."""
        trouble = ThrottledLog(log, f"account {account}", self._clock, logging.ERROR)
        for _ in range(TRIES):
            if not self._has(account, token):
                break
            try:
                await self._duties.adopt(account)
            except StoreError as error:
                trouble.arose(str(error))
                self._unreadable.failed(account, str(error), of_row=isinstance(error, StoreDamaged))
            except Exception as error:  # noqa: BLE001 - this account cannot be read, and the others go on
                self._failed(f"reading account {account} from the store", error)
                self._unreadable.failed(account, str(InternalError(error)))
            else:
                self._unreadable.read(account)
                return True
            self._tried(account)
            with self._gate.read_anew(account):
                if not await self._forget(account):  # it may have been taken in in part
                    break
            await trio.sleep(ADOPT_AGAIN)
        return False

    async def _forget(self, account: str) -> bool:
        """Has what is known of the account forgotten. Returns whether it was: otherwise this worker must not have it."""
        try:
            await self._duties.drop(account)
        except Exception as error:  # noqa: BLE001 - the other accounts go on
            self._failed(f"ending the work for account {account}", error)
            self._unreadable.failed(account, str(InternalError(error)))
            return False
        return True

    def _guard(self, task: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - what may be committed and sent does not depend on it
            self._failed(task, error)

    def _wake(self) -> None:
        self._beaten.set()
        self._beaten = trio.Event()

    def _tried(self, account: str) -> None:
        self._starting.discard(account)
        self._settle_start()

    async def _give_up(self, account: str, token: int) -> None:
        """Gives back an account that cannot be read, and leaves it alone for a while: maybe another worker can read it."""
        pause = self._unreadable.give_back(account, trio.current_time())
        log.error("account %s cannot be read: its lease is given back, and not taken again for %d s", account, pause)
        self._gate.close(account)
        await self._end_sends(account)
        await self._release(account, token)

    def _leave_to_others(self, account: str, fleet: Fleet) -> None:
        """Says why an account is about to be given away if it is because this worker cannot poll it, or because nothing is left to do for it."""
        if account not in self._wanted() and not any(account in one.takes for one in fleet.living):
            log.info(
                "account %s is in no daemon's configuration any more, and nothing is left to do for it: it is given up",
                account,
            )
        if account in self._unpolled.left_alone:
            log.warning("account %s cannot be polled from here, and is given to another daemon", account)
            self._unpolled.given_back(account, trio.current_time())

    def _follow_failures(self, fleet: Fleet) -> None:
        now, needed = trio.current_time(), {*self._wanted(), *self._orphans(), *self.held}
        others = {account for one in fleet.workers if one.id != self.worker for account in fleet.accounts_of(one.id)}
        self._unreadable.follow(needed, others.difference(self.held), now)
        self._unpolled.follow(self.worker, self.held, fleet, now)
        for account, name in self._holders.follow(fleet).items():
            log.info("account %s is held by %s now", account, name)

    def _follow_clock(self, view: FleetView) -> bool:
        """Takes how far this machine's clock is off the database's. Returns whether it has become wrong, or right."""
        ahead = self._clock.now() - view.now
        has_turned = self._wrong_clock.follow(self.worker, self.held, view.fleet, ahead)
        self._clock.doubt(self._wrong_clock.is_wrong)
        if has_turned and self._wrong_clock.is_wrong:
            log.error("this daemon takes no account that another one would take: %s", wrong_clock(ahead))
        elif has_turned:
            log.info("this machine's clock and the database's agree again")
        return has_turned

    async def _hand_over(self, account: str) -> None:
        assert self._own is not None
        token = self._own.tokens.get(account)
        self._gate.close(account)
        async with self._lock(account):
            await self._end_sends(account)
            try:
                await self._duties.hand_over(account)
            except Exception as error:  # noqa: BLE001 - its next holder reads it as it was last committed
                self._failed(f"giving account {account} away", error)
                await self._forget(account)
            if token is not None:
                await self._release(account, token)

    async def _release(self, account: str, token: int) -> None:
        """Gives a lease back, unless it is lost."""
        if self._own is None or not self._has(account, token):
            return
        self._own.forget([account])
        self._hold()
        self._holders.gave(account)
        log.info("account %s was given away", account)
        with suppress(StoreError):  # it lapses by itself then
            await self._leases.release(account, token)

    async def _end_sends(self, account: str) -> None:
        with trio.move_on_after(GRACE):
            await self._gate.drained(account)
        self._gate.cut(account)
        with trio.move_on_after(NOTING_LIMIT):  # what was sent and is not noted, the next holder sends again
            await self._gate.drained(account)

    async def _drop(self, account: str) -> None:
        async with self._lock(account):
            if account not in self.held:  # otherwise it was taken again, and `_adopt` drops what there was
                await self._forget(account)


def _named(worker: WorkerView | None) -> str:
    return "" if worker is None else f": {worker.name}"
