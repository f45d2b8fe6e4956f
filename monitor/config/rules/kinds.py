"""Every kind of rule. A new one is its model, in a file of its own, and one word here."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, ValidationInfo

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
from monitor.config.rules.slo import Slo
from monitor.config.rules.spike import Spike
from monitor.config.rules.stuck import Stuck
from monitor.config.yaml import MISSING, FieldProblem, NestedProblems, kind_of, nearest, notes_of, suggest

AnyRule = Annotated[
    Rate | Count | Spike | Latency | Stuck | Absence | NewValue | Cost | Distinct | Slo | Campaign | Balance,
    Field(discriminator="kind"),
]

LATER: Final = {"shift": "spike with measure: rate comes nearest to it"}
"""Kinds that are planned, and what to do meanwhile."""


MODELS: Final[dict[str, type[Rule]]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(AnyRule)[0])
}
"""The model of each kind."""


def _with_known_kind(data: object, info: ValidationInfo) -> object:
    """The rule as it is if its kind is known. Otherwise everything that is wrong with it as far as can be told: an unknown kind hides nothing."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(data, dict) or (isinstance(kind, str) and kind in MODELS):
        return data
    model, written = _likeliest(kind, data)
    try:
        model.model_validate(written, context=info.context)
        others: list[FieldProblem] = []
    except ValidationError as error:
        others = list(notes_of(error, written))
    raise NestedProblems([FieldProblem(("kind",), _wrong_kind(kind)), *others, *_unknown_to_all(kind, data, written)])


def _likeliest(kind: object, data: dict[str, Any]) -> tuple[type[Rule], dict[str, Any]]:
    """What an unknown kind is checked against: the kind that was probably meant with all keys, else what all rules share."""
    if isinstance(kind, str) and kind not in LATER and (meant := nearest(kind, MODELS)):
        return MODELS[meant], data | {"kind": meant}
    return Rule, {key: value for key, value in data.items() if key in Rule.keys()} | {"kind": "?"}  # noqa: SIM118 - a class is no mapping


def _unknown_to_all(kind: object, data: dict[str, Any], checked: dict[str, Any]) -> Iterator[FieldProblem]:
    """Keys that were not checked and that no kind has. Those of a planned kind cannot be judged."""
    known = list(dict.fromkeys(key for model in MODELS.values() for key in model.keys()))  # noqa: SIM118 - a class is no mapping
    planned = isinstance(kind, str) and kind in LATER
    for key in data:
        if key not in checked and key not in known and not planned:
            yield FieldProblem((key,), f"unknown key{suggest(key, known)}", at_key=True)


def _wrong_kind(kind: object) -> str:
    if kind is None:
        return f"{MISSING}: write one of {', '.join(MODELS)}"
    if not isinstance(kind, str):
        return f"should be one of {', '.join(MODELS)}, not {kind_of(kind)}"
    if kind in LATER:
        return f"{kind!r} is planned, but not supported in this version of routee-monitor; {LATER[kind]}"
    meant = nearest(kind, MODELS)
    return f"{kind!r} is not one of {', '.join(MODELS)}" + (f"; did you mean {meant!r}?" if meant else "")


RULE: Final[TypeAdapter[AnyRule]] = TypeAdapter(Annotated[AnyRule, BeforeValidator(_with_known_kind)])
"""Reads one rule."""


def rule_of(data: dict[str, Any]) -> AnyRule:
    """The rule that stands in a file as ``data``: ``{"name": …, "kind": "rate", "window": "15m", "above": "20%"}``. Raises ValueError."""
    return RULE.validate_python(data)
