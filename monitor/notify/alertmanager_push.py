"""Pushes alerts to Alertmanagers: all firing alerts, repeated every minute, as Prometheus does, rather than single notifications.

Alertmanager then groups, silences and repeats. Nothing needs to be stored: an alert that is no longer posted ends by itself after four minutes or
more, and after a restart everything that fires is posted again.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal, Protocol

import trio

from monitor.dispatch.status import FiringAlert
from monitor.model.notification import AlertView
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent
from monitor.notify.outbox.handle import DeliveryObserver, Outbox
from monitor.notify.render.alertmanager_payload import posted
from monitor.runtime.backoff import Jitter, backoff
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.throttled_log import ThrottledLog

AGAIN_EVERY: Final[Duration] = MINUTE
"""How often all alerts are posted again."""
RESOLVED_POSTED_FOR: Final[Duration] = 15 * MINUTE
"""How long the end of an alert is posted again."""

Key = tuple[str, str]
"""An alert's fingerprint and severity. Systems that identify alerts by their labels treat another severity as another alert."""
log = logging.getLogger("monitor")


class Client(Protocol):
    """The client that posts alerts."""

    async def post(self, alerts: list[dict[str, Any]]) -> Outcome:
        """Posts the alerts."""


@dataclass(slots=True)
class _Known:
    """An alert as it was last shown, and when it ended (None while it fires).

    ``since`` says since when its account was held (`AccountGate.since`): it says nothing of another time.
    """

    view: AlertView
    account: str = ""
    since: int | None = 0
    over_at: Instant | None = None
    ends_at: Instant = 0
    """When it ends at Alertmanager by itself, if no more is posted; 0: it was not posted."""


def _labels(known: _Known) -> frozenset[tuple[str, str]]:
    return frozenset(known.view.labels.items())


@dataclass(slots=True)
class KnownAlerts:
    """The alerts that Alertmanagers know, and what to post next. ``interval`` returns how often the rule of an alert is evaluated."""

    interval: Callable[[AlertView], Duration]
    external_url: str = ""
    _known: dict[Key, _Known] = field(default_factory=dict)
    _unposted: set[Key] = field(default_factory=set)

    def forget_others(self, since: Callable[[str], int | None]) -> None:
        """Forgets, without an end, the alerts of accounts that are not held since the same time as when they became known.

        ``since`` says since when an account is held. Another daemon that holds it posts them and their end; and where it came back, what fires
        may not be read yet.
        """
        for key in [key for key, known in self._known.items() if since(known.account) != known.since]:
            del self._known[key]
            self._unposted.discard(key)

    def take(
        self, firing: Mapping[Key, FiringAlert], now: Instant, since: Callable[[str], int | None] = lambda account: 0
    ) -> None:
        """Records what fires now. Silenced, inhibited and muted alerts are added only if they were posted before.

        What is to be forgotten (`forget_others`) is forgotten first.
        """
        self.forget_others(since)
        for key, known in self._known.items():
            if key not in firing and known.over_at is None:
                known.over_at = now
                self._unposted.add(key)
        for key, alert in firing.items():
            present = self._known.get(key)
            if (present is None or present.over_at is not None) and not alert.is_quiet:
                self._known[key] = _Known(alert.view(), alert.account, since(alert.account))
                self._unposted.add(key)

    def wanted(self, firing: Mapping[Key, FiringAlert], *, everything: bool) -> Iterator[FiringAlert]:
        """Yields the alerts to post now: those that are unknown and not quiet, and with ``everything`` also the known ones."""
        for key, alert in firing.items():
            present = self._known.get(key)
            is_known = present is not None and present.over_at is None
            if everything if is_known else not alert.is_quiet:
                yield alert

    @property
    def has_news(self) -> bool:
        """Whether an alert began or ended that has not been posted yet."""
        return bool(self._unposted)

    def ending(self, now: Instant) -> set[str]:
        """Returns the accounts of alerts whose end is to be posted, now or when they end.

        An end that could not be posted yet is, as long as the alert has not ended at Alertmanager by itself.
        """
        return {known.account for key, known in self._known.items() if self._is_to_end(key, known, now)}

    def _is_to_end(self, key: Key, known: _Known, now: Instant) -> bool:
        if known.over_at is None or now - known.over_at <= RESOLVED_POSTED_FOR:
            return True
        return key in self._unposted and now < known.ends_at

    def news(self, now: Instant) -> list[dict[str, Any]]:
        """Returns the alerts that began or ended since the last successful post."""
        return self._entries([self._known[key] for key in self._unposted], now)

    def everything(self, firing: Mapping[Key, FiringAlert], now: Instant) -> list[dict[str, Any]]:
        """Returns all firing alerts with their present numbers, and those that ended within `RESOLVED_POSTED_FOR`."""
        for key, known in list(self._known.items()):
            if known.over_at is None:
                known.view = firing[key].view() if key in firing else known.view
            elif key not in self._unposted and now - known.over_at > RESOLVED_POSTED_FOR:
                del self._known[key]
        return self._entries(list(self._known.values()), now)

    def mark_posted(self) -> None:
        """Marks everything as posted."""
        self._unposted.clear()

    def _entries(self, chosen: Sequence[_Known], now: Instant) -> list[dict[str, Any]]:
        """Leaves out what is over where another alert fires with the same labels, as after an account got another name."""
        over = {_labels(known) for known in chosen if known.over_at is not None}
        firing = {_labels(known) for known in self._known.values() if known.over_at is None} if over else set()
        return [self._entry(one, now) for one in chosen if one.over_at is None or _labels(one) not in firing]

    def _entry(self, known: _Known, now: Instant) -> dict[str, Any]:
        # An end in the future means that the clock was set back: the alert ends now.
        ends_at = now + 4 * max(self.interval(known.view), MINUTE) if known.over_at is None else min(known.over_at, now)
        if known.over_at is None:
            known.ends_at = ends_at
        return posted(known.view, known.view.labels, ends_at, self.external_url)


