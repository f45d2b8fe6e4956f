"""Validates a document into a model, or returns all problems with their locations."""

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
    """Returns the value at ``at``, validated by ``shape``, or its problems, except those that reading already reported."""
    data = value_at(document.data, at)
    try:
        return shape.validate_python({} if data is None and not at else data, context=reading)
    except ValidationError as error:
        return problems_of(document, notes_of(error, data), at)


def problems_of(document: Document, notes: Iterable[FieldProblem], at: KeyPath = ()) -> list[Problem]:
    """Returns the problems with their locations in the document; their paths begin at ``at``."""
    return [
        document.problem(at + note.path, note.message, key=note.at_key)
        for note in notes
        if not document.is_broken(at + note.path)
    ]


def value_at(data: object, path: KeyPath) -> object:
    """Returns the value at ``path`` in plain data; None if there is none."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
