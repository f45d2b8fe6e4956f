"""Field types of the kinds that measure a share: the messages considered, their least number, the confidence."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from monitor.config.rules.match import MATCH, Condition, Match, parse_match
from monitor.config.rules.threshold import Share
from monitor.config.yaml import WholeNumber
from monitor.model.message import FINAL, STATUSES

Among = Literal["final", "all"] | Match


def parse_of(value: object) -> Among:
    """Parses ``final``, ``all`` or a match. Raises ValueError."""
    if value == "final":
        return "final"
    if value == "all":
        return "all"
    if isinstance(value, str):
        raise ValueError(f"{value!r} is not final, all, or a match like {{status: [Delivered, Failed]}}")
    return parse_match(value)


def _confidence(value: float) -> float:
    if not 0.5 <= value < 1:
        meant = f"; for {value * 100:g} of 1, write {value * 10_000:g}%" if 0.005 <= value < 0.01 else ""
        raise ValueError(f"a confidence is at least 50% and under 100%; 95% is usual{meant}")
    return value


def among(of: Among) -> tuple[Condition, ...]:
    """Returns what a message must meet to be in the denominator of a share."""
    if isinstance(of, Match):
        return of.conditions
    return (HAS_ENDED,) if of == "final" else ()


HAS_ENDED: Final = Condition("status", "is", tuple(status for status in STATUSES if status in FINAL))
Of = Annotated[
    Among, PlainValidator(parse_of), WithJsonSchema({"anyOf": [{"enum": ["final", "all"]}, {"$comment": MATCH}]})
]
"""The denominator of a share: messages with a final status, all, or those that match."""
Confidence = Annotated[Share, AfterValidator(_confidence)]
"""A confidence as a fraction."""
AtLeastOne = Annotated[WholeNumber, Field(ge=1)]
AtLeastNone = Annotated[WholeNumber, Field(ge=0)]
