"""The sandbox that templates run in: a short list of filters, no way out of the data, and an end to every loop.

It keeps an accident in a template (a loop in a loop, a huge repetition, a misspelt name) from harming the daemon. Templates
are written by whoever may write the configuration, and are trusted as much; data from messages is never a template.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

from jinja2 import DictLoader, StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from monitor.render import escape, filters
from monitor.render.context import NAMES
from monitor.render.sentence import sentence
from monitor.render.story import advice
from monitor.render.words import clean

MOST_STEPS: Final = 100_000
"""Passes through all loops of one rendering together."""

LONGEST_VALUE: Final = 100_000
"""Characters or items that one operation of a template may make."""

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
        "join",
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
        "round",
        "select",
        "selectattr",
    ),
    *("sort", "string", "sum", "title", "trim", "truncate", "unique", "upper"),
)
_OWN_FILTERS: Final = ("percent", "number", "duration", "datetime", "sparkline", "mask")
_FURTHER: Final[dict[str, Callable[..., Any]]] = {
    "clip": lambda value, longest=80: clean(str(value), longest),
    "html": escape.html,
    "markdown": escape.markdown,
    "notes": advice,
    "sentence": sentence,
}
"""What is a filter under another name, or is from elsewhere."""
FILTERS: Final = frozenset({*_KEPT_FILTERS, *_OWN_FILTERS, *_FURTHER, "replace", "tojson"})
"""Every filter there is."""

_KEPT_GLOBALS: Final = ("range", "dict", "namespace", "joiner", "cycler")
_GROWING_METHODS: Final = frozenset(
    {"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map", "replace"}
)


class Unknown(StrictUndefined):
    """A name that is not there: an error as soon as it is used, with the nearest name that is."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint or self._undefined_name is None:
            return super()._undefined_message
        name = str(self._undefined_name)
        return f"there is no {name!r} here" + nearest(name, _names_of(self._undefined_obj))


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'value'?)``, or nothing where nothing is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _names_of(thing: Any) -> Iterable[str]:
    if thing is missing:
        return NAMES
    if isinstance(thing, Mapping):
        return [str(key) for key in thing]
    return [name for name in dir(thing) if not name.startswith("_")]


class CountingContext(Context):
    """Counts the passes through loops."""

    steps = 0


@pass_context
def counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """``items``, until the rendering has used up its steps. Every ``for`` goes through it."""
    for item in items:
        if isinstance(context, CountingContext):
            context.steps += 1
            if context.steps > MOST_STEPS:
                raise SecurityError(f"the loops of this template do not end within {MOST_STEPS:,} steps")
        yield item


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with what is above."""

    context_class = CountingContext
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic, as long as the result stays small."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("text cannot be formatted with %; put values side by side with ~")
        if operator == "**" and abs(right) > 64:
            raise SecurityError("an exponent can be 64 at most")
        if operator == "*" and _product(left, right) > LONGEST_VALUE:
            raise SecurityError("the result of * would be too long")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``labels.count`` is the label, also where dictionaries have a method of that name."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Nothing that starts with an underscore, nothing that changes data, no method that can make text of any length."""
        if isinstance(obj, str) and attr in _GROWING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``str.format`` is refused like the other growing methods, not wrapped."""
        return None

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        # Jinja2 has no public place to see a loop go round; rewriting the tree right after parsing is the smallest one.
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
            loop.iter.set_environment(self)
        return tree


def _product(left: Any, right: Any) -> int:
    """How long ``left * right`` would be: in characters or items, of two whole numbers in bytes."""
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | bytes | list | tuple):
            return int(len(many) * abs(times))
    if isinstance(left, int) and isinstance(right, int):
        return (left.bit_length() + right.bit_length()) * 32
    return 0


def _replace(text: object, old: str, new: str) -> str:
    whole = str(text)
    if len(whole) + whole.count(str(old)) * len(str(new)) > LONGEST_VALUE:
        raise SecurityError("the result of replace would be too long")
    return whole.replace(str(old), str(new))


def _tojson(value: object, indent: int | None = None) -> Markup:
    return Markup(escape.to_json(value, indent=None if indent is None else min(indent, 8)))  # noqa: S704 — JSON is the escaping here


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


def _escaped_once(value: object) -> Markup:
    return Markup(escape.html(value))  # noqa: S704 — escaped just now


def _finalizer(form: escape.Escape) -> Callable[[Any], Any]:
    """What is done to each ``{{ … }}`` before it goes into the text; what the template itself says stays as it is."""
    escaped = _ESCAPED[form]

    def finalize(value: Any) -> Any:
        if isinstance(value, StrictUndefined) or hasattr(value, "__html__"):
            return value
        if value is None and form != "json":
            return filters.NOTHING
        return Markup(escaped(value)) if form != "none" else value  # noqa: S704 — just escaped for the place it goes to

    return finalize


def sandbox(sources: Mapping[str, str], form: escape.Escape) -> Sandbox:
    """An environment whose templates can include each other by name, and whose values are escaped for ``form``."""
    made = Sandbox(
        loader=DictLoader(dict(sources)),
        undefined=Unknown,
        autoescape=form != "none",
        finalize=_finalizer(form),
        keep_trailing_newline=False,
        cache_size=100,
    )
    own = {name: getattr(filters, name) for name in _OWN_FILTERS}
    kept = {name: made.filters[name] for name in _KEPT_FILTERS}
    made.filters = {**kept, **own, **_FURTHER, "replace": _replace, "tojson": _tojson, "counted": counted}
    if form == "html":  # what a template escapes itself is not escaped again
        made.filters["html"] = _escaped_once
    made.globals = {name: made.globals[name] for name in _KEPT_GLOBALS}
    return made


@lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Everything that a template can name without having been given it."""
    return frozenset(NAMES) | frozenset(_KEPT_GLOBALS) | {"self", "loop", "caller", "varargs", "kwargs"}
