"""Writes validation errors in plain English."""

import re
from collections.abc import Callable
from typing import Any, Final

from pydantic_core import ErrorDetails

from monitor.config.yaml.words import suggest
from monitor.runtime.environment_values import beginning

MISSING: Final = "is missing"


def kind_of(value: object) -> str:
    """Returns the kind of a value in the words of someone who writes YAML."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def sentence(error: ErrorDetails) -> str:
    """Returns what is wrong and what would be right. Quotes a value only if words or numbers are expected, so never a secret."""
    if wording := _SENTENCES.get(error["type"]):
        return wording(error.get("ctx", {}), error["input"])
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:] if message.startswith(("Input ", "Value ")) else message


def _choice(ctx: dict[str, Any], value: object) -> str:
    known = re.findall(r"'([^']*)'", str(ctx.get("expected", "")))
    if isinstance(value, str):
        return f"{value!r} is not one of {', '.join(known)}{_guess(value, known)}"
    return f"should be one of {', '.join(known)}, not {kind_of(value)}"


def _guess(value: str, known: list[str]) -> str:
    found = suggest(value, known)
    return found if "did you mean" in found else ""


def _kind(ctx: dict[str, Any], value: object) -> str:
    known = re.findall(r"'([^']*)'", str(ctx.get("expected_tags", "")))
    tag = str(ctx.get("tag", ""))
    return f"{tag!r} is not one of {', '.join(known)}{_guess(tag, known)}"


def _should_be(what: str) -> Callable[[dict[str, Any], object], str]:
    return lambda _, value: f"should be {what}, not {_shown(value)}"


def _shown(value: object) -> str:
    return f"the text {beginning(value, 40)}" if isinstance(value, str) else kind_of(value)


def _at_least(ctx: dict[str, Any], value: object) -> str:
    return f"is {value}, but must be at least {ctx['ge']:g}"


def _text(_: dict[str, Any], value: object) -> str:
    quote = "; put it in quotes" if isinstance(value, bool | int | float) else ""
    return f"should be text, not {kind_of(value)}{quote}"


_LIST = _should_be("a list (- item)")
_MAPPING = _should_be("a mapping (key: value)")
_WHOLE = _should_be("a whole number")

_SENTENCES: dict[str, Callable[[dict[str, Any], object], str]] = {
    "missing": lambda ctx, value: MISSING,
    "string_type": _text,
    "bool_type": _should_be("true or false"),
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _should_be("a number"),
    "finite_number": _should_be("a finite number"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "literal_error": _choice,
    "none_required": lambda ctx, value: "does not apply here; take it out",
    "union_tag_invalid": _kind,
    "union_tag_not_found": lambda ctx, value: MISSING if isinstance(value, dict) else _MAPPING(ctx, value),
    "greater_than": lambda ctx, value: f"is {value}, but must be more than {ctx['gt']:g}",
    "greater_than_equal": _at_least,
    "less_than": lambda ctx, value: f"is {value}, but must be less than {ctx['lt']:g}",
    "less_than_equal": lambda ctx, value: f"is {value}, but must be at most {ctx['le']:g}",
    "too_short": lambda ctx, value: f"needs at least {ctx['min_length']} of them",
    "too_long": lambda ctx, value: f"has {ctx['actual_length']} entries; at most {ctx['max_length']} are allowed",
    "string_too_short": lambda ctx, value: "must not be empty",
    "string_too_long": lambda ctx, value: f"is longer than {ctx['max_length']} characters",
}
