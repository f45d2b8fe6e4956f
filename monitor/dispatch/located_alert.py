"""An alert of an incident, with where its excess lies."""

import logging
from typing import Final

import msgspec

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.excess_location import ExcessLocation, Place, location_of, scope_of, usual_value
from monitor.alerts.view import Views
from monitor.config.rules.incident import IncidentGrouping
from monitor.model.alert import Alert
from monitor.model.message import UNKNOWN
from monitor.runtime.dataclass import dataclass

UNLOCATED: Final = "where the excess of alert %s lies cannot be worked out"
"""What is logged of an alert whose messages cannot be counted, with its rule."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LocationBudget:
    """How many more alerts may have their messages looked at."""

    left: int

    def spend(self) -> bool:
        """Takes one away. Returns false if there was none left."""
        self.left -= 1
        return self.left >= 0


class LocatedAlert(msgspec.Struct, eq=False, gc=False):
    """An alert that is, or may come, into an incident. ``views`` and ``context`` are what it is shown by."""

    alert: Alert
    views: Views
    context: ViewContext
    is_located: bool = True
    """Whether its messages are looked at; else its labels must do."""
    budget: LocationBudget | None = None
    """Looks at its messages only if this allows it."""
    _found: ExcessLocation | None = None
    _is_looked_up: bool = False

    @property
    def location(self) -> ExcessLocation | None:
        """Where its excess lies; None if that is not known. It is worked out once."""
        if not self._is_looked_up:
            self._found = self._located()
            self._is_looked_up = True
        return self._found

    def _located(self) -> ExcessLocation | None:
        if not self.is_located or (self.budget is not None and not self.budget.spend()):
            return None
        return location_of(self.views.evaluator, self.alert, self.context)

    @property
    def scope(self) -> dict[str, str]:
        """Which messages its group has."""
        return scope_of(self.alert.group)

    @property
    def grouping(self) -> IncidentGrouping | None:
        """How its rule's alerts are grouped in incidents."""
        rule = self.views.evaluator.rules.get(self.alert.rule)
        return None if rule is None else rule.incident

    def share_in(self, place: Place) -> float:
        """Returns which part of its excess lies in a place; 0 if that is not known, or cannot be worked out."""
        try:
            return 0.0 if self.location is None else self.location.share_in(place)
        except Exception:  # the labels of an alert whose messages cannot be counted must do
            log.exception(UNLOCATED, self.alert.rule)
            self.by_labels_alone()
            return 0.0

    def usual_value(self, name: str) -> tuple[str, float]:
        """Returns the value of a field that most messages of its group have, and their share; UNKNOWN if that is not known."""
        if not self.is_located:
            return UNKNOWN, 0.0
        return usual_value(self.views.evaluator, self.alert, self.context, name)

    def by_labels_alone(self) -> None:
        """Looks at its messages no more."""
        self.is_located = False
        self._found, self._is_looked_up = None, False
