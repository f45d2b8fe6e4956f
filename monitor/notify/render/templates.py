"""Compiles, checks and renders the templates that users write, within limits. A template that fails never loses an alert."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from traceback import walk_tb
from types import CodeType, MappingProxyType
from typing import Any, Final, NoReturn

import jinja2
import msgspec
from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

from monitor.config.monitor.services import SERVICES, TEMPLATES, service_of
from monitor.model.notification import AlertView, Notification
from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.budget import Exhausted, budgeted
from monitor.notify.render.context import alert_context, awkward, notification_context
from monitor.notify.render.escape import Escape, of_content_type
from monitor.notify.render.jinja_sandbox import FILTERS, TemplateSandbox, known_names, nearest, sandbox
from monitor.notify.render.sanitize import clean, clip
from monitor.runtime.errors import MonitorError

LONGEST_TEXT: Final = 64 * 1024
"""The most characters that one template may make of an alert; longer text is cut."""

LONGEST_BODY: Final = 1024 * 1024
"""The most characters of a whole webhook body; a longer one is an error, because half a document is useless."""

_MOST_COMPILED: Final = 1000
_MOST_STOPPED: Final = 3
_NO_FILTER: Final = re.compile(r"No filter named '(.*?)'")


class TemplateProblem(MonitorError):
    """A template cannot be compiled or rendered. ``line`` counts from 1; ``message`` is a sentence without the position."""

    exit_code = 78

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


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
    return f"there is no filter {found[1]!r}{nearest(found[1], FILTERS)}" if found else clean(message, 300)


class Templates:
    """The template files of a configuration (``sources``: text by file name), those of the program, and templates that are written elsewhere.

    A file of the configuration replaces the program's file of the same name.
    """

    def __init__(self, sources: Mapping[str, str] | None = None) -> None:
        self._own = frozenset(sources or {})
        self._sources = {**_shipped(), **(sources or {})}
        self._sandboxes: dict[Escape, TemplateSandbox] = {}
        self._compiled: dict[tuple[str, str, Escape], Template] = {}

    def say_the_same(self, other: "Templates") -> bool:
        """Returns whether all template files have the same texts."""
        return self._sources == other._sources

    @property
    def names(self) -> frozenset[str]:
        """The names of the configuration's template files."""
        return self._own

    def find(self, name: str) -> str | None:
        """Returns the full name of the template called ``name``, which may be a service's (``pagerduty``); None if it does not exist."""
        service = service_of(name)
        return next((full for full in (name, service.template if service else "") if full in self._sources), None)

    @property
    def known(self) -> list[str]:
        """Every name that `find` knows, in its shortest form: the configuration's first."""
        return [*sorted(self._own), *(name for name in SERVICES if name not in self._own)]

    def compile(self, text: str, name: str = "<template>", form: Escape = "none") -> Template:
        """Compiles ``text`` as a template whose values are escaped for ``form``. Raises TemplateProblem if it is invalid or uses unknown names."""
        key = (text, name, form)
        if key not in self._compiled:
            if len(self._compiled) >= _MOST_COMPILED:
                self._compiled.clear()
            self._compiled[key] = Template(self._load(text, name, form), name)
        return self._compiled[key]

    def named(self, name: str, form: Escape | None = None) -> Template:
        """Returns the template of that name (see `find`); ``*.json*`` is escaped as JSON unless ``form`` says otherwise. Raises TemplateProblem."""
        full = self.find(name)
        if full is None:
            raise TemplateProblem(1, f"there is no template {name!r}{nearest(name, self.known)}")
        return self.compile(self._sources[full], full, form or escape_of(full))

    def body(
        self, name: str, content_type: str, notification: Notification, fields: Mapping[str, str] | None = None
    ) -> str:
        """Returns the body of a request from the template of that name; values are escaped for ``content_type``; ``fields`` as in
        `notification_context`.

        Raises TemplateProblem, also if the content type is JSON and the text is not.
        """
        form = of_content_type(content_type)
        text = self.named(name, form).render(notification_context(notification, fields), LONGEST_BODY, whole=True)
        problem_text = _json_problem(text) if form == "json" else ""
        if problem_text:
            raise TemplateProblem(
                1, f"the text is not JSON: {problem_text}; if it should not be JSON, write its content_type"
            )
        return text

    def check_syntax(self, name: str) -> TemplateProblem | None:
        """Returns what is wrong with the syntax of a template file; names are not checked, because files that include it may set them."""
        try:
            self._parsed(self._sources[name], name, escape_of(name))
        except TemplateProblem as problem:
            return problem
        return None

    def _load(self, text: str, name: str, form: Escape) -> jinja2.Template:
        sandboxed, tree, code = self._parsed(text, name, form)
        _refuse_unknown(tree)
        return jinja2.Template.from_code(sandboxed, code, sandboxed.globals)

    def _parsed(self, text: str, name: str, form: Escape) -> tuple[TemplateSandbox, nodes.Template, CodeType]:
        sandboxed = self._sandboxes.setdefault(form, sandbox(self._sources, form))
        try:
            tree = sandboxed.parse(text, name, name)
            code = sandboxed.compile(tree, name, name)
        except Exception as error:  # noqa: BLE001 — Jinja2 and Python have further ways of refusing what people write
            raise _problem(error, name) from None
        return sandboxed, tree, code

    def check(self, text: str, view: AlertView) -> str | None:
        """Returns what is wrong with the template of an alert like ``view`` (``line 1: …``), tried firing and resolved; None if nothing is."""
        over = msgspec.structs.replace(view, status="resolved", ends_at=view.as_of, resolved_because="recovered")
        try:
            template = self.compile(text)
            for tried in (view, over, awkward(view), awkward(over)):
                template.render(alert_context(tried))
        except TemplateProblem as problem:
            return str(problem)
        return None

    def render_annotations(self, templates: Mapping[str, str], view: AlertView) -> tuple[dict[str, str], list[str]]:
        """Returns the annotations of an alert, and the errors. A template that fails is replaced by the alert's sentence and the error."""
        context = alert_context(view)
        texts: dict[str, str] = {}
        errors: list[str] = []
        for name, source in templates.items():
            try:
                texts[name] = self.compile(source).render(context)
            except TemplateProblem as problem:
                errors.append(f"annotation {name!r} of rule {view.rule!r}: {problem}")
                texts[name] = f"{sentence(view)} (the template of this annotation failed: {problem})"
        return texts, errors


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, str]:
    """Returns the texts of the program's own templates, by their full names (``pagerduty.json.j2``)."""
    texts = {service.template: (TEMPLATES / service.template).read_text("utf-8") for service in SERVICES.values()}
    return MappingProxyType(texts)


def _json_problem(text: str) -> str:
    """Returns why a text is not JSON; empty if it is."""
    try:
        json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        return clean(str(error), 200)
    return ""


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")


def escape_of(name: str) -> Escape:
    """Returns how values are escaped in a template file of that name by default."""
    return "json" if ".json" in name.lower() else "none"


def _refuse_unknown(tree: nodes.Template) -> None:
    """Raises for a name that does not exist, also in a branch that no sample reaches, unless the template tests whether it is defined."""
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
