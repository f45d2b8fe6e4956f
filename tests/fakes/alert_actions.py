"""Alerts in memory for tests, with silences and acknowledgements that apply to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.dispatch.status import ENDS_SOON, AlertStatus, GroupStatus, SilenceStatus
from monitor.model.alert import State
from monitor.model.alert_names import NamedAlert, alert_named
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.silences import Silence, Silences, ended, extended, replaced
from monitor.runtime.clock import Clock, Duration, Instant, SystemClock
from monitor.runtime.errors import ChangedMeanwhile, NothingThere, StoreError


@dataclass
class FakeAlertActions:
    """Implements `AlertActions` in memory. ``views`` fire and go to the receiver ``ops``, with one group for each alert name.

    While ``broken``, every change raises StoreError. The object is its own snapshot.
    """

    views: list[AlertView] = field(default_factory=list)
    pending: list[AlertView] = field(default_factory=list)
    over: list[AlertView] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)
    kept: Silences = field(default_factory=Silences)
    inhibited: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, str, Instant | None]] = field(default_factory=dict)
    broken: bool = False

    async def status(self) -> "FakeAlertActions":
        return self

    def alerts(self) -> Iterator[AlertStatus]:
        yield from (self._standing(view, "firing") for view in self.views)
        yield from (self._standing(view, "pending") for view in self.pending)
        yield from (self._standing(view, "resolved") for view in self.over)

    def find(self, fingerprint: str, *, deep: bool = False) -> AlertStatus | None:
        found = {one.view.fingerprint: one for one in self.alerts()}
        named = alert_named(fingerprint, (_named(one.view) for one in found.values()))
        return None if named is None else found[named.own]

    async def explained(self, fingerprint: str, snapshot: object = None) -> AlertStatus | None:
        return self.find(fingerprint, deep=True)

    def groups(self) -> list[GroupStatus]:
        names = sorted({view.name for view in self.views})
        firing = [one for one in self.alerts() if one.state == "firing"]
        return [
            GroupStatus(
                "ops", f"{{}}:{name}", {"alertname": name}, tuple(one for one in firing if one.view.name == name)
            )
            for name in names
        ]

    def silences(self) -> list[SilenceStatus]:
        now = self.clock.now()
        return [
            SilenceStatus(
                one,
                one.state(now),
                sum(one in self.kept.candidates(view.labels) for view in self.views),
                one.is_active(now),
                ends_soon=one.ends_at - now <= ENDS_SOON,
            )
            for one in self.kept.all()
        ]

    async def put_silence(self, silence: Silence) -> None:
        self._check()
        self.kept.put(silence)

    async def change_silence(self, silence_id: str, wanted: Silence, seen: Instant | None = None) -> Silence:
        self._check()
        before, now = self._known(silence_id), self.clock.now()
        if seen is not None and (before.updated_at != seen or before.state(now) == "expired"):
            raise ChangedMeanwhile(f"{silence_id} has changed meanwhile")
        made = replaced(before, wanted, now)
        for one in made:
            self.kept.put(one)
        return made[0]

    async def expire_silence(self, silence_id: str) -> None:
        self._check()
        self.kept.put(ended(self._known(silence_id), self.clock.now()))

    async def extend_silence(self, silence_id: str, by: Duration) -> None:
        self._check()
        self.kept.put(extended(self._known(silence_id), by, self.clock.now()))

    async def acknowledge(self, fingerprint: str, by: str, comment: str = "", until: Instant | None = None) -> Ack:
        self._check()
        if fingerprint not in {view.fingerprint for view in self.views}:
            raise NothingThere(fingerprint)
        self.acknowledged[fingerprint] = (by, comment, until)
        return Ack(fingerprint, 0, by, comment, self.clock.now(), until)

    async def unacknowledge(self, fingerprint: str) -> None:
        self._check()
        if self.acknowledged.pop(fingerprint, None) is None:
            raise NothingThere(fingerprint)

    def _known(self, silence_id: str) -> Silence:
        known = self.kept.get(silence_id)
        if known is None:
            raise NothingThere(silence_id)
        return known

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the disk is full")

    def _standing(self, view: AlertView, state: State) -> AlertStatus:
        silenced = self.kept.silencing(view.labels, self.clock.now())
        source = self.inhibited.get(view.fingerprint)
        inhibited = () if source is None else (source,)
        return AlertStatus(view, state, ("ops",), silenced, inhibited, (), bool(silenced or inhibited), self._ack(view))

    def _ack(self, view: AlertView) -> Ack | None:
        if view.fingerprint not in self.acknowledged:
            return None
        by, comment, until = self.acknowledged[view.fingerprint]
        return Ack(view.fingerprint, 0, by, comment, self.clock.now(), until)


def _named(view: AlertView) -> NamedAlert:
    return NamedAlert(view.fingerprint, label_fingerprint(view.labels), view.labels)
