"""Incidents: what happened to each alert from its beginning to its end, put together from transitions. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.model.alert import Because, Transition
from monitor.runtime.clock import Instant


@dataclass(slots=True)
class Incident:
    """One life of one alert; ``events`` in the order of time. A time is None where that has not happened."""

    fingerprint: str
    rule: str
    account: str
    group: tuple[tuple[str, str], ...]
    events: list[Transition] = field(default_factory=list)
    pending_at: Instant | None = None
    firing_at: Instant | None = None
    ended_at: Instant | None = None
    because: Because | None = None

    @property
    def began_at(self) -> Instant:
        """Returns when its first known event happened."""
        return self.events[0].at

    @property
    def fired(self) -> bool:
        """Whether it fired, also where the beginning is not known any more."""
        return any(one.what not in ("pending", "dropped") for one in self.events)


def incidents(transitions: Iterable[Transition]) -> list[Incident]:
    """The incidents of these transitions, which are in the order of time; those that began last come first."""
    found: list[Incident] = []
    open_ones: dict[str, Incident] = {}
    for one in transitions:
        incident = open_ones.get(one.fingerprint)
        if incident is None or one.what == "pending" or (one.what == "fired" and incident.firing_at is not None):
            about = one.about
            incident = Incident(one.fingerprint, one.rule, about.account if about else "", about.group if about else ())
            open_ones[one.fingerprint] = incident
            found.append(incident)
        _take(incident, one)
        if incident.ended_at is not None:
            del open_ones[one.fingerprint]
    return sorted(found, key=lambda incident: incident.began_at, reverse=True)


def _take(incident: Incident, one: Transition) -> None:
    incident.events.append(one)
    if one.what == "pending":
        incident.pending_at = one.at
    elif one.what == "fired":
        incident.firing_at = one.at
    elif one.what in ("resolved", "dropped"):
        incident.ended_at, incident.because = one.at, one.because
