"""Takes in what Routee pushes: gathers reports for some milliseconds, commits them together, and has the rules evaluated.

A callback is answered when its reports are on the disk, so that none that was answered can be lost. Many callbacks share a commit, because
each commit waits for the disk. The rules are evaluated at most once a second, for all reports that came meanwhile.

Where several daemons share the accounts, what comes for an account that another one holds is put into the store for it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from functools import partial
from itertools import groupby
from typing import Final

import trio

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.fleet.forwarded_reports import NewerForm, PushedReports, decode, encode
from monitor.daemon.pipeline import Pipeline
from monitor.ingest.routee.callback import Callback, batch_of_callbacks
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import ForwardedCallback

GATHERED: Final[Duration] = 5 * MILLISECOND
"""How long a callback waits for others to share its commit."""
EVALUATED_EVERY: Final[Duration] = SECOND
"""The least time between two evaluations of the rules on what was pushed."""
MOST_WAITING: Final = 20_000
"""The most records that wait to be committed."""
MOST_AT_ONCE: Final = 1_000
"""The most records of one commit, unless a single callback has more: taking in so many takes about 15 milliseconds, in which nothing else runs."""
MOST_AHEAD: Final[Duration] = MINUTE
"""How far ahead of this machine's clock a report may be dated for the rules to wait for it: Routee's clock may be ahead."""


log = logging.getLogger("monitor")


class InboxFull(Exception):
    """Too many records wait already. Routee has to try again."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A callback that waits for its commit. ``error`` is None once it is on the disk."""

    account: str
    callback: Callback
    settled: trio.Event = field(default_factory=trio.Event)
    error: StoreError | None = field(default_factory=lambda: StoreError("the callback was not stored"))


