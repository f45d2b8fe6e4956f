"""Rewrites templates so that all of their work counts against the budget of their rendering, where Jinja2 has no hook for it."""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes, pass_context
from jinja2.nodes import Const, Expr, Filter, Node, Template
from jinja2.runtime import Context, LoopContext
from jinja2.utils import _PassArg
from jinja2.visitor import NodeTransformer

from monitor.notify.render.budget import LARGEST_NUMBER, made, selected, spend_characters, spend_on_reading
from monitor.notify.render.work import filtered, gathered, only_simple, spend_on_filter, spend_on_test, spend_on_text


@pass_context
def _looped(context: Context, items: Iterable[Any], data: int) -> Iterator[Any]:
    """Yields ``items`` of a loop; ``data`` is how many characters of text its body contains."""
    for item in items:
        spend_characters(data)
        yield item


@pass_context
def _entered(context: Context, nothing: object, data: int) -> object:
    """Counts the text of a macro or a block when it begins; ``data`` is its number of characters."""
    spend_characters(data)
    return nothing


@pass_context
def _compared(context: Context, value: Any) -> Any:
    """Counts a side of a comparison, with everything in it."""
    spend_on_reading(value)
    return value


@pass_context
def _written(context: Context, value: Any) -> Any:
    """Counts a value that is about to be written into a text."""
    spend_on_text([value])
    return value


@pass_context
def _key(context: Context, value: Any) -> Any:
    """Checks a value that is about to become a key of a dictionary."""
    return only_simple(value)


@pass_context
def _made(context: Context, value: Any) -> Any:
    """Counts a list, a dictionary or a text that was just made."""
    return made(value)


@pass_context
def _sliced(context: Context, value: Any) -> Any:
    """Counts a part of a list or of a text."""
    return selected(value)


BUDGETING: Final[dict[str, Callable[..., Any]]] = {
    " looped": _looped,
    " entered": _entered,
    " compared": _compared,
    " key": _key,
    " made": _made,
    " sliced": _sliced,
    " written": _written,
}
"""Filters that only rewritten templates use; a template cannot write such a name."""


def bounded_filter(name: str, function: Any) -> Callable[..., Any]:
    """Returns a filter of Jinja2 that counts its cost and its result against the budget. Jinja2 then does not evaluate it in advance."""
    return _bounded(name, function, lambda context, *given: spend_on_filter(context.environment, name, *given))


def bounded_test(name: str, function: Any) -> Callable[..., Any]:
    """Returns a test of Jinja2 that counts its cost."""
    return _bounded(name, function, lambda _, *given: spend_on_test(name, *given))


def _bounded(
    name: str, function: Any, spend_on: Callable[[Context, Any, tuple[Any, ...], dict[str, Any]], None]
) -> Callable[..., Any]:
    first = _FIRST[_PassArg.from_obj(function)]

    @wraps(function)
    def taken(context: Context, value: Any = None, *args: Any, **kwargs: Any) -> Any:
        value = gathered(list(value)) if isinstance(value, LoopContext) else value
        spend_on(context, value, args, kwargs)
        before = () if first is None else (first(context),)
        return filtered(name, gathered(function(*before, value, *args, **kwargs)))

    return pass_context(taken)


_FIRST: Final[dict[_PassArg | None, Callable[[Context], object] | None]] = {
    None: None,
    _PassArg.context: lambda context: context,
    _PassArg.eval_context: lambda context: context.eval_ctx,
    _PassArg.environment: lambda context: context.environment,
}
"""Returns the argument that a function of Jinja2 takes before its value."""


MOST_SIGNS: Final = 20_000
"""The most names, values and signs of one template, which bounds the time of compiling it."""
LONGEST_EXPRESSION: Final = 1_000
"""The most names, values and signs within one ``{{ … }}`` or ``{% … %}``."""
DEEPEST_LOOP: Final = 15
"""The most nested loops. Python itself allows 20 nested blocks."""
_LONGEST_NUMBER: Final = 70
_BLANK: Final = frozenset({"comment", "comment_begin", "comment_end", "data", "whitespace"})
_ENDS: Final = frozenset({"variable_end", "block_end"})


