"""Templates rewritten so that whatever they do is taken from the budget of their rendering, wherever Jinja2 itself has no place for that."""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes, pass_context
from jinja2.nodes import Const, Expr, Filter, Node, Template
from jinja2.runtime import Context
from jinja2.utils import _PassArg
from jinja2.visitor import NodeTransformer

from monitor.notify.render.budget import made, size_of, spend, spend_characters


@pass_context
def _looped(context: Context, items: Iterable[Any], data: int) -> Iterator[Any]:
    """``items`` of a loop; ``data`` are the characters that stand in its body."""
    for item in items:
        spend_characters(data)
        yield item


@pass_context
def _entered(context: Context, nothing: object, data: int) -> object:
    """The beginning of a macro or a block with that many characters."""
    spend_characters(data)
    return nothing


@pass_context
def _compared(context: Context, value: Any) -> Any:
    """A side of a comparison, which looks at all that it holds."""
    spend_characters(_length(value) if isinstance(value, str) else size_of(value))
    return value


@pass_context
def _made(context: Context, value: Any) -> Any:
    """A list, a dictionary or a text that was just put together."""
    return made(value)


BUDGETING: Final[dict[str, Callable[..., Any]]] = {
    " looped": _looped,
    " entered": _entered,
    " compared": _compared,
    " made": _made,
}
"""Filters that only rewritten templates use: no template can write such a name."""


def bounded(function: Any) -> Callable[..., Any]:
    """A filter or a test of Jinja2 that takes what it looks at and what it makes from the budget. Jinja2 does not work it out in advance."""
    first = _FIRST[_PassArg.from_obj(function)]

    @wraps(function)
    def taken(context: Context, value: Any = None, *args: Any, **kwargs: Any) -> Any:
        spend(1 + _length(value))
        if first is None:
            return made(function(value, *args, **kwargs))
        return made(function(first(context), value, *args, **kwargs))

    return pass_context(taken)


_FIRST: Final[dict[_PassArg | None, Callable[[Context], object] | None]] = {
    None: None,
    _PassArg.context: lambda context: context,
    _PassArg.eval_context: lambda context: context.eval_ctx,
    _PassArg.environment: lambda context: context.environment,
}
"""What a function of Jinja2 wants before its value."""


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 0


def rewritten(tree: Template, environment: Environment) -> Template:
    """The template with the budget's filters where they have to be. Raises TemplateSyntaxError for a loop that calls itself."""
    named: list[nodes.Macro | nodes.CallBlock | nodes.Block] = [
        *tree.find_all(nodes.Macro),
        *tree.find_all(nodes.CallBlock),
        *tree.find_all(nodes.Block),
    ]
    for node in named:
        entered = Filter(Const(None), " entered", [Const(_data(node.body))], [], None, None)
        node.body.insert(0, nodes.ExprStmt(entered))
    tree = _Rewriting().visit(tree)
    tree.set_environment(environment)
    return tree


class _Rewriting(NodeTransformer):
    """Puts filters around what loops, compares and makes values."""

    def visit_For(self, node: nodes.For) -> Node:  # noqa: N802 - Jinja2 finds it by this name
        if node.recursive:
            raise TemplateSyntaxError("a loop cannot be recursive here; write a macro", node.lineno)
        data = _data(node.body)
        self.generic_visit(node)
        node.iter = Filter(node.iter, " looped", [Const(data)], [], None, None, lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filtered(node.expr, " compared")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, " compared")
        return node

    def visit_Concat(self, node: nodes.Concat) -> Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " made")

    def visit_List(self, node: nodes.List) -> Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " made")

    def visit_Dict(self, node: nodes.Dict) -> Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " made")

    def visit_Tuple(self, node: nodes.Tuple) -> Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " made") if node.ctx == "load" else node


def _filtered(node: Expr, name: str) -> Filter:
    return Filter(node, name, [], [], None, None, lineno=node.lineno)


def _data(body: Iterable[Node]) -> int:
    """The characters of text that stand in these nodes."""
    return sum(len(data.data) for node in body for data in node.find_all(nodes.TemplateData))
