"""Reads YAML strictly into plain data, and records the location of every key and value for error messages.

Reports with their location: anchors and aliases, tags, more than 50 levels, duplicate keys, several documents in one file, anything
that is not UTF-8 text, unset variables. Reading never raises: problems are in `Document.problems`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

import yaml

from monitor.config.yaml.scalar import is_text, resolve, substitute
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import Problem
from monitor.runtime.file_reads import read_file

Key = str | int
KeyPath = tuple[Key, ...]
"""The path of a value from the top: keys of mappings and indices of lists."""

DEEPEST: Final = 50
LARGEST: Final = 4 * 1024 * 1024
MOST_PROBLEMS: Final = 100
"""The most problems of one file that are listed before reading stops."""

_STRAY: Final = "this looks like an entry of a list, but continues the text of line {}: take it out, or put the whole text in quotes"
_BRACES: Final = 'text with {{ }} needs quotes: "{{ … }}"'
_COMMENTED: Final = re.compile(r"(?:[:\[]|^\s*-)\s+(#\w[\w-]*)")
"""Text that begins with ``#`` without quotes, which is a comment."""
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Node:
    """The position of one value and of its key, counted from 1. ``children`` are by key or index."""

    line: int
    column: int
    key: tuple[int, int]
    children: dict[Key, "Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its data (None if unreadable), the position of every value, and the problems found so far.

    ``broken`` are the paths whose value is already known to be wrong, so that they need no further problem.
    """

    file: str
    data: object
    root: Node
    problems: tuple[Problem, ...] = ()
    broken: frozenset[KeyPath] = frozenset()
    readable: bool = True

    def location(self, path: KeyPath, *, key: bool = False) -> tuple[str, int, int]:
        """Returns file, line and column of the value at ``path`` or of its key; of the nearest value around it if there is none."""
        node, found = self.root, True
        for step in path:
            if step not in node.children:
                found = False
                break
            node = node.children[step]
        line, column = node.key if key and found else (node.line, node.column)
        return self.file, line, column

    def problem(self, path: KeyPath, message: str, *, key: bool = False) -> Problem:
        """Returns a problem of the value at ``path``, or of its key."""
        return Problem(*self.location(path, key=key), show_path(path), message, key)

    def is_broken(self, path: KeyPath) -> bool:
        """Returns whether a problem at or above ``path`` has already been reported."""
        return any(path[:length] in self.broken for length in range(len(path) + 1)) if self.broken else False


def show_path(path: KeyPath) -> str:
    """Returns a path like ``rules[2].window``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_document(path: Path, environ: Mapping[str, str]) -> Document:
    """Reads the file at ``path``; variables come from ``environ``."""
    try:
        content = read_file(path, LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return _unreadable(str(path), 1, 1, f"cannot be read: {reason or error}")
    return parse_document(content, str(path), environ)


def parse_document(content: bytes, file: str, environ: Mapping[str, str]) -> Document:
    """Returns the document in ``content``; ``file`` is the name shown in its problems."""
    if len(content) > LARGEST:
        return _unreadable(file, 1, 1, f"is larger than {LARGEST // 1024 // 1024} MiB; split it into several files")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8", "replace"))
        return _unreadable(file, line, column, "is not UTF-8 text; save it as UTF-8")
    if found := _UNPRINTABLE.search(text):
        message = f"holds the character U+{ord(found[0]):04X}, which YAML does not allow; take it out"
        return _unreadable(file, *_position(text[: found.start()]), message)
    return _Reader(text, file, environ).read()


def _unreadable(file: str, line: int, column: int, message: str) -> Document:
    problem = Problem(file, line, column, "", message)
    return Document(file, None, Node(1, 1, (1, 1)), (problem,), frozenset({()}), readable=False)


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Stop(Exception):
    """Stops reading after a fatal problem."""


class _Reader:
    """Builds data and positions from YAML's events in one pass, so that an alias bomb or deep nesting builds nothing."""

    def __init__(self, text: str, file: str, environ: Mapping[str, str]) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._file = file
        self._environ = environ
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._path: list[Key] = []
        self._problems: list[Problem] = []
        self._broken: set[KeyPath] = set()

    def read(self) -> Document:
        data, root, readable = None, Node(1, 1, (1, 1)), False
        try:
            data, root = self._document(root)
            readable = True
        except _Stop:
            pass
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except yaml.YAMLError as error:
            self._report(1, 1, f"is not valid YAML: {error}")
        broken = frozenset(self._broken) if readable else frozenset({()})
        return Document(self._file, data, root, tuple(self._problems), broken, readable)

    def _document(self, empty: Node) -> tuple[object, Node]:
        data: object = None
        root, seen = empty, False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent) and seen:
                self._refuse(event, "a second document begins here; one file holds one document")
                raise _Stop
            if isinstance(event, yaml.NodeEvent):
                data, root = self._node(event, (1, 1))
                seen = True
        return data, root

    def _node(self, event: yaml.Event, key: tuple[int, int]) -> tuple[object, Node]:
        node = Node(*_start(event), key)
        if len(self._path) > DEEPEST:
            self._path.clear()
            self._refuse(event, f"is nested deeper than {DEEPEST} levels")
            raise _Stop
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event), node
        if isinstance(event, yaml.CollectionStartEvent):
            self._no_extras(event)
            return self._mapping(node) if isinstance(event, yaml.MappingStartEvent) else self._list(node), node
        self._refuse(event, "aliases (*name) are not allowed; write the value out")
        return None, node

    def _no_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor:
            self._refuse(event, "anchors (&name) are not allowed; write the value out where it is needed")
        if event.tag:
            self._refuse(event, "tags (!name) are not allowed; take it out")

    def _list(self, node: Node) -> list[object]:
        items: list[object] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            index = len(items)
            self._path.append(index)
            value, node.children[index] = self._node(event, _start(event))
            self._path.pop()
            items.append(value)
        return items

    def _mapping(self, node: Node) -> dict[str, object]:
        entries: dict[str, object] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            location = _start(event)
            self._path.append(key)
            value, child = self._node(next(self._events), location)
            if key in entries:
                first = node.children[key].key
                self._report(
                    *location, f"the key {key!r} is written twice: first at line {first[0]}, column {first[1]}"
                )
            else:
                entries[key], node.children[key] = value, child
            self._path.pop()
        return entries

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, _BRACES if self._is_second_brace(event) else "a key must be one word or text")
            raise _Stop
        return self._fill(event)

    def _is_second_brace(self, event: yaml.Event) -> bool:
        line, column = _start(event)
        return self._lines[line - 1][max(column - 2, 0) : column] == "{{"

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if event.implicit[0]:
            self._no_stray_entry(event)
        text = self._fill(event)
        return resolve(text) if event.implicit[0] else text

    def _no_stray_entry(self, event: yaml.ScalarEvent) -> None:
        """Reports a line that looks like an entry of a list, but continues the plain text before it, as YAML has it."""
        if event.start_mark is None or event.end_mark is None:
            return
        first = event.start_mark.line
        for line in range(first + 1, event.end_mark.line + 1):
            written = self._lines[line] if line < len(self._lines) else ""
            shown = written.lstrip(" ")
            if shown.startswith("- "):
                self._broken.add(tuple(self._path))
                self._report(line + 1, len(written) - len(shown) + 1, _STRAY.format(first + 1))
                return

    def _fill(self, event: yaml.ScalarEvent) -> str:
        self._no_extras(event)
        text, wrong = substitute(event.value, self._environ)
        for sentence in wrong:
            self._refuse(event, sentence)
        if not is_text(text):
            self._refuse(event, "the escape \\0 is not allowed in text")
            return ""
        return text

    def _refuse(self, event: yaml.Event, message: str) -> None:
        self._broken.add(tuple(self._path))
        self._report(*_start(event), message)

    def _report(self, line: int, column: int, message: str) -> None:
        self._problems.append(Problem(self._file, line, column, show_path(tuple(self._path)), message))
        if len(self._problems) >= MOST_PROBLEMS:
            raise _Stop

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        self._path.clear()
        try:
            self._report(line + 1, column + 1, _syntax_message(self._lines, line, column, error))
        except _Stop:
            return