def refuse_costly(signs: Iterable[tuple[int, str, str]]) -> None:
    """Refuses templates that are slow or impossible to compile; each sign is a line, a kind and a text. Raises TemplateSyntaxError."""
    number = within = 0
    for line, kind, text in signs:
        number += kind not in _BLANK
        within = 0 if kind in _ENDS else within + (kind not in _BLANK)
        if number > MOST_SIGNS:
            raise TemplateSyntaxError(f"a template can have {MOST_SIGNS:,} names, values and signs at most", line)
        if within > LONGEST_EXPRESSION:
            raise TemplateSyntaxError(
                f"one expression can have {LONGEST_EXPRESSION:,} names, values and signs at most", line
            )
        if kind in ("integer", "float") and _is_too_large(kind, text):
            raise TemplateSyntaxError(f"the number {text[:20]}{'…' * (len(text) > 20)} is too large", line)


def _is_too_large(kind: str, text: str) -> bool:
    if kind == "float":
        return math.isinf(float(text.replace("_", "")))
    return len(text) > _LONGEST_NUMBER or int(text.replace("_", ""), 0) > LARGEST_NUMBER


def rewritten(tree: Template, environment: Environment) -> Template:
    """Returns the template with the budget's filters added. Raises TemplateSyntaxError for recursive or too deeply nested loops."""
    for node in list(tree.find_all((nodes.Macro, nodes.CallBlock, nodes.Block))):
        assert isinstance(node, nodes.Macro | nodes.CallBlock | nodes.Block)
        entered = Filter(Const(None), " entered", [Const(_data(node.body))], [], None, None)
        node.body.insert(0, nodes.ExprStmt(entered))
    tree = _Rewriting().visit(tree)
    tree.set_environment(environment)
    return tree


class _Rewriting(NodeTransformer):
    """Adds filters around loops, comparisons and new values."""

    def __init__(self) -> None:
        self._loops = 0

    def visit_For(self, node: nodes.For) -> Node:  # noqa: N802 - Jinja2 finds it by this name
        if node.recursive:
            raise TemplateSyntaxError("a loop cannot be recursive here; write a macro", node.lineno)
        if self._loops == DEEPEST_LOOP:
            raise TemplateSyntaxError(f"a loop can stand in {DEEPEST_LOOP - 1} others at most", node.lineno)
        data = _data(node.body)
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1
        node.iter = Filter(node.iter, " looped", [Const(data)], [], None, None, lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        node.expr = _filtered(node.expr, " compared")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, " compared")
        return node

    def visit_Concat(self, node: nodes.Concat) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        node.nodes = [one if isinstance(one, Const) else _filtered(one, " written") for one in node.nodes]
        return _filtered(node, " made")

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        node.filter = node.filter or _filtered(None, " made")
        return node

    def visit_Filter(self, node: Filter) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        if node.node is None:  # the first filter of a block gets the block's text
            node.node = _filtered(None, " made")
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, " sliced") if isinstance(node.arg, nodes.Slice) else node

    def visit_List(self, node: nodes.List) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, " made")

    def visit_Dict(self, node: nodes.Dict) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        for pair in node.items:
            pair.key = pair.key if isinstance(pair.key, Const) else _filtered(pair.key, " key")
        return _filtered(node, " made")

    def visit_Tuple(self, node: nodes.Tuple) -> Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(node, " made") if node.ctx == "load" else node


def _filtered(node: Expr | None, name: str) -> Filter:
    """Returns the filter around ``node``; None is the text of the block that the filter is in."""
    return Filter(node, name, [], [], None, None, lineno=node.lineno if node else None)


def _data(body: Iterable[Node]) -> int:
    """Returns how many characters of text these nodes contain."""
    return sum(len(data.data) for node in body for data in node.find_all(nodes.TemplateData))
