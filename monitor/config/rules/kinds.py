"""The models of all kinds of rules, by their ``kind`` key. A new kind must be listed here."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Final, Union, get_args

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticKnownError

from monitor.config.rules.absence import Absence
from monitor.config.rules.balance import Balance
from monitor.config.rules.campaign import Campaign
from monitor.config.rules.cost import Cost
from monitor.config.rules.count import Count
from monitor.config.rules.distinct import Distinct
from monitor.config.rules.latency import Latency
from monitor.config.rules.model import Rule
from monitor.config.rules.new_value import NewValue
from monitor.config.rules.rate import Rate
from monitor.config.rules.shift import Shift
from monitor.config.rules.slo import Slo
from monitor.config.rules.spike import Spike
from monitor.config.rules.stuck import Stuck
from monitor.config.yaml import MISSING, FieldProblem, NestedProblems, kind_of, nearest, notes_of, suggest
from monitor.runtime.described_schema import DescribedSchema

MODELS: Final[dict[str, type[Rule]]] = {}
"""The model of each kind."""


def add_model(model: type[Rule]) -> None:
    """Registers a kind. Raises TypeError if its model lacks what each kind must define, or if another model has its name."""
    kind = name_of(model)
    if MODELS.get(kind, model) is not model:
        raise TypeError(f"two models are of the kind {kind!r}: {MODELS[kind].__name__} and {model.__name__}")
    for said in ("reach", "measured_against"):
        if getattr(model, said) is getattr(Rule, said):
            raise TypeError(f"{model.__name__} does not say {said!r}; see the docstring of Rule.{said}")
    MODELS[kind] = model


def remove_model(model: type[Rule]) -> None:
    """Removes a kind."""
    del MODELS[name_of(model)]


def name_of(model: type[Rule]) -> str:
    """Returns the value of ``kind`` in files. Raises TypeError if the model does not define exactly one."""
    names: tuple[str, ...] = get_args(model.model_fields["kind"].annotation)
    if len(names) != 1:
        raise TypeError(f'{model.__name__} does not name its kind; write kind: Literal["name"]')
    return names[0]


for _model in (Rate, Count, Spike, Latency, Stuck, Absence, NewValue, Cost, Distinct, Shift, Slo, Campaign, Balance):
    add_model(_model)


def _read(data: object, info: ValidationInfo) -> Rule:
    """Returns the rule. Raises NestedProblems; an unknown kind does not hide other problems."""
    if isinstance(data, Rule):
        return data
    if not isinstance(data, dict):
        raise PydanticKnownError("dict_type")
    kind = data.get("kind")
    if isinstance(kind, str) and kind in MODELS:
        return _validated(MODELS[kind], data, info)
    model, written = _likeliest(kind, data)
    others: tuple[FieldProblem, ...] = ()
    try:
        _validated(model, written, info)
    except NestedProblems as error:
        others = error.notes
    raise NestedProblems([FieldProblem(("kind",), _wrong_kind(kind)), *others, *_unknown_to_all(data, written)])


def _validated(model: type[Rule], data: object, info: ValidationInfo) -> Rule:
    try:
        return model.model_validate(data, context=info.context)
    except ValidationError as error:
        notes = notes_of(error, data)
        raise NestedProblems(_of_another_kind(note, model) for note in notes) from None


def _of_another_kind(note: FieldProblem, model: type[Rule]) -> FieldProblem:
    """Returns the problem; of an unknown key that other kinds have, one that says which keys this kind has."""
    key = note.path[0] if len(note.path) == 1 else None
    if not note.message.startswith("unknown key") or key not in _every_key(tuple(MODELS.values())):
        return note
    own = ", ".join(name for name in model.keys() if name not in Rule.keys())  # noqa: SIM118 - a class is no mapping
    return replace(note, message=f"kind {name_of(model)} has no such key; it has {own}, and what all rules have")


def _likeliest(kind: object, data: dict[str, Any]) -> tuple[type[Rule], dict[str, Any]]:
    """Returns what to check a rule of unknown kind against: all keys of the most similar kind, else only the keys that all rules share."""
    if isinstance(kind, str) and (meant := nearest(kind, MODELS)):
        return MODELS[meant], data | {"kind": meant}
    return Rule, {key: value for key, value in data.items() if key in Rule.keys()} | {"kind": "?"}  # noqa: SIM118 - a class is no mapping


def _unknown_to_all(data: dict[str, Any], checked: dict[str, Any]) -> Iterator[FieldProblem]:
    """Yields the unchecked keys that no kind has."""
    known = _every_key(tuple(MODELS.values()))
    for key in data:
        if key not in checked and key not in known:
            yield FieldProblem((key,), f"unknown key{suggest(key, known)}", at_key=True)


@lru_cache(maxsize=1)  # a file may have many rules of unknown kinds
def _every_key(models: tuple[type[Rule], ...]) -> tuple[str, ...]:
    """Returns the keys of all kinds."""
    return tuple(dict.fromkeys(key for model in models for key in model.keys()))  # noqa: SIM118 - a class is no mapping


def _wrong_kind(kind: object) -> str:
    if kind is None:
        return f"{MISSING}: write one of {', '.join(MODELS)}"
    if not isinstance(kind, str):
        return f"should be one of {', '.join(MODELS)}, not {kind_of(kind)}"
    meant = nearest(kind, MODELS)
    return f"{kind!r} is not one of {', '.join(MODELS)}" + (f"; did you mean {meant!r}?" if meant else "")


RULE: Final[TypeAdapter[Rule]] = TypeAdapter(Annotated[Any, PlainValidator(_read)])
"""Reads one rule."""


def json_schema() -> dict[str, Any]:
    """Returns the JSON schema of one rule, with that of each kind in ``$defs``."""
    of_any_kind: Any = Union[tuple(MODELS.values())]  # noqa: UP007 - the kinds are known only when this runs
    return TypeAdapter(Annotated[of_any_kind, Field(discriminator="kind")]).json_schema(
        schema_generator=DescribedSchema
    )


def rule_of(data: dict[str, Any]) -> Rule:
    """Returns the rule in the data of a file: ``{"name": …, "kind": "rate", "window": "15m", "above": "20%"}``. Raises ValueError."""
    return RULE.validate_python(data)
