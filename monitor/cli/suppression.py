"""Finds out whether alerts are silenced, inhibited, muted or acknowledged: from the running daemon, or else from the store."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    from monitor.config.monitor import Config
    from monitor.model.notification import AlertView
    from monitor.store.protocol import StoredState


@dataclass(frozen=True, slots=True)
class SuppressionState:
    """Why an alert is not sent now, or is not repeated. ``receivers`` are its receivers, empty if they are unknown."""

    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    acknowledged_by: str = ""
    acknowledged_comment: str = ""
    receivers: tuple[str, ...] = field(default=(), compare=False)
    suppressed: bool = False

    @property
    def is_suppressed(self) -> bool:
        """Whether nobody is notified of it now."""
        return self.suppressed or bool(self.silenced_by or self.inhibited_by)

    @property
    def words(self) -> str:
        """The reasons in words, for the end of the alert's sentence; empty if nothing suppresses it."""
        found = {"silenced": self.silenced_by, "inhibited": self.inhibited_by, "muted": self.muted_by}
        words = [word for word, by in found.items() if by]
        comment = f": {self.acknowledged_comment}" if self.acknowledged_comment else ""
        words += [f"acknowledged by {self.acknowledged_by}{comment}"] if self.acknowledged_by else []
        return f" [{', '.join(words)}]" if words else ""


def held_of(
    config: "Config", url: str | None, kept: "StoredState", views: "Iterable[AlertView]"
) -> dict[str, SuppressionState]:
    """Returns the states by our fingerprints, from the daemon or else from the store.

    With ``url`` a daemon has to answer: raises NoAnswer, DaemonRefused and ListenError.
    """
    from monitor.cli.api_answers import AlertAnswer
    from monitor.cli.daemon_api import api_of

    views = list(views)
    try:
        said = api_of(config, url).get("/api/v2/alerts", list[AlertAnswer])
    except MonitorError:
        if url:
            raise
        return _as_stored(kept, views)
    return _as_said(said, views)


def _as_said(said: list[Any], views: "Iterable[AlertView]") -> dict[str, SuppressionState]:
    from monitor.model.label_fingerprint import label_fingerprint

    by_labels = {one.get("fingerprint"): one for one in said if isinstance(one, dict)}
    return {view.fingerprint: _held(by_labels.get(label_fingerprint(view.labels), {})) for view in views}


def _held(one: Mapping[str, Any]) -> SuppressionState:
    status = one.get("status", {})
    by = {name: tuple(map(str, status.get(f"{name}By", ()))) for name in ("silenced", "inhibited", "muted")}
    receivers = tuple(str(receiver.get("name")) for receiver in one.get("receivers", ()))
    by_whom, comment = str(one.get("acknowledgedBy", "")), str(one.get("acknowledgedComment", ""))
    suppressed = status.get("state") == "suppressed"
    return SuppressionState(by["silenced"], by["inhibited"], by["muted"], by_whom, comment, receivers, suppressed)


def _as_stored(kept: "StoredState", views: "Iterable[AlertView]") -> dict[str, SuppressionState]:
    from monitor.routing.silences import Silences
    from monitor.runtime.clock import SystemClock

    now, silences = SystemClock().now(), Silences(kept.silences)
    firing = {alert.fingerprint: alert for alert in kept.alerts if alert.state == "firing"}
    by = {
        ack.fingerprint: ack
        for ack in kept.acks
        if ack.fingerprint in firing and ack.holds(firing[ack.fingerprint], now)
    }
    return {
        view.fingerprint: SuppressionState(
            silences.silencing(view.labels, now) if view.fingerprint in firing else (),
            acknowledged_by=by[view.fingerprint].by if view.fingerprint in by else "",
            acknowledged_comment=by[view.fingerprint].comment if view.fingerprint in by else "",
        )
        for view in views
    }