@dataclass(slots=True)
class Pusher:
    """Keeps the Alertmanagers of one receiver's entry up to date. ``outbox`` and ``observer`` get the results, as for other channels."""

    name: tuple[str, str]
    client: Client
    known_alerts: KnownAlerts
    firing: Callable[[], Awaitable[Iterable[FiringAlert]]]
    clock: Clock
    jitter: Jitter
    observer: DeliveryObserver
    outbox: Outbox
    _all_posted_at: Instant | None = None
    _failures: int = 0

    async def run(self, news: Callable[[], trio.Event]) -> None:
        """Pushes until cancelled. ``news`` returns an event that is set when alerts may have changed."""
        trouble = ThrottledLog(log, f"receiver {self.name[0]}: its Alertmanagers", self.clock, logging.WARNING)
        self.outbox.ends(self.name, self.known_alerts.ending)
        while True:
            changed = news()
            wait = await self._push_once(trouble)
            if self._failures:
                await self.clock.sleep(wait)
            else:
                await self.outbox.rest(self.clock, wait, changed)

    async def _push_once(self, trouble: ThrottledLog) -> Duration:
        """Posts what is due; returns how long to wait before the next push."""
        gate = self.outbox.gate
        if not gate.is_open(""):
            return SECOND
        holding = gate.holding
        self.known_alerts.forget_others(gate.since)
        now_firing = with_checkpoints(await self.firing())
        firing = {(one.fingerprint, one.severity): one async for one in now_firing}
        now = self.clock.now()
        everything = self._all_posted_at is None or not 0 <= now - self._all_posted_at < AGAIN_EVERY
        async for alert in with_checkpoints(self.known_alerts.wanted(firing, everything=everything)):
            alert.view()  # rendered here, where others get a turn; later calls reuse it
        # From here to the post nothing is waited for: what is held and what is posted are of one moment.
        if not gate.is_open(""):
            return SECOND
        firing = {key: one for key, one in firing.items() if _is_held(gate.since(one.account), holding)}
        self.known_alerts.take(firing, now, gate.since)
        if not everything and not self.known_alerts.has_news:
            return AGAIN_EVERY - (now - self._all_posted_at if self._all_posted_at is not None else 0)
        alerts = self.known_alerts.everything(firing, now) if everything else self.known_alerts.news(now)
        # At the start and after a failure, an empty list is posted too: only an answer shows that they accept anything.
        if alerts or self._all_posted_at is None or self._failures:
            outcome = await self._post(alerts)
            if outcome is None:
                return SECOND
            if not isinstance(outcome, Sent):
                return self._failed(outcome, trouble)
            self._succeeded(trouble)
        self._all_posted_at = now if everything else self._all_posted_at
        return max(AGAIN_EVERY - (self.clock.now() - (self._all_posted_at or now)), 0)

    async def _post(self, alerts: list[dict[str, Any]]) -> Outcome | None:
        """Posts the alerts; None if this daemon may not any more, whatever came of it."""
        began, outcomes = trio.current_time(), list[Outcome]()
        with self.outbox.gate.sending(""):
            outcomes.append(await self.client.post(alerts))
        if not outcomes:
            return None
        [outcome] = outcomes
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
        self.outbox.accepted(self.name)
        self.known_alerts.mark_posted()
        trouble.over()


def _is_held(since: int | None, holding: int) -> bool:
    """Returns whether an account has been held without a break since the gate's number was ``holding``."""
    return since is not None and since <= holding
