"""The sender of one channel: sends its waiting notifications in order, and stores the results."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import field
from functools import partial
from typing import Final, Literal, assert_never

import trio

from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Retry, Sent, at_once, slowest
from monitor.notify.outbox.backoff import ChannelBackoff
from monitor.notify.outbox.handle import DeliveryObserver, Outbox
from monitor.runtime.backoff import FIRST_WAIT, backoff, full_jitter
from monitor.runtime.clock import SECOND, Clock, Duration, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError, place_of
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import SUPERSEDED, OutboxRow

SEND_LIMIT: Final = 60.0
"""Seconds after which a send counts as failed, if the notifier's own limit does not work, or `MARGIN` after that limit if that is later."""

MARGIN: Final = 30.0
"""Seconds that a send may last longer than its notifier says."""

_BATCH: Final = 16
"""The most groups that are read at once. The number is small, so that new notifications do not wait for a long list."""

_MOST_LOOKED_PAST: Final = 64 * _BATCH
"""The most groups that are read to find one whose account may be told of."""

_WRITING_LIMIT: Final = 2.0
"""Seconds that storing a receipt may take before it counts as failed. A stop waits no longer than that."""

_SHORTEST_WAIT: Final = SECOND // 10
"""The shortest wait between two tries of a store that fails."""

_LONGEST_WAIT: Final = SECOND
"""The longest wait between two tries of a store that fails: meanwhile the channel stays silent, also when the store works again, and nobody
else knows that a notification was sent."""

log = logging.getLogger("monitor.notify.outbox")


@dataclass(slots=True)
class _SendBatch:
    """Outbox rows of different groups that are sent side by side, and the failure that stopped them.

    ``due`` are those that wait for their turn, ``under_way`` the groups of those that are being sent, ``begun`` all of which a send has begun, and
    ``oldest`` is the number of the oldest row that waits, as far as is known. ``ended`` is set, and another one takes its place, when a send has
    ended; ``was_asked`` says that the other side asked to wait. ``holding`` is the gate's number from before the rows were read: what was read
    of an account may have been sent by another daemon by the time that the account comes back.
    """

    due: deque[OutboxRow]
    holding: int
    oldest: int
    under_way: set[str] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    was_asked: bool = False
    ended: trio.Event = field(default_factory=trio.Event)
    looking: trio.Lock = field(default_factory=trio.Lock)
    has_failed: bool = False
    pause: Duration | None = None
    trouble: StoreError | None = None

    @property
    def is_over(self) -> bool:
        return self.has_failed or self.trouble is not None

    def begin(self, outbox_row: OutboxRow) -> None:
        """Notes that the send of a row begins."""
        self.under_way.add(outbox_row.notification.group_key)
        self.begun.add(outbox_row.id)

    def end(self, outbox_row: OutboxRow) -> None:
        """Notes that the send of a row has ended."""
        self.under_way.discard(outbox_row.notification.group_key)
        self.ended.set()
        self.ended = trio.Event()


