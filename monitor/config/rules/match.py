"""Conditions on message fields: how people write them, and how they are checked against a message."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, get_args

from pydantic import PlainValidator, WithJsonSchema

from monitor.config.yaml import FieldProblem, NestedProblems, near_miss, suggest
from monitor.config.yaml.document import KeyPath
from monitor.config.yaml.scalar import Fraction, Whole
from monitor.model.message import FAILURES, FIELDS, GROUPS_SEPARATOR, STATUSES, UNKNOWN
from monitor.model.routee_query import Operator
from monitor.runtime.dataclass import dataclass

OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)

MATCH: Final = "match"
"""Marks a match in a schema; `monitor.cli.json_schema` replaces the mark by its schema."""

_SEVERAL: Final = "groups"
"""A message can have several groups, so one group may meet one condition and another group the next."""

Row = Mapping[str, str | tuple[str, ...]]
"""One message: its fields by the names of message.FIELDS. Groups are a tuple, or joined by GROUPS_SEPARATOR."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one field with values: any of them must match, or with ``is_not`` none. Case-sensitive."""

    field: str
    operator: Operator
    values: tuple[str, ...]

    def matches(self, row: Row) -> bool:
        """Returns whether a message meets the condition. Of several groups, one must match (``is_not``: none may)."""
        present = _values(row, self.field)
        if self.operator == "is_not":
            return not any(value in self.values for value in present)
        return any(self._one(value) for value in present)

    def _one(self, value: str) -> bool:
        if self.operator == "contains":
            return any(wanted in value for wanted in self.values)
        if self.operator == "starts_with":
            return value.startswith(self.values)
        if self.operator == "ends_with":
            return value.endswith(self.values)
        return value in self.values

    def __str__(self) -> str:
        return f"{self.field} {self.operator.replace('_', ' ')} {' or '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions that a message must all meet. Without conditions, every message matches."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, row: Row) -> bool:
        """Returns whether a message meets all conditions. The window's computation over columns must agree with this."""
        return all(condition.matches(row) for condition in self.conditions)

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions)) or "every message"


EVERYTHING: Final = Match()
FAILED: Final = Match((Condition("status", "is", tuple(status for status in STATUSES if status in FAILURES)),))
"""What a share of failures counts by default."""


def contradiction(conditions: Iterable[Condition]) -> str | None:
    """Returns why no message can meet all conditions; None if one can. Such a rule would never see a message."""
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


def _values(row: Row, field: str) -> tuple[str, ...]:
    value = row.get(field) or UNKNOWN
    if isinstance(value, str):
        return tuple(value.split(GROUPS_SEPARATOR)) if field == "groups" else (value,)
    return value


def parse_match(data: object) -> Match:
    """Parses ``{field: value}``, ``{field: [values]}`` or ``{field: {operator: value}}``. Raises NestedProblems or ValueError."""
    if isinstance(data, Match):
        return data
    if not isinstance(data, dict):
        raise ValueError("should be a mapping of fields to values, like {status: [Failed, Undelivered]}")
    if not data:
        raise ValueError("names no field; take it out to mean every message")
    notes: list[FieldProblem] = []
    conditions = tuple(_conditions(data, notes))
    if notes:
        raise NestedProblems(notes)
    return Match(conditions)


def _conditions(data: dict[str, Any], notes: list[FieldProblem]) -> Iterator[Condition]:
    for field, wanted in data.items():
        if field not in FIELDS:
            notes.append(
                FieldProblem((field,), f"messages have no field {field!r}{suggest(field, FIELDS)}", at_key=True)
            )
        elif isinstance(wanted, dict):
            yield from _operated(field, wanted, notes)
        else:
            yield Condition(field, "is", _wanted(field, "is", wanted, (field,), notes))


def _operated(field: str, wanted: dict[str, Any], notes: list[FieldProblem]) -> Iterator[Condition]:
    if not wanted:
        notes.append(FieldProblem((field,), f"needs an operator: {', '.join(OPERATORS)}"))
    for name, value in wanted.items():
        operator = next((known for known in OPERATORS if known == name), None)
        if operator is None:
            notes.append(FieldProblem((field, name), f"unknown operator{suggest(name, OPERATORS)}", at_key=True))
        else:
            yield Condition(field, operator, _wanted(field, operator, value, (field, name), notes))


def _wanted(
    field: str, operator: Operator, value: object, path: tuple[str, ...], notes: list[FieldProblem]
) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        notes.append(FieldProblem(path, "the list is empty, so nothing can match; write at least one value"))
    words: list[str] = []
    for index, item in enumerate(items):
        where: KeyPath = (*path, index) if isinstance(value, list) else path
        word = _word(item)
        if word is None:
            notes.append(
                FieldProblem(where, "should be text (in quotes, if it reads as true, false or null) or a list of texts")
            )
        elif problem_text := _slip(field, operator, word):
            notes.append(FieldProblem(where, problem_text))
        else:
            words.append(word)
    return tuple(dict.fromkeys(words))


def _word(item: object) -> str | None:
    if isinstance(item, Whole | Fraction):
        return item.text
    if isinstance(item, str):
        return item or None
    return str(item) if isinstance(item, int | float) and not isinstance(item, bool) else None


def _slip(field: str, operator: Operator, word: str) -> str | None:
    """Returns what is wrong with a misspelt status or direction. Accepts a completely unknown one, because it may be new."""
    known = {"status": STATUSES, "direction": ("Inbound", "Outbound")}.get(field, ())
    if operator in ("is", "is_not") and word != UNKNOWN and (meant := near_miss(word, known)):
        return f"{word!r} is not a {field}; did you mean {meant!r}? (letter case counts)"
    return None


MatchField = Annotated[Match, PlainValidator(parse_match), WithJsonSchema({"$comment": MATCH})]
"""A match as a field of a rule."""
