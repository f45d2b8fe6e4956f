"""Scores any detector's alerts against the truth: what was found and how soon, what was cried for nothing, how many notifications there were.

It knows nothing of detectors. An incident counts as provable if it holds at least twice the evidence that an optimal test needs that knows
both probabilities (Lorden 1971: ln(N) / KL messages at N messages to a false alarm).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.detection.incidents import BLIP, Incident
from benchmarks.detection.traffic import MINUTE

AFTERWARDS: Final = 30 * MINUTE
"""An alert that begins so soon after an incident of its scope is no false alarm."""
STILL_FOUND: Final = 5 * MINUTE
"""An incident counts as found if the alert fires before its end, or so soon after."""
TOGETHER: Final = 30 * MINUTE
"""An alert joins the notification about its country until so long after that ended."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing alert: its labels, and when it was pending, firing and resolved (seconds). The first two are the times of polls."""

    rule: str
    labels: dict[str, int]
    pending: float
    firing: float
    resolved: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one incident.

    ``minutes`` is from its start until it fired, ``bound`` until the poll at which an optimal test would have had its evidence, without any
    ``for``. ``ratio`` compares the messages until the alarm with those until then.
    """

    kind: str
    size: str
    provable: bool
    found: bool
    minutes: float = np.nan
    bound: float = np.nan
    messages: float = np.nan
    ratio: float = np.nan
    notifications: int = 0
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """One week's score. ``false`` has the first alert of each notification that nothing explains."""

    seed: int
    outcomes: list[Outcome]
    false: list[Alert]


def size_of(incident: Incident) -> str:
    """Small: under 2 messages of evidence a minute; large: 20 and more."""
    return "small" if incident.size < 2 else "medium" if incident.size < 20 else "large"


def explains(incident: Incident, alert: Alert) -> bool:
    """Whether the alert can be about the incident: no label contradicts its scope, and it began when it could."""
    agrees = all(incident.scope[label] == value for label, value in alert.labels.items() if label in incident.scope)
    return agrees and incident.start <= alert.pending <= incident.end + AFTERWARDS


def notifications(alerts: Iterable[Alert], *, merged: bool) -> list[list[Alert]]:
    """Alerts by notification, in the order of firing. ``merged``: those of one country that follow each other share one."""
    told: list[list[Alert]] = []
    for alert in sorted(alerts, key=lambda each: each.firing):
        open_ones = (each for each in reversed(told) if merged and _joins(each, alert))
        found = next(open_ones, None)
        if found is None:
            told.append([alert])
        else:
            found.append(alert)
    return told


def _joins(told: Sequence[Alert], alert: Alert) -> bool:
    country = alert.labels.get("country")
    same = any(country is None or each.labels.get("country") in (None, country) for each in told)
    return same and alert.firing <= max(each.resolved for each in told) + TOGETHER


def score(
    seed: int, incidents: Sequence[Incident], alerts: Sequence[Alert], *, merged: bool, every: int = 30
) -> Scored:
    """The score of a week whose polls come each ``every`` seconds."""
    told = notifications(alerts, merged=merged)
    false = [group[0] for group in told if not any(explains(one, alert) for one in incidents for alert in group)]
    return Scored(seed, [_outcome(one, alerts, told, every) for one in incidents], false)


def _outcome(one: Incident, alerts: Sequence[Alert], told: list[list[Alert]], every: int) -> Outcome:
    mine = sorted((each for each in alerts if explains(one, each)), key=lambda each: each.firing)
    provable = one.kind != BLIP and one.provable
    if not mine or (mine[0].firing > one.end + STILL_FOUND and one.kind != BLIP):
        return Outcome(one.kind, size_of(one), provable, found=False)
    first = mine[0]
    began = min(each.pending for each in mine if each is first or each.firing <= one.end + STILL_FOUND)
    messages = max(one.seen_by(began), 1)
    possible = float(np.ceil(one.bound_at / every) * every) if np.isfinite(one.bound_at) else np.inf
    bound = one.seen_by(possible) if np.isfinite(possible) else 0
    return Outcome(
        kind=one.kind,
        size=size_of(one),
        provable=provable,
        found=True,
        minutes=(first.firing - one.start) / MINUTE,
        bound=(possible - one.start) / MINUTE,
        messages=messages,
        ratio=messages / bound if bound else np.nan,
        notifications=sum(any(alert in mine for alert in group) for group in told),
        rule=first.rule,
    )
