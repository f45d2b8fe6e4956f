"""Reads and writes matchers in both of Alertmanager's syntaxes, the classic and the UTF-8 one.

In the classic syntax a name has letters, digits, ``_`` and ``:``, and a value needs no quotes. In the newer one names and values may be
quoted and contain anything, with Go's escapes. A text that is valid in both is read as classic, as Alertmanager does.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, cast

Operator = Literal["=", "!=", "=~", "!~"]
Written = tuple[str, Operator, str]
"""A matcher's name, operator and value."""

_LONGEST: Final = 200_000
"""The most characters of a list of matchers."""
_OPERATORS: Final = "=, !=, =~ or !~"
_NAME: Final = re.compile(r"[ \t\r\n\f]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t\r\n\f]*")
_OPERATOR: Final = re.compile(r"(=~|=|!=|!~)[ \t\r\n\f]*")
_SPACE: Final = " \t\r\n\f"
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<brace>[{}])|(?P<comma>,)|(?P<operator>=~|=|!=|!~)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^\s{}!=~,\\"'`]+))""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r'\\(?:(?P<plain>[abfnrtv\\"])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))|[^\\\n]'
)
_PLAIN: Final = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_NAMED: Final = {character: f"\\{letter}" for letter, character in _PLAIN.items()}
_RESERVED: Final = re.compile(r"""[\s{}!=~,\\"'`]""")
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class _Unreadable(ValueError):
    """A text is not a list of matchers. ``at`` is the position of the error, counted from 0."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at


def read_matchers(text: str) -> list[Written]:
    """Returns the matchers of a list, with or without braces. Raises ValueError with a sentence that says what is wrong and where."""
    try:
        return _read(text)
    except _Unreadable as error:
        raise ValueError(_sentence(text, error)) from None


def read_matcher(text: str) -> Written:
    """Returns the single matcher in ``text``. Its unquoted value may contain commas. Raises ValueError like `read_matchers`."""
    try:
        return _read_one(text)
    except _Unreadable as error:
        raise ValueError(_sentence(text, error)) from None


def write_matcher(name: str, operator: str, value: str) -> str:
    """Returns the matcher as Alertmanager writes it: the value in quotes, and the name in quotes only where it needs them."""
    if not name or _RESERVED.search(name):
        return f"{_quoted(name)}{operator}{_quoted(value)}"
    return f'{name}{operator}"{value.translate(_ESCAPED)}"'


def _sentence(text: str, error: _Unreadable) -> str:
    shown = text if len(text) <= 100 else text[:100] + "…"
    return f"{shown!r} cannot be read as matchers: {error} (character {error.at + 1})"


def _read(text: str) -> list[Written]:
    _limited(text)
    try:
        return list(_classic(text))
    except _Unreadable as classic:
        try:
            return list(_newer(text))
        except _Unreadable as newer:
            raise (
                newer if newer.at > classic.at else classic
            ) from None  # the error that lies further on is the more helpful one


def _read_one(text: str) -> Written:
    _limited(text)
    if text.startswith("{") or text.endswith("}"):
        raise _Unreadable(0, "a single matcher has no braces around it; put a value that holds one in quotes")
    found = _listed(text)
    if found is None:
        return _matcher(text, 0)
    if len(found) != 1:
        raise _Unreadable(0, f"expected one matcher, not {len(found)}; write each one separately")
    return found[0]


def _listed(text: str) -> list[Written] | None:
    try:
        return _read(text)
    except _Unreadable:
        return None


def _limited(text: str) -> None:
    if len(text) > _LONGEST:
        raise _Unreadable(_LONGEST, f"they are longer than {_LONGEST} characters")


def _classic(text: str) -> Iterator[Written]:
    start = 1 if text.startswith("{") else 0
    end = len(text) - 1 if text.endswith("}") and len(text) > start else len(text)
    parts = list(_parts(text, start, end))
    if not text[parts[-1][0] : parts[-1][1]].strip():
        parts.pop()  # nothing at all, or a comma at the end
    for first, last in parts:
        yield _matcher(text[first:last], first)


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the start and end of each matcher. Commas outside of quotes separate them."""
    quoted = escaped = False
    for position in range(start, end):
        letter = text[position]
        if letter == '"' and not escaped:
            quoted = not quoted
        elif letter == "," and not quoted:
            yield start, position
            start = position + 1
        escaped = letter == "\\" and not escaped
    yield start, end