@dataclass(slots=True)
class Sender:
    """The task of one channel; `monitor.notify.outbox` describes what it guarantees."""

    outbox: Outbox
    store: AsyncStore
    clock: Clock
    observer: DeliveryObserver
    receiver: str
    channel: str
    notifier: Notifier
    leave: trio.Event = field(default_factory=trio.Event)
    pace: ChannelBackoff = field(default_factory=lambda: ChannelBackoff(full_jitter))
    _trouble: ThrottledLog = field(init=False)
    """The store is tried often, and its trouble is logged seldom."""

    def __post_init__(self) -> None:
        what = f"Notifications to {self.receiver} {self.channel} are delayed"
        self._trouble = ThrottledLog(log, what, self.clock, logging.ERROR)

    async def run(self) -> None:
        """Sends until the outbox stops or ``leave`` is set. Raises nothing: failures of the store are logged and tried again."""
        troubles = 0
        while not self._is_stopping:
            try:
                await self._read_due()
                troubles = 0
            except StoreError as error:
                troubles += 1
                self._trouble.arose(str(error))
                await self._pause(min(backoff(troubles, full_jitter), _LONGEST_WAIT) + _SHORTEST_WAIT)
        self._forget()

    @property
    def _is_stopping(self) -> bool:
        return self.outbox.stopping or self.leave.is_set()

    def _step(self) -> None:
        """Records progress, so that the channel does not count as stuck."""
        self.outbox.busy[self.receiver, self.channel] = trio.current_time()

    def _forget(self) -> None:
        here = (self.receiver, self.channel)
        self.outbox.busy.pop(here, None)
        if self.leave.is_set():
            self.outbox.forget(here)

    async def _pause(self, duration: Duration) -> None:
        self.outbox.busy.pop((self.receiver, self.channel), None)
        await self.outbox.pause(self.clock, duration, self.leave)

    async def _read_due(self) -> None:
        """Sends what is due, or waits until something is."""
        self._step()
        wake_event, holding = self.outbox.wake_event, self.outbox.gate.holding
        heads, oldest = await self._open_heads()
        now = self.clock.now()
        due_at = [self.pace.due_at(outbox_row, now) for outbox_row in heads]
        due = [outbox_row for outbox_row, at in zip(heads, due_at, strict=True) if at <= now]
        if due:
            await self._send_side_by_side(_SendBatch(deque(due), holding, oldest))
        elif not self._is_stopping:
            self.outbox.busy.pop((self.receiver, self.channel), None)
            await self.outbox.rest(self.clock, min(due_at) - now if due_at else None, wake_event)

    async def _open_heads(self, limit: int = _BATCH) -> tuple[list[OutboxRow], int]:
        """Returns up to ``limit`` heads of groups whose accounts may be told of now, looking past those of accounts that are being given away.
        Returns too the number of the oldest row that waits, 0 if that is not known.

        If more than `_MOST_LOOKED_PAST` of those come first, it returns none; the gate wakes the sender once they are gone.
        """
        gate = self.outbox.gate
        while True:
            heads = await self.store.heads(self.receiver, self.channel, limit)
            found = [outbox_row for outbox_row in heads if gate.is_open(outbox_row.account)]
            if found or not limit <= len(heads) < _MOST_LOOKED_PAST or not gate.is_open(""):
                return found, 0 if len(heads) >= limit else min((one.id for one in heads), default=0)
            limit *= 4

    async def _send_side_by_side(self, batch: _SendBatch) -> None:
        """Sends what is due, several at once if the channel allows that and works; after the first failure no further send begins.

        Meanwhile what comes of other groups is sent too, so that one send that hangs does not hold it up.
        """
        async with trio.open_nursery() as nursery:
            for _ in range(self._at_once):
                nursery.start_soon(self._work, batch, name=f"send to {self.receiver} {self.channel}")
        if batch.trouble is not None:
            raise batch.trouble
        if batch.pause is not None:
            await self._pause(batch.pause)

    @property
    def _at_once(self) -> int:
        """The number of sends at the same time: one until the channel has accepted something and while it fails, because more would fail too."""
        here = (self.receiver, self.channel)
        works = here in self.outbox.accepted_channels and here not in self.outbox.failing
        return at_once(self.notifier) if works else 1

    async def _work(self, batch: "_SendBatch") -> None:
        try:
            while (outbox_row := await self._next(batch)) is not None:
                self._step()
                try:
                    with self.outbox.gate.handling(outbox_row.account):
                        pause = await self._handle(outbox_row, batch)
                finally:
                    batch.end(outbox_row)
                batch.pause = pause if batch.pause is None else batch.pause
        except StoreError as error:
            batch.trouble = batch.trouble or error

    async def _next(self, batch: "_SendBatch") -> OutboxRow | None:
        """Returns the next row to send, and waits for one while others are sent; None once the batch is over. Raises StoreError."""
        async with batch.looking:
            while not (self._is_stopping or batch.is_over or self.outbox.gate.holding != batch.holding):
                while batch.due:
                    outbox_row = batch.due.popleft()
                    if outbox_row.id not in batch.begun and self.outbox.gate.is_open(outbox_row.account):
                        batch.begin(outbox_row)
                        return outbox_row
                if not batch.under_way:
                    break
                await self._look_for_more(batch)
        return None

    async def _look_for_more(self, batch: "_SendBatch") -> None:
        """Adds what is due now of groups of which nothing is under way; if nothing is, waits until something may be. Raises StoreError."""
        wake_event, ended, busy = self.outbox.wake_event, batch.ended, set(batch.under_way)
        heads, batch.oldest = await self._open_heads(_BATCH + len(busy))
        now = self.clock.now()
        others = [one for one in heads if one.notification.group_key not in busy and one.id not in batch.begun]
        due_at = [self.pace.due_at(outbox_row, now) for outbox_row in others]
        batch.due.extend(outbox_row for outbox_row, at in zip(others, due_at, strict=True) if at <= now)
        if not batch.due and not ended.is_set():
            await self.outbox.rest(self.clock, min(due_at) - now if due_at else None, wake_event, ended)

    async def _handle(self, outbox_row: OutboxRow, batch: "_SendBatch") -> Duration | None:
        """Sends one outbox row and stores the result; returns how long the channel has to pause if it failed."""
        if await self._superseded(outbox_row):
            return None
        pause = await self._send_earlier(outbox_row, batch)
        if self._is_stopping or batch.was_asked:
            return pause
        previous = await self.store.receipt(self.receiver, self.channel, outbox_row.notification.episode)
        if self.outbox.gate.holding != batch.holding:
            return None
        outcome = await self._send(outbox_row, previous)
        match outcome:
            case None:
                log.warning(
                    "Notification %s was left to the daemon that holds its account next", self._name(outbox_row)
                )
            case Sent():
                await self._took(outbox_row, outcome)
            case Rejected():
                await self._refused(outbox_row, outcome)
            case Retry():
                return await self._failed(outbox_row, outcome, batch)
            case _:
                assert_never(outcome)
        return None

    async def _send_earlier(self, outbox_row: OutboxRow, batch: _SendBatch) -> Duration | None:
        """Sends what is older and waits in other groups about the same alerts: whoever knows alerts by their labels must not be told of an end behind
        the next beginning. What fails of it holds the row up no longer. Returns how long the channel has to pause then."""
        pause = None
        while batch.oldest < outbox_row.id and (earlier := await self.store.earlier(outbox_row)) is not None:
            if self._is_stopping or batch.was_asked:
                break
            if earlier.notification.group_key in batch.under_way:
                with trio.move_on_after(self._limit) as limit:
                    await batch.ended.wait()
                if limit.cancelled_caught:  # two groups wait for each other, since one got an older row meanwhile
                    break
            elif earlier.id in batch.begun:
                break
            else:
                batch.begin(earlier)
                try:
                    pause = await self._handle(earlier, batch)
                finally:
                    batch.end(earlier)
        return pause

    async def _superseded(self, outbox_row: OutboxRow) -> bool:
        """Skips a repeat or an acknowledgement if a newer notification of its episode waits; returns whether it did."""
        if outbox_row.notification.reason not in ("repeat", "acknowledged"):
            return False
        newer = await self.store.successor(outbox_row.id)
        if newer is None:
            return False
        await self._write_down(
            outbox_row, partial(self.store.sent, outbox_row.id, {SUPERSEDED: newer}, self.clock.now())
        )
        log.info("Notification %s was skipped: %s replaces it", self._name(outbox_row), newer)
        return True

    async def _send(self, outbox_row: OutboxRow, previous: dict[str, str] | None) -> Outcome | None:
        """Sends it and returns what came of it; None if this daemon may not send for the account any more, whatever came of it."""
        outcomes: list[Outcome] = []
        with self.outbox.gate.sending(outbox_row.account):
            outcomes.append(await self._send_in_time(outbox_row, previous))
        return outcomes[0] if outcomes else None

    @property
    def _limit(self) -> float:
        """The seconds after which a send is cut off."""
        return max(SEND_LIMIT, slowest(self.notifier) + MARGIN)

    async def _send_in_time(self, outbox_row: OutboxRow, previous: dict[str, str] | None) -> Outcome:
        began = trio.current_time()
        here = (self.receiver, self.channel, outbox_row.id)
        limit = self._limit
        self.outbox.sending[here] = began + limit
        try:
            with trio.fail_after(limit):
                outcome = await self.notifier.send(outbox_row.notification, previous)
        except trio.TooSlowError:
            outcome = Retry(f"no answer within {limit:.0f} s")
        # An unexpected exception of a notifier must not stop the sender: it counts as a failure that is tried again.
        except Exception as error:  # noqa: BLE001 - it must not stop the sender
            outcome = Retry(f"the channel failed unexpectedly ({place_of(error)}); please report this")
        finally:
            self.outbox.sending.pop(here, None)
        seconds = trio.current_time() - began
        self.observer.notification(self.receiver, self.channel, _word(outcome), seconds)
        log.debug(
            "send to %s %s: notification %s (%s), try %d: %s, %.0f ms",
            *(self.receiver, self.channel, outbox_row.notification.key, outbox_row.notification.reason),
            *(outbox_row.attempts + 1, _word(outcome), seconds * 1000),
        )
        return outcome

    async def _took(self, outbox_row: OutboxRow, sent: Sent) -> None:
        self.outbox.accepted((self.receiver, self.channel))
        write = partial(self.store.sent, outbox_row.id, sent.receipt, self.clock.now())
        await self._write_down(outbox_row, write, was_sent=True)
        self.pace.answered(outbox_row)
        log.info(
            "Notification %s was sent (%s)",
            self._name(outbox_row),
            outbox_row.notification.reason,
            extra=self._log_fields(outbox_row),
        )

    async def _refused(self, outbox_row: OutboxRow, rejected: Rejected) -> None:
        self._mark_failing(rejected.why, refused=True)
        await self._write_down(outbox_row, partial(self.store.rejected, outbox_row.id, rejected.why, self.clock.now()))
        self.pace.answered(outbox_row)
        log.error(
            "Notification %s can never be sent: %s",
            self._name(outbox_row),
            rejected.why,
            extra=self._log_fields(outbox_row),
        )

    async def _failed(self, outbox_row: OutboxRow, retry: Retry, batch: "_SendBatch") -> Duration:
        self._mark_failing(retry.why)
        wait, pause = self.pace.failed(outbox_row, retry.after, together=batch.has_failed)
        batch.has_failed = True
        batch.was_asked |= retry.after is not None and retry.after >= FIRST_WAIT
        next_at = self.clock.now() + wait
        await self._write_down(outbox_row, partial(self.store.postponed, outbox_row.id, retry.why, next_at))
        after = format_duration(wait)
        log.warning(
            "Notification %s failed, tried again after %s: %s",
            self._name(outbox_row),
            after,
            retry.why,
            extra=self._log_fields(outbox_row),
        )
        return pause

    def _mark_failing(self, why: str, *, refused: bool = False) -> None:
        known = self.outbox.failing.get((self.receiver, self.channel))
        refused = refused or (known is not None and known.refused)
        self.outbox.failed((self.receiver, self.channel), why, self.clock.now(), refused=refused)

    async def _write_down(
        self, outbox_row: OutboxRow, write: Callable[[], Awaitable[None]], *, was_sent: bool = False
    ) -> None:
        """Repeats ``write`` until the store succeeds. Meanwhile nothing is sent to this channel, so the same notification is not sent twice.

        What ``was_sent`` is written down whoever holds the account by then, which sends it again otherwise. The store changes nothing if that one
        has written down something already. What failed is left to that one.
        """
        troubles = 0
        while not await self._written(outbox_row, write):
            if not was_sent and not self.outbox.gate.keeps(outbox_row.account):
                return
            troubles += 1
            try:
                await self.clock.sleep(min(backoff(troubles, full_jitter), _LONGEST_WAIT) + _SHORTEST_WAIT)
                self._step()
            except trio.Cancelled:
                log.error("Notification %s may be sent again at the next start", self._name(outbox_row))
                raise

    async def _written(self, outbox_row: OutboxRow, write: Callable[[], Awaitable[None]]) -> bool:
        why = f"the store was busy for {_WRITING_LIMIT:.0f} s"
        try:
            with trio.move_on_after(_WRITING_LIMIT, shield=True):
                await write()
                return True
        except StoreError as error:
            why = str(error)
        self._trouble.arose(f"the result of notification {self._name(outbox_row)} cannot be stored: {why}")
        return False

    def _log_fields(self, outbox_row: OutboxRow) -> dict[str, str]:
        """Returns the fields by which the journal can be searched."""
        fields = {"notification": outbox_row.notification.key, "receiver": self.receiver, "channel": self.channel}
        incident = outbox_row.notification.incident
        return fields | ({"incident": incident} if incident else {})

    def _name(self, outbox_row: OutboxRow) -> str:
        return f"{outbox_row.notification.key} to {self.receiver} {self.channel}"


def _word(outcome: Outcome) -> Literal["sent", "retry", "rejected"]:
    match outcome:
        case Sent():
            return "sent"
        case Retry():
            return "retry"
        case Rejected():
            return "rejected"
        case _:
            assert_never(outcome)
