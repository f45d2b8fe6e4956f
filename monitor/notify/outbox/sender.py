"""One channel of one receiver: what waits for it, sent in order, and what came of it, written down."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, assert_never

import trio

from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Retry, Sent, at_once
from monitor.notify.outbox.backoff import ChannelBackoff
from monitor.notify.outbox.handle import DeliveryObserver, Outbox
from monitor.runtime.backoff import backoff, full_jitter
from monitor.runtime.clock import SECOND, Clock, Duration, format_duration
from monitor.runtime.errors import StoreError, place_of
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import SUPERSEDED, OutboxRow

SEND_LIMIT: Final = 60.0
"""Seconds after which a send counts as failed, should the notifier's own limit not hold."""

_BATCH: Final = 16
"""The most groups that are looked up at once. They are few, so that what is new does not wait behind a long list."""

_WRITING_LIMIT: Final = 2.0
"""Seconds that a receipt waits for its turn at the store before it counts as not written. A stop waits for it no longer than that."""

_SHORTEST_WAIT: Final = SECOND // 10
"""Between two tries of a store that is in trouble."""

log = logging.getLogger("monitor.notify.outbox")


@dataclass(slots=True)
class _Turn:
    """Parcels of different groups that are sent side by side, and what stopped that."""

    due: Iterator[OutboxRow]
    has_failed: bool = False
    pause: Duration | None = None
    trouble: StoreError | None = None

    @property
    def is_over(self) -> bool:
        return self.has_failed or self.trouble is not None


