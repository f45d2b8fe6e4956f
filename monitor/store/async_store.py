"""The asynchronous store for trio tasks. Calls run in a worker thread, one at a time and in order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import trio

from monitor.model.alert import Alert, Transition
from monitor.model.announced_rules import AnnouncedRules
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.errors import StoreOutdated
from monitor.runtime.pieces import Work, at_once
from monitor.store.leases import LeaseStore
from monitor.store.protocol import (
    BEFORE_ALL_TEXTS,
    EVERY_NOTIFICATION,
    Commit,
    FirstPages,
    ForwardedCallback,
    NotificationFilter,
    NotificationRecord,
    OutboxRow,
    OutboxState,
    QuarantinedRecord,
    Retried,
    Store,
    StoredState,
    StoredSuppressions,
    Texts,
)

T = TypeVar("T")


def _ignore(error: StoreOutdated) -> None:
    """The caller of the method gets the error too."""


class AsyncStore:
    """A store's methods as coroutines; `monitor.store.protocol.Store` describes them. All raise StoreError.

    A call that has begun is finished and returns its result even if its task is cancelled meanwhile, so that a caller always knows
    whether its data was written. ``outdated`` is called when a method raises StoreOutdated.
    """

    def __init__(self, store: Store, outdated: Callable[[StoreOutdated], None] = _ignore) -> None:
        self._store = store
        self._outdated = outdated
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, call: Callable[[Store], T]) -> T:
        """Runs ``call`` with the store in the worker thread: for several reads in a row."""
        try:
            return await trio.to_thread.run_sync(call, self._store, limiter=self._limiter)
        except StoreOutdated as error:
            self.outdated(error)
            raise

    async def work(self, call: Callable[[], T]) -> T:
        """Runs ``call``, which works on what was read, in a thread beside the store's: the store has time for other calls meanwhile."""
        return await trio.to_thread.run_sync(call)

    async def work_in_pieces(self, work: Work[T]) -> T:
        """Does what `work` does, and ends between two pieces if the task is cancelled."""
        return await trio.to_thread.run_sync(at_once, work, trio.from_thread.check_cancelled)

    def outdated(self, error: StoreOutdated) -> None:
        """Says that the store is no longer as the daemon left it, where somebody else noticed that."""
        self._outdated(error)

    async def close(self) -> None:
        await self.run(lambda store: store.close())

    async def secret(self, name: str) -> bytes:
        return await self.run(lambda store: store.secret(name))

    async def end_sessions(self, ended: Mapping[bytes, Instant], over: Instant, most: int) -> None:
        await self.run(lambda store: store.end_sessions(ended, over, most))

    async def ended_sessions(self) -> dict[bytes, Instant]:
        return await self.run(lambda store: store.ended_sessions())

    def hurry(self, within: Duration) -> None:
        """See `monitor.store.protocol.Store.hurry`; it does not wait for the call that is under way."""
        self._store.hurry(within)

    def leases(self) -> LeaseStore | None:
        """See `monitor.store.protocol.Store.leases`; connects at the first call of a method."""
        return self._store.leases()

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:
        """See `monitor.store.protocol.Store.hold`; it does not wait for the call that is under way."""
        self._store.hold(leases, why_not)

    async def assign_accounts(self, accounts: Sequence[str]) -> None:
        await self.run(lambda store: store.assign_accounts(accounts))

    async def announce_rules(self, rules: Mapping[str, str]) -> None:
        await self.run(lambda store: store.announce_rules(rules))

    async def rules_of_others(self) -> list[AnnouncedRules]:
        return await self.run(lambda store: store.rules_of_others())

    async def suppressions(self) -> StoredSuppressions:
        return await self.run(lambda store: store.suppressions())

    async def forward_callback(self, account: str, body: bytes, now: Instant) -> None:
        await self.run(lambda store: store.forward_callback(account, body, now))

    async def forwarded(
        self, accounts: Collection[str], limit: int, without: Collection[int] = ()
    ) -> list[ForwardedCallback]:
        return await self.run(lambda store: store.forwarded(accounts, limit, without))

    async def drop_forwarded(self, ids: Collection[int]) -> None:
        await self.run(lambda store: store.drop_forwarded(ids))

    async def load(self, accounts: Collection[str] | None = None, *, rule_states: bool = True) -> StoredState:
        return await self.run(lambda store: store.load(accounts, rule_states=rule_states))

    async def groups_of(self, key: str) -> list[AggregationGroup]:
        return await self.run(lambda store: store.groups_of(key))

    async def alert_and_ack(self, fingerprint: str) -> tuple[Alert | None, Ack | None]:
        return await self.run(lambda store: store.alert_and_ack(fingerprint))

    async def owners(self) -> list[str]:
        return await self.run(lambda store: store.owners())

    async def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        return await self.run(lambda store: store.texts_page(account, after))

    async def journal_page(self, account: str, after: int) -> list[tuple[int, bytes]]:
        return await self.run(lambda store: store.journal_page(account, after))

    async def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        return await self.run(lambda store: store.journal_sizes(accounts))

    async def first_pages(self, accounts: Sequence[str]) -> dict[str, FirstPages]:
        return await self.run(lambda store: store.first_pages(accounts))

    async def commit(self, commit: Commit) -> list[int]:
        return await self.run(lambda store: store.commit(commit))

    async def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return await self.run(lambda store: store.heads(receiver, channel, limit))

    async def earlier(self, outbox_row: OutboxRow) -> OutboxRow | None:
        return await self.run(lambda store: store.earlier(outbox_row))

    async def successor(self, outbox_row: int) -> str | None:
        return await self.run(lambda store: store.successor(outbox_row))

    async def sent(self, outbox_row: int, receipt: dict[str, str], at: Instant) -> None:
        await self.run(lambda store: store.sent(outbox_row, receipt, at))

    async def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        await self.run(lambda store: store.postponed(outbox_row, error, next_at))

    async def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        await self.run(lambda store: store.rejected(outbox_row, error, at))

    async def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
        return await self.run(lambda store: store.receipt(receiver, channel, episode))

    async def outbox_rows(self, state: OutboxState | None = None, limit: int = 100) -> list[OutboxRow]:
        return await self.run(lambda store: store.outbox_rows(state, limit))

    async def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        return await self.run(lambda store: store.history(limit, since))

    async def dead_letters(self) -> dict[tuple[str, str], int]:
        return await self.run(lambda store: store.dead_letters())

    async def retry_dead(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, outbox_row: int | None = None
    ) -> Retried:
        return await self.run(lambda store: store.retry_dead(wanted, outbox_row))

    async def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        return await self.run(lambda store: store.backlog())

    async def transitions(self, limit: int = 100) -> list[Transition]:
        return await self.run(lambda store: store.transitions(limit))

    async def lost_alerts(self) -> list[Transition]:
        return await self.run(lambda store: store.lost_alerts())

    async def quarantined(self, limit: int = 100) -> list[QuarantinedRecord]:
        return await self.run(lambda store: store.quarantined(limit))

    async def counts(self) -> dict[str, int]:
        return await self.run(lambda store: store.counts())

    async def prune(self, before: Instant, history_before: Instant) -> None:
        """Prunes everything in small steps, so that other calls run in between."""
        while await self.run(lambda store: store.prune(before, history_before)):
            pass
