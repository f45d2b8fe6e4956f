"""A board in memory: alerts that a test puts there, silences that silence them."""

from dataclasses import dataclass, field, replace

import msgspec

from monitor.board import Standing, Together
from monitor.clock import Clock, Instant, SystemClock
from monitor.errors import StoreError
from monitor.notification import AlertView
from monitor.silence import Silence, Silences


@dataclass
class FakeBoard:
    """``views`` fire and go to the receiver ``ops``, in one group an alert's name. While ``broken`` nothing can be changed."""

    views: list[AlertView] = field(default_factory=list)
    pending: list[AlertView] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)
    kept: Silences = field(default_factory=Silences)
    inhibited: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, str, Instant | None]] = field(default_factory=dict)
    broken: bool = False

    def now(self) -> Instant:
        return self.clock.now()

    def receivers(self) -> list[str]:
        return ["ops", "oncall"]

    def alerts(self) -> list[Standing]:
        return [self._standing(view) for view in self.views] + [
            replace(self._standing(view), pending=True) for view in self.pending
        ]

    def groups(self) -> list[Together]:
        names = sorted({view.name for view in self.views})
        return [
            Together("ops", {"alertname": name}, tuple(one for one in self.alerts() if one.view.name == name))
            for name in names
        ]

    def silences(self) -> tuple[Silence, ...]:
        return self.kept.all()

    async def put_silence(self, silence: Silence) -> None:
        self._check()
        self.kept.put(silence)

    async def expire_silence(self, silence_id: str) -> None:
        self._check()
        silence = self.kept.get(silence_id)
        if silence is None:
            raise KeyError(silence_id)
        self.kept.put(msgspec.structs.replace(silence, ends_at=self.now(), updated_at=self.now()))

    async def acknowledge(self, fingerprint: str, by: str, comment: str, until: Instant | None) -> None:
        self._check()
        if fingerprint not in {view.fingerprint for view in self.views}:
            raise KeyError(fingerprint)
        self.acknowledged[fingerprint] = (by, comment, until)

    async def unacknowledge(self, fingerprint: str) -> None:
        self._check()
        del self.acknowledged[fingerprint]

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the disk is full")

    def _standing(self, view: AlertView) -> Standing:
        silenced = self.kept.silencing(view.labels, self.now())
        source = self.inhibited.get(view.fingerprint)
        return Standing(view.fingerprint, view, False, ("ops",), silenced, () if source is None else (source,))
