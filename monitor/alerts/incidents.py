"""Builds incidents from transitions: what happened to each alert from its beginning to its end. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.model.alert import Because, Transition
from monitor.runtime.clock import Instant


@dataclass(slots=True)
class Incident:
    """One life of one alert; ``events`` are in the order of time. A time is None if that has not happened, or is not known.

    ``account`` is empty if older versions stored all of its events: then its group is not known either.
    """

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
        """Returns whether it fired, even if its beginning is no longer known."""
        return any(one.what not in ("pending", "dropped") for one in self.events)

    @property
    def incident(self) -> str:
        """Returns the id of the incident of several alerts that it was of; empty if it was of none."""
        return next((one.about.incident for one in self.events if one.about is not None and one.about.incident), "")


def incidents(transitions: Iterable[Transition]) -> list[Incident]:
    """Returns the incidents of these transitions, the latest first. The transitions must be in the order of time."""
    found: list[Incident] = []
    open_ones: dict[str, Incident] = {}
    for one in transitions:
        incident = open_ones.get(one.fingerprint)
        if incident is None or one.what == "pending" or (one.what == "fired" and incident.firing_at is not None):
            incident = Incident(one.fingerprint, one.rule, "", ())
            open_ones[one.fingerprint] = incident
            found.append(incident)
        _take(incident, one)
        if incident.ended_at is not None:
            del open_ones[one.fingerprint]
    return sorted(found, key=lambda incident: incident.began_at, reverse=True)


def _take(incident: Incident, one: Transition) -> None:
    incident.events.append(one)
    if one.about is not None and not incident.account:  # older versions stored transitions without it
        incident.account, incident.group = one.about.account, one.about.group
    if one.what == "pending":
        incident.pending_at = one.at
    elif one.what == "fired":
        incident.firing_at = one.at
    elif one.what in ("resolved", "dropped"):
        incident.ended_at, incident.because = one.at, one.because