def _matcher(text: str, offset: int) -> Written:
    """Reads one matcher in the classic syntax; ``offset`` is its position in the whole text. Raises _Unreadable."""
    name = _NAME.match(text)
    if name is None:
        raise _Unreadable(
            offset, "a matcher begins with the name of a label" if text.strip() else "a matcher is missing"
        )
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        raise _Unreadable(offset + name.end(), f"after the name {name[1]!r} should come {_OPERATORS}")
    value = text[operator.end() :].rstrip(_SPACE)
    return name[1], cast(Operator, operator[1]), _value(value, offset + operator.end())


def _value(text: str, offset: int) -> str:
    """Reads a classic value with or without quotes. A backslash that escapes nothing stands for itself. Raises _Unreadable."""
    inner = text.removeprefix('"')
    opened = inner != text
    value, position = list[str](), 0
    while position < len(inner):
        letter, after = inner[position], inner[position + 1 : position + 2]
        if letter == '"':
            if opened and position == len(inner) - 1:
                return "".join(value)
            at = offset + position + opened
            raise _Unreadable(
                at, 'a quote stands within the value; put the value in quotes and write \\" for one in it'
            )
        if letter == "\\" and after and after in 'n"\\':
            letter, position = "\n" if after == "n" else after, position + 1
        value.append(letter)
        position += 1
    if opened:
        raise _Unreadable(offset, "the quote that begins the value is never closed")
    return "".join(value)


def _newer(text: str) -> Iterator[Written]:
    tokens = list(_tokens(text))
    tokens += tokens[-1:] * 2  # so that a matcher that is cut off ends with the end token
    opened = tokens[0][1] == "{"
    position = int(opened)
    while tokens[position][0] not in ("brace", "end"):
        (kind, name, at), (sign, operator, after), (what, value, last) = tokens[position : position + 3]
        if kind not in ("quoted", "bare"):
            raise _Unreadable(at, f"the name of a label should stand here, not {name!r}")
        if sign != "operator":
            raise _Unreadable(after, f"after the name {name!r} should come {_OPERATORS}")
        if what not in ("quoted", "bare"):
            raise _Unreadable(last, "a value should stand here; put it in quotes")
        yield _unquoted(kind, name, at), cast(Operator, operator), _unquoted(what, value, last)
        position += 3
        if tokens[position][0] == "comma":
            position += 1
        elif tokens[position][0] not in ("brace", "end"):
            raise _Unreadable(
                tokens[position][2], "a comma should stand here; put a value with spaces or signs in quotes"
            )
    _closed(tokens[position:], opened)


def _closed(rest: list[tuple[str, str, int]], opened: bool) -> None:
    kind, brace, at = rest[0]
    if opened and brace != "}":
        raise _Unreadable(at, "the brace { is never closed")
    if not opened and kind == "brace":
        raise _Unreadable(at, f"a brace {brace} has no matching brace; put a value that holds one in quotes")
    if kind == "brace" and rest[1][0] != "end":
        raise _Unreadable(rest[1][2], "nothing can stand behind the brace that closes the list")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yields the tokens of the newer syntax: kind, text and position. The last one has the kind ``end``. Raises _Unreadable."""
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            closed = text[at] != '"'
            what = f"{text[at]!r} cannot stand outside of quotes" if closed else "a quote is never closed"
            raise _Unreadable(at, what)
        kind = found.lastgroup
        yield kind, found[kind], found.start(kind)
        position = found.end()
    yield "end", "", len(text)


def _unquoted(kind: str, text: str, at: int) -> str:
    return text if kind == "bare" else _from_quotes(text, at)


def _from_quotes(text: str, at: int) -> str:
    """Returns the text inside the quotes, with Go's escapes replaced. Raises _Unreadable."""
    result, position = bytearray(), 1
    while position < len(text) - 1:
        found = _ESCAPE.match(text, position, len(text) - 1)
        if found is None:
            raise _Unreadable(
                at + position, f"there is no escape {text[position : position + 2]!r}; write \\\\ for a backslash"
            )
        try:
            result += _bytes_of(found)
        except (ValueError, OverflowError):
            raise _Unreadable(at + position, f"{found[0]} is no character") from None
        position = found.end()
    try:
        return result.decode()
    except UnicodeDecodeError:
        raise _Unreadable(at, "the bytes in quotes are not UTF-8") from None


def _bytes_of(found: re.Match[str]) -> bytes:
    if plain := found["plain"]:
        return _PLAIN[plain].encode()
    if number := found["hex"]:
        return bytes([int(number, 16)])
    if number := found["octal"]:
        return bytes([int(number, 8)])
    if number := found["short"] or found["long"]:
        return chr(int(number, 16)).encode()
    return found[0].encode()


def _quoted(text: str) -> str:
    return '"' + "".join(_in_quotes(letter) for letter in text) + '"'


def _in_quotes(letter: str) -> str:
    if letter in _NAMED:
        return _NAMED[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
