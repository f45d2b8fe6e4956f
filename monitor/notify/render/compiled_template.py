"""One compiled template: parses and checks what users write, and renders it within limits.

Apart from `Templates`, because most commands have templates and render none: Jinja2 is imported with this module.
"""

import re
from collections.abc import Iterator, Mapping
from traceback import walk_tb
from types import CodeType
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

from monitor.notify.render.budget import Exhausted, budgeted
from monitor.notify.render.jinja_sandbox import FILTERS, TemplateSandbox, known_names, nearest
from monitor.notify.render.sanitize import clean, clip
from monitor.notify.render.template_problem import TemplateProblem

LONGEST_TEXT: Final = 64 * 1024
"""The most characters that one template may make of an alert; longer text is cut."""

_MOST_STOPPED: Final = 3
_NO_FILTER: Final = re.compile(r"No filter named '(.*?)'")


class Template:
    """One compiled template.

    After its budget has stopped it `_MOST_STOPPED` times it is used only for at most half as many alerts as there were then, because it would
    delay everything else.
    """

    def __init__(self, compiled: jinja2.Template, name: str) -> None:
        self.name = name
        self._compiled = compiled
        self._stopped = 0
        self._fewest = 0

    def render(self, context: Mapping[str, Any], longest: int = LONGEST_TEXT, *, whole: bool = False) -> str:
        """Returns the text, cut to ``longest`` characters; with ``whole``, longer text is an error. Raises only TemplateProblem."""
        alerts = len(context.get("alerts", ()))
        if self._stopped >= _MOST_STOPPED and max(alerts, 1) > self._fewest // 2:
            raise TemplateProblem(1, _given_up(self._fewest // 2))
        try:
            with budgeted():
                text = _gathered(self._compiled.generate(context), longest)
        except Exception as error:  # noqa: BLE001 — a template is a program of someone else's: whatever it raises, the alert goes on
            if isinstance(error, Exhausted):
                self._fewest = min(alerts, self._fewest) if self._stopped else alerts
                self._stopped += 1
            raise _problem(error, self.name) from None
        if whole and len(text) > longest:
            raise TemplateProblem(1, f"the text is longer than {longest:,} characters")
        return clip(text, longest)


def compiled(text: str, name: str, sandboxed: TemplateSandbox) -> Template:
    """Returns the compiled template. Raises TemplateProblem if it is invalid or uses unknown names."""
    tree, code = parsed(text, name, sandboxed)
    _refuse_unknown(tree)
    return Template(jinja2.Template.from_code(sandboxed, code, sandboxed.globals), name)


def parsed(text: str, name: str, sandboxed: TemplateSandbox) -> tuple[nodes.Template, CodeType]:
    """Returns a template's tree and code. Raises TemplateProblem if its syntax is wrong."""
    try:
        tree = sandboxed.parse(text, name, name)
        return tree, sandboxed.compile(tree, name, name)
    except Exception as error:  # noqa: BLE001 — Jinja2 and Python have further ways of refusing what people write
        raise _problem(error, name) from None


def _given_up(most: int) -> str:
    few = f" for more than {most:,} alerts" if most else ""
    return f"the template was stopped too often; it is not used again{few} until it is changed"


def _gathered(pieces: Iterator[str], longest: int) -> str:
    """Joins the pieces until there are more characters than ``longest``; the rest is not rendered."""
    kept: list[str] = []
    length = 0
    for piece in pieces:
        kept.append(piece[: longest + 1])
        length += len(piece)
        if length > longest:
            break
    return "".join(kept)


def _problem(error: Exception, name: str) -> TemplateProblem:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return TemplateProblem(error.lineno, _syntax(error.message or "this is not a template"))
    if isinstance(error, RecursionError):
        return TemplateProblem(1, "the template is nested too deeply")
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == name]
    known = isinstance(error, jinja2.TemplateError)
    said = clean(str(error), 300)
    if isinstance(error, jinja2.TemplateNotFound):
        said = f"there is no template {said!r} to include"
    message = said if known and said else f"{type(error).__name__}: {said}"
    return TemplateProblem(lines[-1] if lines else 1, message)


def _syntax(message: str) -> str:
    """Returns Jinja2's error message, with a suggestion if a filter is unknown."""
    found = _NO_FILTER.search(message)
    if found:
        return f"there is no filter {found[1]!r}{nearest(found[1], FILTERS)}"
    return clean(message, 300) + ("; {{ needs }} at its end" if message == "unexpected '}'" else "")


def _refuse_unknown(tree: nodes.Template) -> None:
    """Raises for a name that does not exist, also in a branch that no sample reaches, unless the template tests whether it is defined."""
    read = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
    if (
        read <= known_names()
    ):  # so that most templates are not compiled once more, which finding out what is undeclared takes
        return
    asked = {name.name for name in _asked(tree)}
    unknown = find_undeclared_variables(tree) - known_names() - asked
    for node in tree.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            raise TemplateProblem(node.lineno, f"there is no {node.name!r} here{nearest(node.name, known_names())}")


def _asked(tree: nodes.Template) -> Iterator[nodes.Name]:
    """Yields the names in ``x is defined`` and ``x | default(…)``."""
    for node in tree.find_all((nodes.Test, nodes.Filter)):
        if node.name in ("defined", "undefined", "default", "d") and isinstance(node.node, nodes.Name):
            yield node.node
