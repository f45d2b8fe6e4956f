"""The incidents of the demo, and when they happen. Times are those of the demo's clock."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from monitor.runtime.clock import MINUTE, Duration
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class DemoIncident:
    """An incident of the local Routee: it begins ``wait`` after the one before it began, and lasts for ``lasts``; two texts announce its begin
    and its end.
    """

    wait: Duration
    kind: str
    lasts: Duration
    begins: str
    ends: str
    what: Mapping[str, Any] = field(default_factory=dict)


OUTAGE: Final = DemoIncident(
    5 * MINUTE,
    "operator_outage",
    16 * MINUTE,
    "Cosmote, in Greece, starts failing: 9 of 10 messages to it are lost.",
    "Cosmote works again. Watch the share fall; the alert ends once it has been good for 10 minutes.",
    {"operator": "Cosmote"},
)
FILTER: Final = DemoIncident(
    17 * MINUTE,
    "carrier_filter",
    8 * MINUTE,
    "Carriers everywhere filter what Shop sends. Too little to show in any operator's share …",
    "The filter is gone.",
    {"sender": "Shop"},
)
CAMPAIGN: Final = DemoIncident(
    45 * MINUTE,
    "failing_campaign",
    15 * MINUTE,
    "A campaign goes out to a list that somebody bought.",
    "The campaign is over.",
)
BARRED: Final = DemoIncident(
    75 * MINUTE,
    "detailed_status",
    8 * MINUTE,
    "TIM, in Italy, bars calls and messages of many subscribers.",
    "TIM lifts the bar.",
    {"operator": "TIM", "detail": "Call Barred"},
)

STORY: Final = (OUTAGE, FILTER)
"""The incidents that are shown once."""
FURTHER: Final = (CAMPAIGN, BARRED, OUTAGE, FILTER)
"""The incidents that are then repeated if the demo runs forever."""