def _syntax_message(lines: list[str], line: int, column: int, error: yaml.MarkedYAMLError) -> str:
    here = lines[line] if line < len(lines) else ""
    problem = error.problem or "it cannot be read"
    if "\t" in here[: column + 1]:
        hint = "YAML is indented with spaces; there is a tab here"
    elif "${" in here and "expected ','" in problem:
        hint = 'inside [ ] and { } a variable needs quotes: "${NAME}"'
    elif "mapping values" in problem:
        hint = "a colon stands where none can; check the indentation, or put the text in quotes"
    elif "cannot start any token" in problem:
        hint = f"text cannot begin with {here[column : column + 1]!r}; put it in quotes"
    elif error.context_mark and (found := _commented_out(lines, error.context_mark.line, line)):
        hint = f'after a blank, # begins a comment (line {found[0]}): put text with # in quotes: "{found[1]}"'
    else:
        hint = "check the indentation, brackets and quotes around it"
    return f"is not valid YAML ({problem}): {hint}"


def _commented_out(lines: list[str], first: int, last: int) -> tuple[int, str] | None:
    """Returns the line (from 1) and the text of what seems to be a value, but is a comment; None if nothing is."""
    for number, line in enumerate(lines[first : last + 1], first + 1):
        if found := _COMMENTED.search(line):
            return number, found[1]
    return None
