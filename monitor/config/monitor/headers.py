"""Named secrets: HTTP headers and a template's fields, written as a mapping or in a file of ``name: value`` lines."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema

from monitor.config.yaml import FieldProblem, NestedProblems, Secret
from monitor.config.yaml.types import LABEL
from monitor.config.yaml.unread_secret import MAY_BE_UNREAD_PAIRS
from monitor.config.yaml.words import suggest

_HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
OURS: Final = frozenset(
    {
        *("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-type", "webhook-id", "webhook-timestamp", "webhook-signature"),
    }
)
"""Headers that the program itself writes, in lower case."""


class Lines(str):
    """The text of a file with a pair in each line. The type tells it apart from a text that someone wrote instead of a mapping."""

    __slots__ = ()


def _pairs(value: Any) -> Any:
    """Parses the text of a file into a mapping. Raises ValueError, which quotes no text of the file: a secret may be in the wrong place."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Lines):
        raise ValueError("should be a mapping (name: value)")
    found: dict[str, str] = {}
    for number, line in enumerate(value.splitlines(), 1):
        name, colon, text = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not (colon and name and text):
            raise ValueError(f"line {number} of the file is not of the form name: value")
        if name in found:
            raise ValueError(f"line {number} of the file names what an earlier line names already")
        found[name] = text
    return found


def _headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    notes: list[FieldProblem] = []
    seen: set[str] = set()
    for name, value in headers.items():
        text = value.get_secret_value()
        if not re.fullmatch(_HEADER_NAME, name):
            notes.append(FieldProblem((name,), "is not a header's name", at_key=True))
        elif name.lower() in OURS:
            hint = "; write content_type" if name.lower() == "content-type" else ""
            notes.append(FieldProblem((name,), f"is written by routee-monitor itself; take it out{hint}", at_key=True))
        elif name.lower() in seen:
            notes.append(FieldProblem((name,), "is listed twice; letter case does not count in headers", at_key=True))
        elif not (text.isascii() and text.isprintable()):
            notes.append(FieldProblem((name,), "is not a header's value: only printable ASCII characters can be sent"))
        seen.add(name.lower())
    if notes:
        raise NestedProblems(notes)
    return headers


def _fields(fields: dict[str, SecretStr]) -> dict[str, SecretStr]:
    wrong = [name for name in fields if not re.fullmatch(LABEL, name)]
    if wrong:
        said = "is not a field's name: letters, digits and _, beginning with a letter or _"
        raise NestedProblems(FieldProblem((name,), said, at_key=True) for name in wrong)
    return fields


def problem_text(names: set[str], needed: tuple[str, ...], known: tuple[str, ...]) -> str:
    """Returns what is wrong with the names of fields for a template that needs ``needed`` and knows ``known``; empty if nothing is."""
    for name in needed:
        if name not in names:
            near = [other for other in names if other not in known and suggest(other, [name]).startswith("; did")]
            hint = f"; did you write {near[0]!r} for it?" if near else ""
            return f"needs the field {name}: write it under fields, or into fields_file{hint}"
    unknown = next((name for name in names if name not in known), None)
    return "" if unknown is None else f"does not use the field {unknown!r}{suggest(unknown, known)}"


_SCHEMA = WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number"]}})

Headers = Annotated[dict[str, Secret], AfterValidator(_headers), BeforeValidator(_pairs), MAY_BE_UNREAD_PAIRS, _SCHEMA]
"""The headers of a request by name. Values are never shown."""
Fields = Annotated[dict[str, Secret], AfterValidator(_fields), BeforeValidator(_pairs), MAY_BE_UNREAD_PAIRS, _SCHEMA]
"""The ``fields`` of a template by name. Values are never shown."""
