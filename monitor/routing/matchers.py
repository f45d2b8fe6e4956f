"""Matchers: conditions on labels, as in Alertmanager. Only this module uses the library for regular expressions.

Regular expressions are RE2's and have to match the whole value. Matching takes time in proportion to the value's length for every
expression, so that an expression from a stranger cannot block the program.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec

from monitor.routing.matcher_syntax import Operator, Written, read_matcher, read_matchers, write_matcher

if TYPE_CHECKING:
    import re2  # type: ignore[import-untyped]  # it has no type hints; it is wrapped below

_MEMORY: Final = 1 << 18
"""The most bytes of one compiled regular expression: about 10,000 instructions."""
_LONGEST: Final = 10_000
"""The most characters of a regular expression; compiling a longer one could take a second."""
_MOST_WORK: Final = 4_000
"""The most work for compiling a regular expression, in the unit of `_work`: a few milliseconds."""
MOST_MATCHERS: Final = 50
"""The most matchers in one list (of a silence, a request or a route)."""
_LONGEST_ASKED: Final = 1_000
"""The most characters of a matcher's name or value in a request."""
_LONGEST_TOGETHER: Final = 4_096
"""The most characters of all regular expressions of one silence or request together."""
MOST_INSTRUCTIONS: Final = 8_192
"""The most instructions of all regular expressions of one silence or request together: matching 256 characters takes 7 ms at most."""
_ALL_READY: Final = 1 << 20
"""The most instructions of all cached regular expressions: 64 MB, enough for thousands of usual ones or some dozens of the largest."""
_SHORT: Final = 256
"""The most characters of a regular expression and a value together for which the result is cached."""
_ORDER: Final[Mapping[Operator, int]] = {"=": 0, "!=": 1, "=~": 2, "!~": 3}


class Matcher(msgspec.Struct, frozen=True):
    """A condition on one label. Raises ValueError for an invalid regular expression or an empty name."""

    name: str
    op: Operator
    value: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a matcher needs the name of a label")
        if self.op in ("=~", "!~"):
            _expression(self.value)

    def accepts(self, value: str) -> bool:
        """Returns whether a label with this value meets the condition."""
        if self.op == "=":
            return value == self.value
        if self.op == "!=":
            return value != self.value
        return _is_match(self.value, value) is (self.op == "=~")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Returns whether the labels meet the condition. A missing label counts as empty."""
        return self.accepts(labels.get(self.name, ""))

    @property
    def needs_label(self) -> bool:
        """Whether only alerts with a non-empty value of the label can meet the condition."""
        return not self.accepts("")

    def __str__(self) -> str:
        return write_matcher(self.name, self.op, self.value)


def parse_matcher(text: str) -> Matcher:
    """Parses a matcher such as ``severity="critical"``. Raises ValueError with a sentence that says what is wrong and where."""
    return Matcher(*read_matcher(text))


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Parses a list of matchers, separated by commas, with or without braces. The list may be empty. Raises ValueError like
    `parse_matcher`."""
    return tuple(Matcher(*written) for written in read_matchers(text))


_HALF: Final = re.compile("[\ud800-\udfff]")
"""Matches what JSON can write but no text can hold."""


def check_written(written: Collection[Written]) -> None:
    """Checks, before they are compiled, that requested matchers are few and short enough. Raises ValueError that says what is too much."""
    if len(written) > MOST_MATCHERS:
        raise ValueError(f"at most {MOST_MATCHERS} matchers can be asked for, here are {len(written)}")
    for name, _, value in written:
        if max(len(name), len(value)) > _LONGEST_ASKED:
            raise ValueError(f"a matcher's name and value have at most {_LONGEST_ASKED} characters each")
        if _HALF.search(name + " " + value):
            raise ValueError(
                "a matcher's name and value are whole characters: one of them has half of a surrogate pair"
            )
    expressions = [value for _, op, value in written if op in ("=~", "!~")]
    if sum(map(len, expressions)) > _LONGEST_TOGETHER:
        raise ValueError(f"the regular expressions together have more than {_LONGEST_TOGETHER} characters")
    if sum(map(_work, expressions)) > _MOST_WORK:
        raise ValueError(
            "the regular expressions together have too many classes like \\pL, or repetitions like {1,900}"
        )


