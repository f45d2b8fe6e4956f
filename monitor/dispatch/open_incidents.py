"""The incidents that take up alerts, found by family and place, so that ten thousand of them are not compared one by one."""

from dataclasses import field
from itertools import islice
from typing import Final

from monitor.dispatch.located_alert import LocatedAlert
from monitor.model.incident import IncidentScope, merged
from monitor.runtime.dataclass import dataclass

MOST_COMPARED: Final = 100
"""The most incidents of one family whose messages are compared with those of an alert: the first that were added."""

_Family = tuple[str, str]
"""An account and the name of a family."""


@dataclass(slots=True)
class OpenIncident:
    """An incident that takes up alerts: its scope, and those of its alerts that fire."""

    scope: IncidentScope
    members: list[LocatedAlert] = field(default_factory=list)


class OpenIncidents:
    """All incidents that take up alerts."""

    def __init__(self) -> None:
        self._by_id: dict[str, OpenIncident] = {}
        self._by_value: dict[tuple[_Family, str, str], dict[str, OpenIncident]] = {}
        self._by_fields: dict[_Family, dict[frozenset[str], dict[str, OpenIncident]]] = {}

    def add(self, scope: IncidentScope, member: LocatedAlert | None = None) -> None:
        """Adds what one of its alerts, or its group, shows of an incident."""
        found = self._by_id.setdefault(scope.id, OpenIncident(scope))
        found.scope = merged([found.scope, scope])
        found.members += [] if member is None else [member]
        family, place = (scope.account, scope.family), found.scope.place
        for name, value in place.items():
            self._by_value.setdefault((family, name, value), {})[scope.id] = found
        fields = frozenset() if found.scope.everywhere else frozenset(place)
        self._by_fields.setdefault(family, {}).setdefault(fields, {})[scope.id] = found

    def candidates(self, scope: IncidentScope) -> list[OpenIncident]:
        """Returns the incidents that an alert of that scope may join: those of a place of other fields, or of a value in common."""
        family, found = (scope.account, scope.family), dict[str, OpenIncident]()
        for name, value in scope.place.items():
            found |= self._by_value.get((family, name, value), {})
        for fields, incidents in self._by_fields.get(family, {}).items():
            if fields.isdisjoint(scope.place):
                found |= dict(islice(incidents.items(), MOST_COMPARED))
        return list(found.values())