@dataclass(slots=True)
class Sender:
    """Everything that one channel's task needs; see `monitor.notify.outbox` for what it promises."""

    outbox: Outbox
    store: AsyncStore
    clock: Clock
    observer: DeliveryObserver
    receiver: str
    channel: str
    notifier: Notifier
    leave: trio.Event = field(default_factory=trio.Event)
    pace: ChannelBackoff = field(default_factory=lambda: ChannelBackoff(full_jitter))

    async def run(self) -> None:
        """Send until the outbox stops or ``leave`` is set. Raises nothing: the store's troubles are logged and waited out."""
        troubles = 0
        while not self._is_stopping:
            try:
                await self._look()
                troubles = 0
            except StoreError as error:
                troubles += 1
                log.error("Notifications to %s %s are delayed: %s", self.receiver, self.channel, error)
                await self._pause(backoff(troubles, full_jitter))
        self._forget()

    @property
    def _is_stopping(self) -> bool:
        return self.outbox.stopping or self.leave.is_set()

    def _step(self) -> None:
        """It is at work, and not stuck."""
        self.outbox.at_work[self.receiver, self.channel] = trio.current_time()

    def _forget(self) -> None:
        here = (self.receiver, self.channel)
        self.outbox.at_work.pop(here, None)
        if self.leave.is_set():
            self.outbox.forget(here)

    async def _pause(self, duration: Duration) -> None:
        self.outbox.at_work.pop((self.receiver, self.channel), None)
        await self.outbox.pause(self.clock, duration, self.leave)

    async def _look(self) -> None:
        """Send what is due, or wait for something to be."""
        self._step()
        bell = self.outbox.bell
        heads = await self.store.heads(self.receiver, self.channel, _BATCH)
        now = self.clock.now()
        due_at = [self.pace.due_at(parcel, now) for parcel in heads]
        due = [parcel for parcel, at in zip(heads, due_at, strict=True) if at <= now]
        if due:
            await self._send_in_turn(due)
        elif not self._is_stopping:
            self.outbox.at_work.pop((self.receiver, self.channel), None)
            await self.outbox.rest(bell, self.clock, min(due_at) - now if due_at else None)

    async def _send_in_turn(self, due: list[OutboxRow]) -> None:
        """Send what is due, several at once where the channel takes that and works; the first failure lets nothing more begin."""
        turn = _Turn(iter(due))
        async with trio.open_nursery() as nursery:
            for _ in range(min(self._at_once, len(due))):
                nursery.start_soon(self._work, turn, name=f"send to {self.receiver} {self.channel}")
        if turn.trouble is not None:
            raise turn.trouble
        if turn.pause is not None:
            await self._pause(turn.pause)

    @property
    def _at_once(self) -> int:
        """One only until the channel has taken something, and while it fails: more would only fail with it."""
        here = (self.receiver, self.channel)
        works = here in self.outbox.taken and here not in self.outbox.failing
        return at_once(self.notifier) if works else 1

    async def _work(self, turn: "_Turn") -> None:
        for parcel in turn.due:
            if self._is_stopping or turn.is_over:
                return
            self._step()
            try:
                pause = await self._handle(parcel, turn)
            except StoreError as error:
                turn.trouble = turn.trouble or error
                return
            turn.pause = pause if turn.pause is None else turn.pause

    async def _handle(self, parcel: OutboxRow, turn: "_Turn") -> Duration | None:
        """Send one parcel and write down what came of it; gives how long the channel has to pause if it failed."""
        if await self._superseded(parcel):
            return None
        previous = await self.store.receipt(self.receiver, self.channel, parcel.notification.episode)
        outcome = await self._send(parcel, previous)
        match outcome:
            case Sent():
                await self._took(parcel, outcome)
            case Rejected():
                await self._refused(parcel, outcome)
            case Retry():
                return await self._failed(parcel, outcome, turn)
            case _:
                assert_never(outcome)
        return None

    async def _superseded(self, parcel: OutboxRow) -> bool:
        """A repeat, or who has acknowledged what, says nothing that a newer notification of its episode does not say better."""
        if parcel.notification.reason not in ("repeat", "acknowledged"):
            return False
        newer = await self.store.successor(parcel.id)
        if newer is None:
            return False
        await self._write_down(parcel, partial(self.store.sent, parcel.id, {SUPERSEDED: newer}, self.clock.now()))
        log.info("Notification %s was skipped: %s replaces it", self._name(parcel), newer)
        return True

    async def _send(self, parcel: OutboxRow, previous: dict[str, str] | None) -> Outcome:
        began = trio.current_time()
        here = (self.receiver, self.channel, parcel.id)
        self.outbox.sending[here] = began
        try:
            with trio.fail_after(SEND_LIMIT):
                outcome = await self.notifier.send(parcel.notification, previous)
        except trio.TooSlowError:
            outcome = Retry(f"no answer within {SEND_LIMIT:.0f} s")
        # Whatever a notifier did not foresee must not end the telling: it is a failure to be tried again.
        except Exception as error:  # noqa: BLE001
            outcome = Retry(f"the channel failed unexpectedly ({place_of(error)}); please report this")
        finally:
            self.outbox.sending.pop(here, None)
        seconds = trio.current_time() - began
        self.observer.notification(self.receiver, self.channel, _word(outcome), seconds)
        return outcome

    async def _took(self, parcel: OutboxRow, sent: Sent) -> None:
        self.outbox.took((self.receiver, self.channel))
        await self._write_down(parcel, partial(self.store.sent, parcel.id, sent.receipt, self.clock.now()))
        self.pace.answered(parcel)
        log.info(
            "Notification %s was sent (%s)", self._name(parcel), parcel.notification.reason, extra=self._facts(parcel)
        )

    async def _refused(self, parcel: OutboxRow, rejected: Rejected) -> None:
        self._mark_failing(rejected.why, refused=True)
        await self._write_down(parcel, partial(self.store.rejected, parcel.id, rejected.why, self.clock.now()))
        self.pace.answered(parcel)
        log.error("Notification %s can never be sent: %s", self._name(parcel), rejected.why, extra=self._facts(parcel))

    async def _failed(self, parcel: OutboxRow, retry: Retry, turn: "_Turn") -> Duration:
        self._mark_failing(retry.why)
        wait, pause = self.pace.failed(parcel, retry.after, together=turn.has_failed)
        turn.has_failed = True
        next_at = self.clock.now() + wait
        await self._write_down(parcel, partial(self.store.postponed, parcel.id, retry.why, next_at))
        after = format_duration(wait)
        log.warning(
            "Notification %s failed, tried again after %s: %s",
            self._name(parcel),
            after,
            retry.why,
            extra=self._facts(parcel),
        )
        return pause

    def _mark_failing(self, why: str, *, refused: bool = False) -> None:
        known = self.outbox.failing.get((self.receiver, self.channel))
        refused = refused or (known is not None and known.refused)
        self.outbox.failed((self.receiver, self.channel), why, self.clock.now(), refused=refused)

    async def _write_down(self, parcel: OutboxRow, write: Callable[[], Awaitable[None]]) -> None:
        """Until the store takes it: nothing more is sent to this channel meanwhile, above all not the same again."""
        troubles = 0
        while not await self._written(parcel, write):
            troubles += 1
            try:
                await self.clock.sleep(backoff(troubles, full_jitter) + _SHORTEST_WAIT)
                self._step()
            except trio.Cancelled:
                log.error("Notification %s may be sent again at the next start", self._name(parcel))
                raise

    async def _written(self, parcel: OutboxRow, write: Callable[[], Awaitable[None]]) -> bool:
        why = f"the store was busy for {_WRITING_LIMIT:.0f} s"
        try:
            with trio.move_on_after(_WRITING_LIMIT, shield=True):
                await write()
                return True
        except StoreError as error:
            why = str(error)
        log.error("The result of notification %s cannot be stored: %s", self._name(parcel), why)
        return False

    def _facts(self, parcel: OutboxRow) -> dict[str, str]:
        """What the journal can be searched for."""
        return {"notification": parcel.notification.key, "receiver": self.receiver, "channel": self.channel}

    def _name(self, parcel: OutboxRow) -> str:
        return f"{parcel.notification.key} to {self.receiver} {self.channel}"


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
