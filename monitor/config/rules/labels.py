"""Labels and annotations: mappings of names to texts."""

import re
from typing import Annotated, Final

from pydantic import PlainValidator, WithJsonSchema

from monitor.config.yaml import FieldProblem, NestedProblems
from monitor.config.yaml.scalar import Fraction, Whole
from monitor.config.yaml.types import LABEL

RESERVED: Final = ("alertname", "severity", "account", "search")
"""Labels that every alert gets by itself."""


def parse_pairs(data: object) -> dict[str, str]:
    """Returns names and texts; numbers keep their written form. Raises NestedProblems with every wrong pair."""
    if not isinstance(data, dict):
        raise ValueError("should be a mapping of names to texts, like {team: sms}")
    notes: list[FieldProblem] = []
    pairs: dict[str, str] = {}
    for name, value in data.items():
        text = _text(value)
        if not re.fullmatch(LABEL, name):
            notes.append(
                FieldProblem(
                    (name,), "a name here has letters, digits and _ and begins with a letter or _", at_key=True
                )
            )
        elif text is None:
            notes.append(FieldProblem((name,), "should be text (in quotes, if it reads as true, false or null)"))
        else:
            pairs[name] = text
    if notes:
        raise NestedProblems(notes)
    return pairs


def _text(value: object) -> str | None:
    if isinstance(value, Whole | Fraction):
        return value.text
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


Pairs = Annotated[
    dict[str, str],
    PlainValidator(parse_pairs),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{LABEL}$"},
            "additionalProperties": {"type": ["string", "number"]},
        }
    ),
]
