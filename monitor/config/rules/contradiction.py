"""Conditions that no message can meet together: a slip, since a rule that rests on them never sees anything."""

from collections.abc import Iterable

from monitor.config.rules.match import Condition

_SEVERAL = "groups"
"""A message has several of these, so that one may meet one condition and another the next."""


def contradiction(conditions: Iterable[Condition]) -> str | None:
    """Why no message can meet all of them, where that is so."""
    by_field: dict[str, list[Condition]] = {}
    for condition in conditions:
        if condition.field != _SEVERAL:
            by_field.setdefault(condition.field, []).append(condition)
    for field, own in by_field.items():
        named = [value for condition in own if condition.operator == "is" for value in condition.values]
        if named and not any(all(one.matches({field: value}) for one in own) for value in named):
            said = " and ".join(dict.fromkeys(str(one).removeprefix(f"{field} ") for one in own))
            return f"no message can match: {field} would have to be at the same time: {said}"
    return None
