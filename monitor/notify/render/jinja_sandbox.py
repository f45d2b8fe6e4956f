"""The sandbox that templates run in: a short list of filters, access to nothing but the data, and a limit to their work (`budget`).

It prevents a mistake in a template (nested loops, a huge repetition, a misspelt name) from harming the daemon. Templates are written by the
authors of the configuration, and are trusted as much; data from messages is never a template.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from json import JSONEncoder
from typing import Any, Final, Literal

from jinja2 import (
    DictLoader,
    Environment,
    StrictUndefined,
    Undefined,
    nodes,
    pass_context,
    pass_environment,
    pass_eval_context,
)
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round, make_attrgetter, sync_do_join
from jinja2.lexer import TokenStream
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing
from markupsafe import Markup

from monitor.model import format as filters
from monitor.model.notification import AlertView
from monitor.notify.render import escape
from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.budget import LONGEST_VALUE, made, spend_characters, spend_on_reading
from monitor.notify.render.budgeted_code import BUDGETING, bounded_filter, bounded_test, refuse_costly, rewritten
from monitor.notify.render.context import NAMES
from monitor.notify.render.notification_text import advice
from monitor.notify.render.sanitize import clean
from monitor.notify.render.work import spend_on_call, spend_on_text

MOST_GROWTH: Final = 100_000
"""The most characters or items that one ``*``, ``replace`` or ``join`` may make; for whole numbers, bits times 32."""

_LONGEST_NAME: Final = 100
_MOST_NAMES: Final = 200
"""The most names that are compared to suggest one; the work grows with the square of a name's length."""

_KEPT_FILTERS: Final = (
    *(
        "abs",
        "capitalize",
        "default",
        "d",
        "dictsort",
        "first",
        "float",
        "groupby",
        "int",
        "items",
        "last",
        "length",
    ),
    *(
        "count",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "reverse",
        "select",
        "selectattr",
    ),
    *("sort", "string", "title", "trim", "truncate", "unique", "upper"),
)
_OWN_FILTERS: Final = ("percent", "number", "duration", "datetime", "sparkline", "mask")


def _alert(view: Any) -> AlertView:
    """Returns ``view`` if it is an alert. Raises SecurityError for values that a template made itself."""
    if not isinstance(view, AlertView):
        raise SecurityError("sentence and notes take an alert")
    return view


_FURTHER: Final[dict[str, Callable[..., Any]]] = {
    "clip": lambda value, longest=80: clean(str(value), longest),
    "html": escape.html,
    "markdown": escape.markdown,
    "notes": lambda view, longest=2000: advice(_alert(view), longest),
    "sentence": lambda view: sentence(_alert(view)),
}
"""Filters that have another name here, or are defined elsewhere."""
FILTERS: Final = frozenset({*_KEPT_FILTERS, *_OWN_FILTERS, *_FURTHER, "join", "replace", "round", "sum", "tojson"})
"""The names of all filters."""

_KEPT_GLOBALS: Final = ("range", "dict", "namespace", "joiner", "cycler")
METHODS: Final[tuple[tuple[type | tuple[type, ...], frozenset[str]], ...]] = (
    (
        str,
        frozenset(
            {
                *(
                    "capitalize",
                    "casefold",
                    "count",
                    "endswith",
                    "find",
                    "index",
                    "isalnum",
                    "isalpha",
                    "isascii",
                    "isdecimal",
                ),
                *(
                    "isdigit",
                    "islower",
                    "isnumeric",
                    "isspace",
                    "isupper",
                    "lower",
                    "lstrip",
                    "partition",
                    "removeprefix",
                ),
                *(
                    "removesuffix",
                    "rfind",
                    "rindex",
                    "rpartition",
                    "rsplit",
                    "rstrip",
                    "split",
                    "splitlines",
                    "startswith",
                ),
                *("strip", "swapcase", "title", "upper"),
            }
        ),
    ),
    (dict, frozenset({"get", "items", "keys", "values"})),
    ((list, tuple, range), frozenset({"count", "index"})),
    ((int, float, bytes, set, frozenset), frozenset()),
)
"""The methods of plain values that templates may call: none that makes a large result from a small value, or changes anything."""