def instructions(matchers: Iterable[Matcher]) -> int:
    """Returns the instructions of the matchers' compiled regular expressions. The time of matching is in proportion to it."""
    return sum(int(_expression(one.value).programsize) for one in matchers if one.op in ("=~", "!~"))


def check_ready(matchers: Iterable[Matcher]) -> None:
    """Checks that requested matchers can be matched fast enough. Raises ValueError."""
    if instructions(matchers) > MOST_INSTRUCTIONS:
        raise ValueError(
            "the regular expressions together are too large: write fewer alternatives, repetitions and classes like \\pL"
        )


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Returns whether the labels meet all of the conditions."""
    for matcher in matchers:  # noqa: SIM110 - runs for each alert and silence; a generator takes twice as long
        if not matcher.matches(labels):
            return False
    return True


def in_order(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Returns the matchers sorted as Alertmanager sorts them: by name, then value, then operator."""
    return tuple(sorted(matchers, key=lambda one: (one.name, one.value, _ORDER[one.op])))


def show(matchers: Iterable[Matcher]) -> str:
    """Returns all of them as one text: ``{severity="critical",team="sms"}``."""
    return "{" + ",".join(map(str, matchers)) + "}"


class _Ready:
    """A cache of compiled regular expressions that drops those used least recently. ``most`` bounds the instructions of all of them, and so
    the memory that strangers can take with ever new expressions."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._known: OrderedDict[str, re2._Regexp] = OrderedDict()
        self._lock = Lock()  # the store reads silences in a thread of its own

    def get(self, pattern: str) -> "re2._Regexp":
        """Returns the compiled expression. Raises ValueError for an invalid regular expression."""
        with self._lock:
            known = self._known.get(pattern)
            if known is not None:
                self._known.move_to_end(pattern)
                return known
            made = self._known[pattern] = _made_ready(pattern)
            self._taken += _size(made)
            while self._taken > self._most:
                _, oldest = self._known.popitem(last=False)
                self._taken -= _size(oldest)
            return made


def _made_ready(pattern: str) -> "re2._Regexp":
    import re2  # most configurations have no regular expression, and it takes 2 MB

    if len(pattern) > _LONGEST:
        raise ValueError(
            f"a regular expression has at most {_LONGEST} characters; {pattern[:40]!r}… has {len(pattern)}"
        )
    if _work(pattern) > _MOST_WORK:
        raise ValueError(
            f"{pattern[:100]!r} takes too long to compile: write fewer classes like \\pL, or repetitions like {{1,900}}"
        )
    options = re2.Options()
    options.max_mem = _MEMORY
    options.never_capture = True  # only whether it matches is needed
    options.log_errors = False  # it would write to standard error by itself
    try:
        return re2.compile(_encoded(pattern), options)
    except re2.error as error:
        why = repr(error.args[0].decode("utf-8", "replace"))[1:-1]
        if "too large" in why:
            why = "too large; write fewer alternatives, repetitions or classes like \\pL"
        raise ValueError(f"{pattern[:100]!r} is not a regular expression: {why}") from None


_CLASS: Final = re.compile(r"\\[pP]")
_REPEATED: Final = re.compile(r"\{([0-9]{0,4})(?:,([0-9]{0,4}))?\}")


def _work(pattern: str) -> int:
    """Estimates, in microseconds, the work that RE2 does before its own limit of size applies."""
    repeated = sum(max(int(least or 0), int(most or 0)) for least, most in _REPEATED.findall(pattern))
    return 300 * len(_CLASS.findall(pattern)) + repeated // 4


def _size(expression: "re2._Regexp") -> int:
    """Returns the size in instructions of 64 bytes, including the pattern's text and the overhead around it."""
    return int(expression.programsize) + len(expression.pattern) // 16 + 32


_expression: Final = _Ready(_ALL_READY).get


def _is_match(pattern: str, value: str) -> bool:
    if len(pattern) + len(value) > _SHORT:  # a cache of long texts would cost more memory than it saves time
        return _matched(pattern, value)
    return _remembered(pattern, value)


def _matched(pattern: str, value: str) -> bool:
    return _expression(pattern).fullmatch(_encoded(value)) is not None


_remembered: Final = lru_cache(1 << 16)(_matched)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # half of a surrogate pair must not fail: it counts as a character
