"""Every kind of rule. A new one is its model, in a file of its own, and one word here."""

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from monitor.rules.count import Count
from monitor.rules.rate import Rate
from monitor.rules.spike import Spike

AnyRule = Annotated[Rate | Count | Spike, Field(discriminator="kind")]

RULE: Final[TypeAdapter[Rate | Count | Spike]] = TypeAdapter(AnyRule)
"""Reads one rule."""


def rule_of(data: dict[str, Any]) -> Rate | Count | Spike:
    """The rule that stands in a file as ``data``: ``{"name": …, "kind": "rate", "window": "15m", "above": "20%"}``. Raises ValueError."""
    return RULE.validate_python(data)