class Unknown(StrictUndefined):
    """An unknown name: an error as soon as it is used, which suggests the nearest known name."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint or self._undefined_name is None:
            return super()._undefined_message
        name = str(self._undefined_name)
        if self._undefined_obj is missing and name in NAMES:
            return f"there is no {name!r} here: only the template of a whole message has it"
        return f"there is no {name!r} here" + nearest(name, _names_of(self._undefined_obj))


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ``; did you mean 'value'?``, or nothing if no name is near."""
    if len(name) > _LONGEST_NAME:
        return ""
    near = get_close_matches(name, list(islice(known, _MOST_NAMES)), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _names_of(thing: Any) -> Iterable[str]:
    if thing is missing:
        return NAMES
    if isinstance(thing, Mapping):
        return [str(key) for key in thing]
    return [name for name in dir(thing) if not name.startswith("_")]


class Variables(Namespace):
    """``namespace()``: its contents, which may be nested, are not written out."""

    def __repr__(self) -> str:
        return "<namespace>"


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The Jinja2 environment with the limits above."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Evaluates arithmetic if the result stays small."""
        if operator == "%" and isinstance(left, str | bytes):
            raise SecurityError("text cannot be formatted with %; put values side by side with ~")
        for one in (left, right):
            if not isinstance(one, str | int | float):
                spend_on_reading(one)
        if operator == "**" and (abs(right) > 64 or _power(left, right) > MOST_GROWTH):
            raise SecurityError("an exponent can be 64 at most, of a number that is not large")
        if operator == "*" and _product(left, right) > MOST_GROWTH:
            raise SecurityError("the result of * would be too long")
        return made(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a macro, a method or a global function."""
        spend_on_call(called, args, kwargs)
        return made(super().call(context, called, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Returns the label for ``labels.count``, although dictionaries have a method of that name."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Returns whether an attribute may be used: no name with a leading underscore, and of plain values only `METHODS`."""
        if isinstance(obj, type):
            return False  # ``dict.update(labels, …)`` would change what others are sent
        for kind, methods in METHODS:
            if isinstance(obj, kind):
                return attr in methods
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Returns None: ``str.format`` is refused like the other methods that make large results."""
        return None

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Any:  # noqa: A002 - Jinja2's name
        """Returns a template that another one includes; its text counts against the budget each time."""
        sources = self.loader.mapping if isinstance(self.loader, DictLoader) else {}
        spend_characters(len(sources.get(name, "")) if isinstance(name, str) else 0)
        return super().get_template(name, parent, globals)

    # Jinja2 has no public hook to observe what a template does; to look at its signs and to rewrite its tree right after is the smallest change.

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        signs = list(self.lexer.tokeniter(source, name, filename, state))
        refuse_costly(signs)
        return TokenStream(self.lexer.wrap(iter(signs), name, filename), name, filename)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return rewritten(super()._parse(source, name, filename), self)


def _product(left: Any, right: Any) -> int:
    """Returns the length of ``left * right`` in characters or items; for two whole numbers, their bits times 32."""
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | bytes | list | tuple):
            return int(len(many) * abs(times))
    if isinstance(left, int) and isinstance(right, int):
        return (left.bit_length() + right.bit_length()) * 32
    return 0


def _power(base: Any, exponent: Any) -> int:
    return int(base.bit_length() * abs(exponent) * 32) if isinstance(base, int) else 0


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Joins as Jinja2's filter does, if the result is not much longer than its parts. Raises SecurityError."""
    items = list(value)
    if len(items) * len(str(d)) > MOST_GROWTH:
        raise SecurityError("the result of join would be too long")
    return sync_do_join(context, items, d, attribute)


@pass_environment
def _sum(environment: Environment, value: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:
    """Adds up as Jinja2's filter does, but only numbers: lists would be copied again and again. Raises SecurityError."""
    items = list(value) if attribute is None else [make_attrgetter(environment, attribute)(one) for one in value]
    if not all(isinstance(one, int | float) for one in (start, *items)):
        raise SecurityError("sum adds up numbers only")
    return sum(items, start)


def _round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    """Rounds as Jinja2's filter does, to at most 20 digits. Raises SecurityError."""
    if abs(precision) > 20:
        raise SecurityError("round takes 20 digits at most")
    return do_round(value, precision, method)


def _replace(text: object, old: str, new: str) -> str:
    whole = str(text)
    if len(whole) + whole.count(str(old)) * len(str(new)) > MOST_GROWTH:
        raise SecurityError("the result of replace would be too long")
    return whole.replace(str(old), str(new))


def _tojson(value: object, indent: int | None = None) -> Markup:
    text = escape.to_json(value) if indent is None else _indented(value, min(indent, 8))
    return Markup(text)  # noqa: S704 — JSON is the escaping here


def _indented(value: object, indent: int) -> str:
    """Returns JSON on many lines, counted while it is made: each level of nesting makes all its lines longer."""
    pieces: list[str] = []
    size = 0
    for piece in JSONEncoder(ensure_ascii=False, indent=indent).iterencode(escape.plain(value)):
        spend_characters(len(piece))
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_VALUE:
            break
    return str(made("".join(pieces)))


def _for_slack(value: object) -> str:
    return escape.slack(str(value))


def _as_is(value: object) -> str:
    return str(value)


_ESCAPED: Final[dict[escape.Escape, Callable[[object], str]]] = {
    "none": _as_is,
    "slack": _for_slack,
    "json": escape.json_text,
    "html": escape.html_text,
    "form": escape.form_text,
}
_ESCAPING_WEIGHT: Final[dict[escape.Escape, int]] = {"none": 1, "slack": 10, "json": 1, "html": 1, "form": 4}
"""How expensive each escaping is, as the weight that `spend_on_text` gets."""


def _escaped_once(value: object) -> Markup:
    return Markup(escape.html(value))  # noqa: S704 — escaped just now


def _finalizer(form: escape.Escape) -> Callable[[Context, Any], Any]:
    """Returns the function that escapes each ``{{ … }}``; the template's own text stays as it is."""
    escaped = _ESCAPED[form]

    @pass_context
    def finalize(context: Context, value: Any) -> Any:
        if isinstance(value, Undefined):  # an unknown name is an error, a condition without an else is nothing
            return value
        if hasattr(value, "__html__"):  # escaped already, but this writes it once more
            spend_on_text([value])
            return value
        if value is None and form != "json":
            return filters.NOTHING
        spend_on_text([value], _ESCAPING_WEIGHT[form])
        text = escaped(value) if form != "none" else str(value)
        spend_characters(len(text))
        return Markup(text) if form != "none" else text  # noqa: S704 — just escaped for the place it goes to

    return finalize


def sandbox(sources: Mapping[str, str], form: escape.Escape) -> TemplateSandbox:
    """Returns an environment whose templates can include each other by name, and whose values are escaped for ``form``."""
    environment = TemplateSandbox(
        loader=DictLoader(dict(sources)),
        undefined=Unknown,
        autoescape=form != "none",
        finalize=_finalizer(form),
        keep_trailing_newline=False,
        cache_size=100,
    )
    own = {name: getattr(filters, name) for name in _OWN_FILTERS}
    kept = {name: environment.filters[name] for name in _KEPT_FILTERS}
    guarded: dict[str, Any] = {
        "join": _join,
        "replace": _replace,
        "round": _round,
        "sum": _sum,
        "tojson": _tojson,
    }
    every = kept | own | _FURTHER | guarded
    if form == "html":  # values that a template escapes itself are not escaped again
        every["html"] = _escaped_once
    environment.filters = {name: bounded_filter(name, one) for name, one in every.items()} | BUDGETING
    environment.tests = {name: bounded_test(name, one) for name, one in environment.tests.items()}
    environment.globals = {name: environment.globals[name] for name in _KEPT_GLOBALS} | {"namespace": Variables}
    return environment


@lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Returns every name that a template can use without being given it."""
    return frozenset(NAMES) | frozenset(_KEPT_GLOBALS) | {"self", "loop", "caller", "varargs", "kwargs"}