class CallbackInbox:
    """The callbacks of all accounts that are not committed yet, and the accounts whose rules have not seen all that was."""

    def __init__(self, pipeline: Pipeline, store: AsyncStore, privacy: Callable[[], RecipientMask]) -> None:
        """``privacy`` returns what makes numbers into what may be stored."""
        self._pipeline, self._clock = pipeline, pipeline.services.clock
        self._store, self._privacy = store, privacy
        self._waiting: list[_Waiting] = []
        self._records = 0
        self._arrived = trio.Event()
        self._unseen: dict[str, Instant] = {}
        self._of_newer: set[int] = set()
        self._committed = trio.Event()

    async def take(self, account: str, callback: Callback) -> None:
        """Returns once everything in the callback that can be used is on the disk.

        Afterwards its ``rejected`` has also the records whose dates cannot be believed. Raises StoreError, and InboxFull if too much waits.
        """
        if self._records + len(callback) > MOST_WAITING:
            raise InboxFull
        one = _Waiting(account, callback)
        self._waiting.append(one)
        self._records += len(callback)
        self._arrived.set()
        await one.settled.wait()
        if one.error is not None:
            raise one.error

    async def take_forwarded(self) -> None:
        """Takes in what other daemons have put into the store for the accounts that are held here. Raises StoreError.

        What was taken in and not deleted yet is taken in again: a report that is known already changes nothing. What a newer version has put
        there is left to a daemon of that version, as long as the store keeps it.
        """
        while found := await self._store.forwarded(tuple(self._pipeline.accounts), MOST_AT_ONCE, self._of_newer):
            by_account: dict[str, list[PushedReports]] = {}
            for one in found:
                reports = self._decoded(one)
                if reports is not None:
                    by_account.setdefault(one.account, []).append(reports)
            for account, several in by_account.items():
                await self._pipeline.push(account, partial(self._put_all, several))
            await self._store.drop_forwarded([one.id for one in found if one.id not in self._of_newer])

    def _decoded(self, forwarded: ForwardedCallback) -> PushedReports | None:
        try:
            return decode(forwarded.body)
        except NewerForm as error:
            if not self._of_newer:
                log.warning(
                    "callbacks are left in the store, the first one for account %s: %s", forwarded.account, error
                )
            self._of_newer.add(forwarded.id)
        except ValueError as error:
            log.error("a callback of account %s that another daemon took cannot be used: %s", forwarded.account, error)
        return None

    def _put_all(self, several: Sequence[PushedReports], account: AccountPipeline) -> None:
        for reports in several:
            self._put(reports, account)

    async def run(self) -> None:
        """Commits what has arrived until it is stopped."""
        while True:
            await self._arrived.wait()
            await self._clock.sleep(GATHERED)
            self._arrived = trio.Event()
            waiting, self._waiting = self._waiting, []
            self._records = 0
            waiting.sort(key=lambda one: one.account)
            try:
                for account, some in groupby(waiting, lambda one: one.account):
                    for piece in _pieces(some):
                        await self._commit(account, piece)
            finally:  # whatever happened, nobody waits for ever, and nobody is told of success without it
                for one in waiting:
                    one.settled.set()

    async def _commit(self, account: str, waiting: Sequence[_Waiting]) -> None:
        error: StoreError | None = None
        reports = self._reports([one.callback for one in waiting])
        try:
            if account in self._pipeline.accounts or not self._pipeline.dispatcher.by_account:
                await self._pipeline.push(account, partial(self._put, reports))
            else:
                await self._store.forward_callback(account, encode(reports, self._privacy()), self._clock.now())
        except StoreError as trouble:
            error = trouble
        for one in waiting:
            one.error = error
            one.settled.set()

    def _reports(self, callbacks: Sequence[Callback]) -> PushedReports:
        batch = batch_of_callbacks(callbacks, self._clock.now())
        campaigns = [state for one in callbacks for state in one.campaigns]
        return PushedReports(batch, campaigns, [record for one in callbacks for record in one.rejected])

    def _put(self, reports: PushedReports, account: AccountPipeline) -> None:
        now, latest, batch = self._clock.now(), self._unseen.get(account.name, 0), reports.batch
        account.push(batch, reports.rejected, now)
        for state in reports.campaigns:
            evaluator = account.evaluator
            evaluator.account_state = evaluator.account_state.with_pushed_campaign(now, state)
            account.add_unread(state.tracking_id, state.unread, now)
        if len(batch):
            self._unseen[account.name] = max(latest, int(batch.date.max()))
            self._committed.set()

    async def evaluate(self) -> None:
        """Has the rules evaluated on what was committed until it is stopped."""
        while True:
            await self._committed.wait()
            began = trio.current_time()
            await self._evaluate_unseen()
            await trio.sleep(trio.current_time() - began)  # polls have their turn too, however many rules there are
            await self._clock.sleep(EVALUATED_EVERY)

    async def _evaluate_unseen(self) -> None:
        """Evaluates the rules of each account with new reports, up to the latest one. One dated ahead is waited for."""
        self._committed = trio.Event()
        unseen, self._unseen = self._unseen, {}
        for account, latest in unseen.items():
            now = self._clock.now()
            if now < latest <= now + MOST_AHEAD:
                self._unseen[account] = max(latest, self._unseen.get(account, 0))
                self._committed.set()
            try:
                await self._pipeline.evaluate_pushed(account, min(latest, now))
            except StoreError:  # the store tells of it; nothing has changed, and the rules look again
                self._unseen[account] = max(latest, self._unseen.get(account, 0))
                self._committed.set()


def _pieces(waiting: Iterable[_Waiting]) -> Iterator[list[_Waiting]]:
    """Yields the callbacks in pieces of at most `MOST_AT_ONCE` records; a larger callback is alone."""
    piece, records = list[_Waiting](), 0
    for one in waiting:
        if piece and records + len(one.callback) > MOST_AT_ONCE:
            yield piece
            piece, records = [], 0
        piece.append(one)
        records += len(one.callback)
    if piece:
        yield piece
