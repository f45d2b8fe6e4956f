"""Single values of YAML files: plain words under YAML 1.2, and ``${VAR}`` from the environment.

YAML 1.2's core schema reads ``NO`` and ``22:30`` as text and ``012`` as twelve. Numbers keep their written form, so that a text field
gets ``012`` and ``+30`` as they are in the file.
"""

import re
from collections.abc import Mapping

from monitor.runtime.environment_values import remember

_NULL = re.compile(r"~|null|Null|NULL|")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LONGEST_NUMBER = 100
"""The most digits of a number. A longer one stays text, because Python refuses to convert thousands of digits."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<end>\}?)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class Whole(int):
    """A whole number that keeps its written form."""

    text: str


class Fraction(float):
    """A number with a point or an exponent that keeps its written form."""

    text: str


Scalar = str | bool | int | float | None


def resolve(text: str) -> Scalar:
    """Returns the value of a plain (unquoted) scalar under YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return _remember(Whole(text), text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return _remember(Whole(text, 0), text)
    if _FLOAT.fullmatch(text):
        return _remember(Fraction(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)
    return text


def _remember(number: Whole | Fraction, text: str) -> Whole | Fraction:
    number.text = text
    return number


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Returns ``text`` with its variables filled in, and the problems of these, in sentences that never show a value.

    ``${VAR:-default}`` gives the default if VAR is unset or empty, as in a shell; ``$${`` stands for ``${`` itself.
    White space around a value is removed.
    """
    if "${" not in text:
        return text, []
    wrong: list[str] = []

    def fill(found: re.Match[str]) -> str:
        if found["inner"] is None:
            return "${"
        try:
            return _value(found, environ)
        except ValueError as error:
            wrong.append(str(error))
            return ""

    return _REFERENCE.sub(fill, text), wrong


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    written = _VARIABLE.fullmatch(found["inner"])
    if not found["end"] or written is None:
        raise ValueError(
            "${ begins a variable: write ${NAME} or ${NAME:-default}, or $${ for the characters themselves"
        )
    name, default = written["name"], written["default"]
    if name not in environ and default is None:
        raise ValueError(f"the environment variable {name} is not set: set it, or write a default as ${{{name}:-…}}")
    value = (
        environ.get(name, "").strip() or default or ""
    )  # removes the newline at the end of a secret, as for one in a file
    if not is_text(value):
        raise ValueError(f"the environment variable {name} holds bytes that are not text")
    if value != default:
        remember(name, value)
    return value


def is_text(value: str) -> bool:
    """Returns whether ``value`` can be printed and used in paths: it has no NUL and no surrogates."""
    return (value.isascii() and "\0" not in value) or not re.search("[\0\ud800-\udfff]", value)
