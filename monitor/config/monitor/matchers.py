"""Conditions on labels in the configuration: lists of matchers in Alertmanager's syntax."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from monitor.config.yaml import AnyText, FieldProblem, NestedProblems
from monitor.config.yaml.sentences import kind_of
from monitor.routing.matchers import MOST_MATCHERS, Matcher, in_order, parse_matchers

_QUOTES: Final = "put the whole matcher in single quotes, as in ['country=~\"GR|CY\"']"


def _matchers(value: object) -> tuple[Matcher, ...]:
    if not isinstance(value, list):
        raise ValueError(f'should be a list of matchers, like [severity="critical"], not {kind_of(value)}')
    found: list[Matcher] = []
    notes: list[FieldProblem] = []
    for index, text in enumerate(value):
        try:
            found += _parsed(text)
        except ValueError as error:
            notes.append(FieldProblem((index,), str(error)))
    if notes:
        raise NestedProblems(notes)
    if len(found) > MOST_MATCHERS:
        raise ValueError(
            f'should be at most {MOST_MATCHERS} matchers, not {len(found)}; values in one can be written as =~"a|b"'
        )
    return in_order(dict.fromkeys(found))


def _parsed(text: object) -> tuple[Matcher, ...]:
    if not isinstance(text, str):
        raise ValueError(f'should be a matcher, like severity="critical", not {kind_of(text)}; {_QUOTES}')
    try:
        found = parse_matchers(text)
    except ValueError as error:
        split_up = text.count('"') % 2
        raise ValueError(f"{error}; inside [ ] a comma ends it: {_QUOTES}" if split_up else str(error)) from None
    if not found:
        raise ValueError('holds no matcher; write one like severity="critical", or take it out')
    for matcher in found:
        if len(matcher.value) > 1 and matcher.value[0] == matcher.value[-1] == "'":
            bare = Matcher(matcher.name, matcher.op, matcher.value[1:-1])
            raise ValueError(f"the single quotes would be part of the value; write {bare}")
    return found


Matchers = Annotated[
    tuple[Matcher, ...],
    PlainValidator(_matchers),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
"""Matchers that must all match, sorted as Alertmanager does, each once."""


def _label(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


Label = Annotated[AnyText, AfterValidator(_label)]
"""The name of a label."""


def in_new_form(key: str, equal: object, pattern: bool) -> str:
    """Returns the message about Alertmanager's old form ``match: {label: value}``: the same matchers as a list under ``key``."""
    matchers = ", ".join(_rewritten(equal, pattern)) or 'severity="critical"'
    return f"is Alertmanager's old form; write {key}: [{matchers}]"


def _rewritten(written: object, pattern: bool) -> Iterator[str]:
    pairs: Mapping[Any, Any] = written if isinstance(written, dict) else {}
    for name, value in pairs.items():
        try:
            text = str(Matcher(str(name), "=~" if pattern else "=", str(value)))
        except ValueError:
            continue
        yield f"'{text}'" if set(text) & set(",[]{}#: ") else text
