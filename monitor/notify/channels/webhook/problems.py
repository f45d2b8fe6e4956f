"""Finds problems in the template of a webhook entry, and in the fields and headers that the entry gives it."""

from collections.abc import Iterator

from monitor.config.monitor import Webhook
from monitor.config.monitor.headers import problem_text as fields_problem
from monitor.config.monitor.services import service_of
from monitor.notify.channels.channel import EntryContext, samples, secret_texts
from monitor.notify.render import TemplateProblem, Templates
from monitor.notify.render.escape import JSON
from monitor.runtime.errors import Problem


def problems(entry: Webhook, context: EntryContext) -> Iterator[Problem]:
    """Yields all problems; the template is tried with samples and the entry's fields, whose values stay hidden."""
    if entry.template is None:
        return
    full = context.templates.find(entry.template)
    if full is None:
        yield context.no_template(entry.template)
    elif full not in context.templates.names:
        for problem_text in _unmet(entry, full):
            yield context.problem(f"the template {problem_text}", "template")
    else:
        yield from _of_file(entry, full, context.templates, context.files[full])


def _unmet(entry: Webhook, full: str) -> Iterator[str]:
    """Yields what a template of the program requires of its entry and does not get."""
    service = service_of(full)
    if service is None:
        return
    wrong = fields_problem(set(entry.fields or ()), service.fields, (*service.fields, *service.optional))
    if wrong:
        yield f"{service.name} {wrong}"
    written = {name.lower() for name in entry.headers or ()}
    for name, value in service.headers:
        if name.lower() not in written:
            yield f"{service.name} needs the header {name}: write headers: {{{name}: {value}}}, or headers_file"


def _of_file(entry: Webhook, full: str, templates: Templates, file: str) -> Iterator[Problem]:
    for sample in samples():
        try:
            templates.body(full, entry.content_type or JSON, sample, secret_texts(entry.fields))
        except TemplateProblem as problem:
            yield Problem(file, problem.line, 1, "", problem.message)
            return
