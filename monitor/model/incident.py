"""Incidents: alerts of several rules that fire for one cause."""

from collections.abc import Iterable
from typing import Final

import msgspec

from monitor.runtime.clock import MINUTE, Duration, Instant

QUIET: Final[Duration] = 30 * MINUTE
"""How long after its end an incident takes up a new alert of the same scope, which opens another one after that."""


class IncidentScope(msgspec.Struct, frozen=True, gc=False):
    """Which incident an alert belongs to, and which part of the account it shows to be concerned.

    ``family`` is the name of the rules' incidents; ``place`` the values of the fields that tell incidents apart, as far as the alert has
    one value in them. ``everywhere``: nearly all values of these fields are concerned. ``began_at`` is when the incident's first alert fired.
    """

    id: str
    account: str
    family: str
    began_at: Instant
    place: dict[str, str] = {}
    everywhere: bool = False


def merged(scopes: Iterable[IncidentScope]) -> IncidentScope:
    """The scope of an incident by those of its alerts, of which there is at least one, in whatever order. One place that is known stands for all: of
    those that were found at the same time a campaign before a country, and the first by name."""
    known = list(scopes)
    first, placed, everywhere = known[0], None, False
    for one in known:  # thousands in a storm: without a call for each
        everywhere = everywhere or one.everywhere
        if (one.began_at, not one.place) < (first.began_at, not first.place):
            first = one
        if not one.place:
            continue
        if (
            placed is None
            or one.began_at < placed.began_at
            or (one.began_at == placed.began_at and f"{one.place}" < f"{placed.place}")
        ):
            placed = one
    place = {} if placed is None else placed.place
    return msgspec.structs.replace(first, place=place, everywhere=everywhere)
