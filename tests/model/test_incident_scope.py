"""The scope of an incident does not depend on the order in which its alerts are known."""

from itertools import permutations

from monitor.model.incident import IncidentScope, merged
from monitor.runtime.clock import MINUTE


def test_the_scopes_of_alerts_give_the_same_incident_in_any_order() -> None:
    campaign, greece, italy, nowhere = (
        IncidentScope("i", "main", "", MINUTE, place)
        for place in ({"campaign": "Sale"}, {"country": "GR"}, {"country": "IT"}, {})
    )
    for some in permutations([campaign, greece, italy, nowhere]):
        assert merged(some) == campaign
    for some in permutations([greece, italy, nowhere]):
        assert merged(some) == greece
