"""Every kind of rule. A new one is its model, in a file of its own, and one word here."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, TypeAdapter

from monitor.rules.absence import Absence
from monitor.rules.balance import Balance
from monitor.rules.campaign import Campaign
from monitor.rules.cost import Cost
from monitor.rules.count import Count
from monitor.rules.distinct import Distinct
from monitor.rules.latency import Latency
from monitor.rules.new_value import NewValue
from monitor.rules.rate import Rate
from monitor.rules.slo import Slo
from monitor.rules.spike import Spike
from monitor.rules.stuck import Stuck
from monitor.written import Misplaced, Note

AnyRule = Annotated[
    Rate | Count | Spike | Latency | Stuck | Absence | NewValue | Cost | Distinct | Slo | Campaign | Balance,
    Field(discriminator="kind"),
]

LATER: Final = {"shift": "spike with measure: rate comes nearest to it"}
"""Kinds that are planned, and what to do meanwhile."""


def _not_later(data: object) -> object:
    kind = data.get("kind") if isinstance(data, dict) else None
    if isinstance(kind, str) and kind in LATER:
        said = f"{kind!r} is planned, but not supported in this version of routee-monitor; {LATER[kind]}"
        raise Misplaced([Note(("kind",), said)])
    return data


RULE: Final[TypeAdapter[AnyRule]] = TypeAdapter(Annotated[AnyRule, BeforeValidator(_not_later)])
"""Reads one rule."""


def rule_of(data: dict[str, Any]) -> AnyRule:
    """The rule that stands in a file as ``data``: ``{"name": …, "kind": "rate", "window": "15m", "above": "20%"}``. Raises ValueError."""
    return RULE.validate_python(data)
