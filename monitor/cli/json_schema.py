"""Makes JSON Schemas of the files that users write, so that an editor completes and checks them."""

from typing import Any, Final

from monitor.config.monitor import CHANNEL_MODELS, Config
from monitor.config.rules import OPERATORS
from monitor.config.rules.kinds import json_schema
from monitor.config.rules.match import MATCH
from monitor.config.yaml.types import PERIOD
from monitor.model.message import FIELDS
from monitor.runtime.clock import format_duration, iso
from monitor.runtime.described_schema import DescribedSchema
from monitor.simulation.ruletest.model import RuleTests

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
"""Allows a text with an environment variable instead of any other scalar."""
_OUTER: Final = ("description", "default")

_WANTED: Final[Schema] = {
    "anyOf": [
        {"type": ["string", "number"]},
        {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1},
    ]
}
_OPERATED: Final[Schema] = {
    "type": "object",
    "properties": {operator: {"$ref": "#/$defs/Wanted"} for operator in OPERATORS},
    "additionalProperties": False,
    "minProperties": 1,
}
_MATCH: Final[Schema] = {
    "type": "object",
    "description": "Conditions on fields of messages; all of them must be met.",
    "properties": {field: {"anyOf": [{"$ref": "#/$defs/Wanted"}, _OPERATED]} for field in FIELDS},
    "additionalProperties": False,
    "minProperties": 1,
}


def config_schema() -> Schema:
    """Returns the schema of ``monitor.yaml``."""
    schema = _finished(_with_channels(Config.model_json_schema(schema_generator=DescribedSchema)))
    schema["required"] = ["accounts"]  # a route may be left out if there is one receiver, and likewise for other keys
    schema["$defs"]["Search"]["required"] = ["name"]
    schema["$defs"]["RootRoute"]["required"] = []
    for model in CHANNEL_MODELS.values():
        schema["$defs"][model.__name__] |= model.further_schema
    web = schema["properties"]["web"]
    schema["properties"]["web"] = {
        "description": web["description"],
        "anyOf": [_ref("Web"), {"enum": ["off", False, None]}],
    }
    return schema | {"title": "routee-monitor: configuration"}


def _with_channels(schema: Schema) -> Schema:
    """Adds a list for each kind of channel to the schema of a receiver."""
    channels = {}
    for kind, model in CHANNEL_MODELS.items():
        made = model.model_json_schema(schema_generator=DescribedSchema)
        schema["$defs"] |= made.pop("$defs", {}) | {model.__name__: made}
        channels[kind] = {"description": model.listed, "items": _ref(model.__name__), "type": "array"}
    receiver = schema["$defs"]["Receiver"]
    receiver["properties"] = {"name": receiver["properties"]["name"]} | channels
    return schema | {"$defs": dict(sorted(schema["$defs"].items()))}


def rules_schema() -> Schema:
    """Returns the schema of rule files."""
    rule = json_schema()
    definitions = rule.pop("$defs")
    schema: Schema = {
        "type": "object",
        "properties": {"rules": {"type": "array", "items": rule, "description": "The rules."}},
        "required": ["rules"],
        "additionalProperties": False,
        "$defs": definitions,
    }
    schema = _finished(schema)
    schema["$defs"] |= {"Match": _MATCH, "Wanted": _WANTED}
    return schema | {"title": "routee-monitor: rules"}


def rule_tests_schema() -> Schema:
    """Returns the schema of files of rule tests."""
    schema = _finished(RuleTests.model_json_schema(schema_generator=DescribedSchema))
    then = schema["$defs"]["Series"]["properties"]["then"]
    then["anyOf"] = [_ref("Report"), {"type": then.pop("type"), "items": then.pop("items")}]
    return schema | {"title": "routee-monitor: rule tests"}


def _finished(schema: Schema) -> Schema:
    for definition in (schema, *schema["$defs"].values()):
        _without_use(definition)
        _secrets_from_files(definition)
        _one_threshold(definition)
        definition["properties"] = {key: _entry(value) for key, value in definition["properties"].items()}
    return {"$schema": _DRAFT} | schema


def _without_use(definition: Schema) -> None:
    """Removes keys that a kind shares with others but does not use."""
    known = definition["properties"]
    definition["properties"] = {key: value for key, value in known.items() if value.get("type") != "null"}


def _secrets_from_files(definition: Schema) -> None:
    """Allows a required secret to be given by its file."""
    required, known = definition.get("required", []), definition["properties"]
    twins = [key for key in required if f"{key}_file" in known]
    definition["required"] = [key for key in required if key not in twins]
    if twins:
        definition["allOf"] = [{"oneOf": [{"required": [key]}, {"required": [f"{key}_file"]}]} for key in twins]


def _one_threshold(definition: Schema) -> None:
    """Requires exactly one of the ways to write a threshold."""
    ways = [key for key in ("above", "below", "lasts_below", "levels") if key in definition["properties"]]
    if len(ways) > 1:
        definition["oneOf"] = [{"required": [key]} for key in ways]


def _entry(schema: Schema) -> Schema:
    """Returns the schema of one key as users write it: without null, and with variables in place of scalars."""
    outer: Schema = {key: schema[key] for key in _OUTER if key in schema}
    inner = {key: value for key, value in schema.items() if key not in (*_OUTER, "title")}
    if "default" in outer:
        outer |= _default(outer.pop("default"), inner)
    return outer | _value(inner)


def _default(default: object, schema: Schema) -> Schema:
    if isinstance(default, int) and _is_duration(schema):
        return {"default": format_duration(default)}
    if isinstance(default, int) and schema.get("format") == "date-time":
        return {"default": iso(default)}
    return {"default": default} if isinstance(default, str | int | float) else {}


def _is_duration(schema: Schema) -> bool:
    choices = schema.get("anyOf", [schema])
    return any(choice.get("pattern") == f"^{PERIOD}$" for choice in choices)


def _value(schema: Schema) -> Schema:
    if schema.get("$comment") == MATCH:
        return _ref("Match")
    if "anyOf" in schema:
        choices = [_value(choice) for choice in schema["anyOf"] if choice != {"type": "null"}]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if "items" in schema:
        return schema | {"items": _value(schema["items"])}
    if schema.get("type") in ("integer", "number", "boolean") or "enum" in schema or "pattern" in schema:
        return {"anyOf": [schema, _VARIABLE]}
    return schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
