"""Validates a document into a model, or returns all problems with their places."""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from monitor.config.yaml.document import Document, KeyPath
from monitor.config.yaml.model import FieldProblem, ValidationContext, notes_of
from monitor.runtime.errors import Problem

T = TypeVar("T")


def validate(
    shape: TypeAdapter[T], document: Document, reading: ValidationContext | None = None, at: KeyPath = ()
) -> T | list[Problem]:
    """The value at ``at`` as ``shape`` describes it, or what is wrong with it. What reading already complained of is not said again."""
    data = value_at(document.data, at)
    try:
        return shape.validate_python({} if data is None and not at else data, context=reading)
    except ValidationError as error:
        return problems_of(document, notes_of(error, data), at)


def problems_of(document: Document, notes: Iterable[FieldProblem], at: KeyPath = ()) -> list[Problem]:
    """The notes as problems of the document; their paths begin at ``at``."""
    return [
        document.problem(at + note.path, note.message, key=note.at_key)
        for note in notes
        if not document.is_broken(at + note.path)
    ]


def value_at(data: object, path: KeyPath) -> object:
    """The value at ``path`` in plain data; None where there is nothing."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
