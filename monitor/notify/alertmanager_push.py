"""Alertmanagers as receivers: they are told the state as it is and again every minute, as Prometheus does, not notification by notification.

Grouping, silencing and repeating are then theirs. Nothing has to be written down for it: an alert that they hear no more of ends by
itself, four minutes later at the soonest, and after a restart they hear of whatever fires.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import trio

from monitor.dispatch.status import FiringAlert
from monitor.model.notification import AlertView
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent
from monitor.notify.outbox.handle import DeliveryObserver, Outbox
from monitor.notify.render.alertmanager_payload import posted
from monitor.runtime.backoff import Jitter, backoff
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import MINUTE, Clock, Duration, Instant
from monitor.runtime.throttled_log import ThrottledLog

AGAIN_EVERY: Final[Duration] = MINUTE
"""How often everything is told again."""
TOLD_OVER_FOR: Final[Duration] = 15 * MINUTE
"""How long it is said again of an alert that it is over."""

Key = tuple[str, str]
"""An alert's fingerprint and its severity: who knows alerts by their labels takes another severity for another alert."""
log = logging.getLogger("monitor")


class Client(Protocol):
    """Where alerts are posted."""

    async def post(self, alerts: list[dict[str, Any]]) -> Outcome:
        """Hand them over."""


@dataclass(slots=True)
class _Known:
    """An alert as it was last shown, and when it was over (None: it fires)."""

    view: AlertView
    over_at: Instant | None = None


@dataclass(slots=True)
class KnownAlerts:
    """What Alertmanagers know, and what they are told next. ``interval``: how often the rule of an alert is judged."""

    interval: Callable[[AlertView], Duration]
    external_url: str = ""
    _known: dict[Key, _Known] = field(default_factory=dict)
    _untold: set[Key] = field(default_factory=set)

    def take(self, firing: Mapping[Key, FiringAlert], now: Instant) -> None:
        """Note what fires now. What is silenced, inhibited or muted is told only if it was told before."""
        for key, known in self._known.items():
            if key not in firing and known.over_at is None:
                known.over_at = now
                self._untold.add(key)
        for key, alert in firing.items():
            present = self._known.get(key)
            if (present is None or present.over_at is not None) and not alert.is_quiet:
                self._known[key] = _Known(alert.view())
                self._untold.add(key)

    def wanted(self, firing: Mapping[Key, FiringAlert], *, everything: bool) -> Iterator[FiringAlert]:
        """What of it they are told now: what they know nothing of, and with ``everything`` also what they know."""
        for key, alert in firing.items():
            present = self._known.get(key)
            is_known = present is not None and present.over_at is None
            if everything if is_known else not alert.is_quiet:
                yield alert

    @property
    def has_news(self) -> bool:
        """Whether something began or ended that was not told yet."""
        return bool(self._untold)

    def news(self, now: Instant) -> list[dict[str, Any]]:
        """What began or ended since it was last told."""
        return [self._entry(self._known[key], now) for key in self._untold]

    def everything(self, firing: Mapping[Key, FiringAlert], now: Instant) -> list[dict[str, Any]]:
        """All that fires, with its present numbers, and what was over a short time ago."""
        for key, known in list(self._known.items()):
            if known.over_at is None:
                known.view = firing[key].view() if key in firing else known.view
            elif key not in self._untold and now - known.over_at > TOLD_OVER_FOR:
                del self._known[key]
        return [self._entry(known, now) for known in self._known.values()]

    def told(self) -> None:
        """They took what they were given."""
        self._untold.clear()

    def _entry(self, known: _Known, now: Instant) -> dict[str, Any]:
        # What was over "in the future", by a clock that has been set back since, is over now.
        ends_at = now + 4 * max(self.interval(known.view), MINUTE) if known.over_at is None else min(known.over_at, now)
        return posted(known.view, known.view.labels, ends_at, self.external_url)


@dataclass(slots=True)
class Pusher:
    """Keeps the Alertmanagers of one receiver's entry up to date. ``outbox`` and ``observer`` hear how it goes, as they do of deliveries."""

    name: tuple[str, str]
    client: Client
    known_alerts: KnownAlerts
    firing: Callable[[], Iterable[FiringAlert]]
    clock: Clock
    jitter: Jitter
    observer: DeliveryObserver
    outbox: Outbox
    _told_at: Instant | None = None
    _failures: int = 0

    async def run(self, news: Callable[[], trio.Event]) -> None:
        """For as long as it runs. ``news`` gives an event that is set once alerts may have changed."""
        trouble = ThrottledLog(log, f"receiver {self.name[0]}: its Alertmanagers", self.clock, logging.WARNING)
        while True:
            changed = news()
            wait = await self._push_once(trouble)
            if self._failures:
                await self.clock.sleep(wait)
            else:
                await self.outbox.rest(changed, self.clock, wait)

    async def _push_once(self, trouble: ThrottledLog) -> Duration:
        """Tell what there is to tell; how long to wait until the next turn."""
        firing = {(alert.fingerprint, alert.severity): alert for alert in self.firing()}
        now = self.clock.now()
        everything = self._told_at is None or not 0 <= now - self._told_at < AGAIN_EVERY
        async for alert in with_checkpoints(self.known_alerts.wanted(firing, everything=everything)):
            alert.view()  # made here, so that what follows finds it made
        self.known_alerts.take(firing, now)
        if not everything and not self.known_alerts.has_news:
            return AGAIN_EVERY - (now - self._told_at if self._told_at is not None else 0)
        alerts = self.known_alerts.everything(firing, now) if everything else self.known_alerts.news(now)
        # At the start, and after a failure, also where nothing is left to tell: only an answer shows that they take anything.
        if alerts or self._told_at is None or self._failures:
            outcome = await self._post(alerts)
            if not isinstance(outcome, Sent):
                return self._failed(outcome, trouble)
            self._succeeded(trouble)
        self._told_at = now if everything else self._told_at
        return max(AGAIN_EVERY - (self.clock.now() - (self._told_at or now)), 0)

    async def _post(self, alerts: list[dict[str, Any]]) -> Outcome:
        began = trio.current_time()
        outcome = await self.client.post(alerts)
        word: Literal["sent", "retry"] = "sent" if isinstance(outcome, Sent) else "retry"
        self.observer.notification(*self.name, word, trio.current_time() - began)
        return outcome

    def _failed(self, outcome: Retry | Rejected, trouble: ThrottledLog) -> Duration:
        self._failures += 1
        self.outbox.failed(self.name, outcome.why, self.clock.now(), refused=isinstance(outcome, Rejected))
        trouble.arose(outcome.why)
        asked = outcome.after if isinstance(outcome, Retry) else None
        return min(max(asked or 0, backoff(self._failures, self.jitter)), AGAIN_EVERY)

    def _succeeded(self, trouble: ThrottledLog) -> None:
        self._failures = 0
        self.outbox.took(self.name)
        self.known_alerts.told()
        trouble.over()
