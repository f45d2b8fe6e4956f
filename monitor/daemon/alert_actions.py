"""Reads and changes alerts, silences and acknowledgements for the HTTP listener and Slack's buttons."""

from collections.abc import Awaitable, Callable
from dataclasses import field
from functools import partial
from itertools import chain
from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.dispatch.dispatcher import Dispatcher, SuppressionEdits
from monitor.dispatch.status import Alerts, AlertStatus, StatusSnapshot, taking_snapshot
from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack, acknowledge
from monitor.routing.silences import Silence, ended, extended, make_room, replaced
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import ChangedMeanwhile, NothingThere, StoreBusy, StoreError

MOST_CHANGES_WAITING: Final = 50
"""The most changes that wait for the one before them."""

MOST_EXPLANATIONS_WAITING: Final = 50
"""The most explanations that wait for the one before them, whoever asks for them."""


@dataclass(frozen=True, slots=True)
class AlertActions:
    """One daemon's alerts. Methods that change something raise StoreError and then change nothing."""

    pipeline: Pipeline
    _one: trio.Lock = field(default_factory=trio.Lock)

    async def status(self) -> StatusSnapshot:
        """Returns the current status of alerts, groups and silences, also of the accounts that other daemons hold. It is worked out in pieces."""
        elsewhere = self.pipeline.elsewhere
        if not elsewhere.accounts:
            return await self.own_status()
        shown = self.pipeline.dispatcher.shown_with(elsewhere.groups, elsewhere.acks)
        return await self._snapshot(shown, chain(self.pipeline.alerts(), elsewhere.alerts()))

    async def own_status(self) -> StatusSnapshot:
        """Returns the status of what this daemon itself decides on."""
        return await self._snapshot(self.pipeline.dispatcher, self.pipeline.alerts())

    async def _snapshot(self, dispatcher: Dispatcher, alerts: Alerts) -> StatusSnapshot:
        services = self.pipeline.services
        well = not services.health.stuck()
        return await services.pieces.do(taking_snapshot(dispatcher, alerts, services.clock.now(), well=well))

    async def explained(
        self, fingerprint: str, snapshot: Callable[[], Awaitable[StatusSnapshot]] | None = None
    ) -> AlertStatus | None:
        """Returns an alert with what explains it, worked out in pieces; None if there is none. See `StatusSnapshot.find`.

        ``snapshot`` returns the present status, if the caller has one; it is called when no window can change any more. One alert is explained
        at a time. Raises StoreBusy if too many wait already.
        """
        explaining = self.pipeline.explaining
        if explaining.statistics().tasks_waiting >= MOST_EXPLANATIONS_WAITING:
            raise StoreBusy("too many ask for what explains an alert; try again in a few seconds")
        async with explaining, self.pipeline.windows:
            status = await (self.status() if snapshot is None else snapshot())
            pieces = self.pipeline.services.pieces
            own = await pieces.do(status.naming(fingerprint))
            if own is None or not self._is_held(own):
                return None if own is None else status.find(own)
            return await pieces.do(status.explaining(own))

    def _is_held(self, fingerprint: str) -> bool:
        """Returns whether the messages are here that explain the alert of which this is the own fingerprint."""
        return all(alert.fingerprint != fingerprint for alert in self.pipeline.elsewhere.every_alert())

    async def put_silence(self, silence: Silence) -> None:
        """Adds a silence, or replaces the one with its id. Raises ValueError if too many exist."""

        def edits() -> SuppressionEdits:
            known = self.pipeline.dispatcher.silences.all()
            return SuppressionEdits(silences=[silence], dropped_silences=make_room(known, silence, self._now()))

        await self._flush(edits)

    async def change_silence(self, silence_id: str, wanted: Silence, seen: Instant | None = None) -> Silence:
        """Replaces a silence by ``wanted``, which has an id of its own, in one commit; returns the silence that is there afterwards.

        It is the same one, or another one, at whose beginning the old one ends: see `monitor.routing.silences.replaced`. ``seen`` is the
        ``updated_at`` of the silence that was looked at. Raises NothingThere; ChangedMeanwhile if ``seen`` is given and the silence has been
        changed since, or has ended; ValueError if too many exist.
        """
        made: list[Silence] = []

        def edits() -> SuppressionEdits:
            before, now = self._known(silence_id), self._now()
            if seen is not None:
                _check_unchanged(before, seen, now)
            made.extend(replaced(before, wanted, now))
            changed = {one.id: one for one in made}
            others = [one for one in self.pipeline.dispatcher.silences.all() if one.id not in changed]
            dropped = make_room([*others, *made], made[0], now)
            return SuppressionEdits([one for one in made if one.id not in dropped], dropped)

        await self._flush(edits)
        return made[0]

    async def expire_silence(self, silence_id: str) -> None:
        """Ends a silence now; an expired one stays unchanged. Raises NothingThere."""
        await self._flush(lambda: SuppressionEdits(silences=self._expired(silence_id)))

    async def extend_silence(self, silence_id: str, by: Duration) -> None:
        """Moves the end of a silence. Raises NothingThere, and ValueError if it has expired."""
        await self._flush(lambda: SuppressionEdits(silences=[self._extended(silence_id, by)]))

    async def acknowledge(self, fingerprint: str, by: str, comment: str = "", until: Instant | None = None) -> Ack:
        """Acknowledges a firing alert, replacing an earlier acknowledgement. Raises NothingThere, and ValueError for invalid input."""
        made: list[Ack] = []

        def edit(alert: Alert | None, _: Ack | None) -> SuppressionEdits:
            if alert is None or alert.state != "firing":
                raise NothingThere(f"no alert {fingerprint} fires")
            made.append(acknowledge(alert, by, comment, self._now(), until))
            return SuppressionEdits(acks=made)

        await self._alone(partial(self.pipeline.edit_alert, fingerprint, edit))
        return made[0]

    async def unacknowledge(self, fingerprint: str) -> None:
        """Removes an acknowledgement. Raises NothingThere."""

        def edit(_: Alert | None, ack: Ack | None) -> SuppressionEdits:
            if ack is None:
                raise NothingThere(f"there is no acknowledgement of an alert {fingerprint}")
            return SuppressionEdits(dropped_acks=[fingerprint])

        await self._alone(partial(self.pipeline.edit_alert, fingerprint, edit))

    async def _flush(self, edits: Callable[[], SuppressionEdits]) -> None:
        await self._alone(partial(self.pipeline.flush, edits))

    async def _alone(self, change: Callable[[], Awaitable[None]]) -> None:
        if self._one.statistics().tasks_waiting >= MOST_CHANGES_WAITING:
            raise StoreError("too many changes wait for the store; try again in a second")
        async with self._one:
            await change()

    def _now(self) -> Instant:
        return self.pipeline.services.clock.now()

    def _expired(self, silence_id: str) -> list[Silence]:
        known, now = self._known(silence_id), self._now()
        return [] if known.state(now) == "expired" else [ended(known, now)]

    def _extended(self, silence_id: str, by: Duration) -> Silence:
        return extended(self._known(silence_id), by, self._now())

    def _known(self, silence_id: str) -> Silence:
        known = self.pipeline.dispatcher.silences.get(silence_id)
        if known is None:
            raise NothingThere(f"there is no silence {silence_id}")
        return known


def _check_unchanged(silence: Silence, seen: Instant, now: Instant) -> None:
    if silence.state(now) == "expired":
        raise ChangedMeanwhile("this silence has ended meanwhile: make a new one")
    if silence.updated_at != seen:
        raise ChangedMeanwhile("somebody has changed this silence meanwhile: load it again, and then change it")
