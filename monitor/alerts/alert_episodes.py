"""Builds the episodes of alerts from transitions: what happened to each alert from its beginning to its end. Pure.

An incident is something else: alerts of several rules for one cause (`monitor.model.incident`).

An alert that the store lost has no end. Its episode ends, with ``end_not_seen``, where its group's next alert begins, or where the daemon says so
(`monitor.daemon.unseen_ends`).
"""

from collections.abc import Iterable
from dataclasses import field

import msgspec

from monitor.model.alert import Because, Transition, What
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass


@dataclass(slots=True)
class AlertEpisode:
    """One alert from its beginning to its end; ``events`` are in the order of time. A time is None if that has not happened, or is not known.

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
        """Returns the id of the incident that it was part of; empty if it was part of none."""
        return next((one.about.incident for one in self.events if one.about is not None and one.about.incident), "")


def alert_episodes(transitions: Iterable[Transition]) -> list[AlertEpisode]:
    """Returns the episodes of these transitions, the latest first. The transitions must be in the order of time."""
    found: list[AlertEpisode] = []
    open_ones: dict[str, AlertEpisode] = {}
    for one in transitions:
        episode = open_ones.get(one.fingerprint)
        if one.because == "end_not_seen" and (episode is None or one.at < episode.began_at):
            continue  # another daemon said so too, or the alert has begun again meanwhile
        begins = one.what == "pending" or (
            one.what == "fired" and episode is not None and episode.firing_at is not None
        )
        if episode is not None and begins:
            _take(episode, end_not_seen(episode.events[-1], one.at))
        if episode is None or begins:
            episode = AlertEpisode(one.fingerprint, one.rule, "", ())
            open_ones[one.fingerprint] = episode
            found.append(episode)
        _take(episode, one)
        if episode.ended_at is not None:
            del open_ones[one.fingerprint]
    return sorted(found, key=lambda episode: episode.began_at, reverse=True)


def end_not_seen(last: Transition, at: Instant) -> Transition:
    """Returns the end of an episode whose alert is lost, after the ``last`` that is known of it."""
    about = None if last.about is None else msgspec.structs.replace(last.about, by="", comment="")
    what: What = "dropped" if about is not None and not about.level else "resolved"
    return msgspec.structs.replace(last, at=at, what=what, because="end_not_seen", about=about)


def _take(episode: AlertEpisode, one: Transition) -> None:
    episode.events.append(one)
    if one.about is not None and not episode.account:  # older versions stored transitions without it
        episode.account, episode.group = one.about.account, one.about.group
    if one.what == "pending":
        episode.pending_at = one.at
    elif one.what == "fired":
        episode.firing_at = one.at
    elif one.what in ("resolved", "dropped"):
        episode.ended_at, episode.because = one.at, one.because
