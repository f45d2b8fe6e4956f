"""Holds the templates that users write, and compiles, checks and renders them on request. A template that fails never loses an alert.

Jinja2 is imported when the first one is compiled (docs/decisions/0034-start-up.md).
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from monitor.config.monitor.services import SERVICES, TEMPLATES, service_of
from monitor.model.notification import AlertView, Notification
from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.context import alert_context, awkward, notification_context
from monitor.notify.render.escape import Escape, of_content_type
from monitor.notify.render.sanitize import clean
from monitor.notify.render.template_problem import TemplateProblem

if TYPE_CHECKING:
    from monitor.notify.render.compiled_template import Template
    from monitor.notify.render.jinja_sandbox import TemplateSandbox

LONGEST_BODY: Final = 1024 * 1024
"""The most characters of a whole webhook body; a longer one is an error, because half a document is useless."""

_MOST_COMPILED: Final = 1000


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

    def compile(self, text: str, name: str = "<template>", form: Escape = "none") -> "Template":
        """Compiles ``text`` as a template whose values are escaped for ``form``. Raises TemplateProblem if it is invalid or uses unknown names."""
        from monitor.notify.render.compiled_template import compiled

        key = (text, name, form)
        if key not in self._compiled:
            if len(self._compiled) >= _MOST_COMPILED:
                self._compiled.clear()
            self._compiled[key] = compiled(text, name, self._sandbox(form))
        return self._compiled[key]

    def named(self, name: str, form: Escape | None = None) -> "Template":
        """Returns the template of that name (see `find`); ``*.json*`` is escaped as JSON unless ``form`` says otherwise. Raises TemplateProblem."""
        full = self.find(name)
        if full is None:
            from monitor.notify.render.jinja_sandbox import nearest

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
        from monitor.notify.render.compiled_template import parsed

        try:
            parsed(self._sources[name], name, self._sandbox(escape_of(name)))
        except TemplateProblem as problem:
            return problem
        return None

    def _sandbox(self, form: Escape) -> "TemplateSandbox":
        from monitor.notify.render.jinja_sandbox import sandbox

        if form not in self._sandboxes:
            self._sandboxes[form] = sandbox(self._sources, form)
        return self._sandboxes[form]

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
