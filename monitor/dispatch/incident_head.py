"""Finds the alert that names an incident: the smallest scope that explains the excess."""

import logging
from typing import Final

from monitor.dispatch.located_alert import LocatedAlert
from monitor.model.incident import IncidentScope
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.pieces import Work, ordered

EXPLAINS: Final = 0.8
"""A scope explains an incident if it holds this part of the excess of the widest alert."""
MOST_COMPARED: Final = 50
"""The most alerts that are compared; they are the worst ones."""
MOST_TRIED: Final = 3
"""The most alerts that are tried as the widest, if the excess of the first cannot be located."""


log = logging.getLogger(__name__)


def finding_head(worst_first: list[LocatedAlert], incident: IncidentScope) -> Work[str]:
    """Returns, in pieces, the fingerprint of the alert that names an incident; if the messages cannot be counted, of the worst."""
    try:
        return (yield from _narrowest(worst_first, incident))
    except Exception:  # an incident whose messages cannot be counted is notified all the same
        log.exception("what names the incident %s cannot be worked out", incident.id)
        return worst_first[0].alert.fingerprint


def _narrowest(worst_first: list[LocatedAlert], incident: IncidentScope) -> Work[str]:
    """Returns the fingerprint of the narrowest alert that holds nearly all of the widest one's excess; of those alike, the worst.

    Of an incident in one place only the excess there counts: that of all messages may have other causes too.
    """
    if not worst_first:
        return ""
    widest_first = yield from ordered(worst_first, lambda one: (len(one.scope), -one.alert.messages), AT_ONCE)
    yield
    located = (one.location for one in widest_first[:MOST_TRIED])
    widest = next((location for location in located if location is not None), None)
    if len(worst_first) == 1 or widest is None:
        return worst_first[0].alert.fingerprint
    place = {} if incident.everywhere else incident.place
    best: tuple[int, int] | None = None
    head = worst_first[0].alert
    for one in [*worst_first[:MOST_COMPARED], widest_first[0]]:
        yield
        if widest.share_in(one.scope, place) >= EXPLAINS:
            size = widest.traffic_in(one.scope), -len(one.scope)
            if best is None or size < best:
                best, head = size, one.alert
    return head.fingerprint
