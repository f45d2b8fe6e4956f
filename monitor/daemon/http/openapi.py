"""Writes the OpenAPI document of our own API from the table of its operations. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from monitor.daemon.http.operations import Described, Operation, adapter
from monitor.runtime.described_schema import DescribedSchema

_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, and what to do, in one sentence."}},
}
_SENTENCE: Final = {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Error"}]}
"""Errors of the older operations: those about acknowledgements are answered as Alertmanager answers, by a plain sentence."""

_ERRORS: Final = {
    400: "A parameter or the body is wrong.",
    401: "The token of `web.token_file` is missing or wrong.",
    403: "The request may not do this from where it comes.",
    404: "There is nothing of that name.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    431: "The request's line and headers are too long together.",
    503: "The store cannot be read, or too many ask at once. Try again after `Retry-After` seconds.",
}
_OF_READS: Final = (400, 401, 403, 431, 503)
_OF_CHANGES: Final = (*_OF_READS, 408, 413, 415)


def openapi(operations: Sequence[Operation], described: Sequence[Described], version: str) -> dict[str, Any]:
    """Returns the document, in version 3.1 of OpenAPI."""
    types = {one.name: adapter(one.answer) for one in operations}
    for one in described:
        types |= {f"{one.name} {part}": adapter(kind) for part, kind in _types_of(one)}
    inputs = [(key, "serialization", made) for key, made in types.items()]
    schemas, definitions = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]  # each key may be any value that can be hashed
        ref_template="#/components/schemas/{model}",
        schema_generator=DescribedSchema,
    )
    found = {key: schema for (key, _), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})["get"] = _read(operation, found[operation.name])
    for one in described:
        paths.setdefault(one.path, {})[one.method] = _described(one, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "routee-monitor",
            "version": version,
            "description": "What Alertmanager's API v2 lacks: rules with their values and states, searches, campaigns, notifications and delivery. "
            "Times are ISO-8601 in UTC, shares are fractions, durations and latencies are seconds.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, **definitions.get("$defs", {})},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _types_of(one: Described) -> Iterator[tuple[str, Any]]:
    """Yields the parts of an operation that are described by a type; the others are described by a schema."""
    for part, kind in (("answer", one.answer), ("body", one.body)):
        if kind is not None and not isinstance(kind, dict):
            yield part, kind


def _read(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    can_be_missing = bool(operation.missing)
    return {
        "operationId": operation.name,
        "summary": operation.about,
        "parameters": [one.described() for one in operation.parameters],
        "responses": _responses(schema, (*_OF_READS, *((404,) if can_be_missing else ())), _reference("Error")),
    }


def _described(one: Described, found: dict[str, Any]) -> dict[str, Any]:
    answer = one.answer if isinstance(one.answer, dict) else found[f"{one.name} answer"]
    errors = (*(_OF_CHANGES if one.changes else _OF_READS), *((404,) if one.can_be_missing else ()))
    written: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.about,
        "parameters": [parameter.described() for parameter in one.parameters],
        "responses": _responses(answer, errors, _SENTENCE),
    }
    if one.body is not None:
        body = one.body if isinstance(one.body, dict) else found[f"{one.name} body"]
        written["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if one.changes:
        written["security"] = [{}, {"token": []}]
    return written


def _responses(answer: dict[str, Any], errors: Sequence[int], error: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}}}
    for status in sorted(errors):
        content = {"application/json": {"schema": error}}
        found[str(status)] = {"description": _ERRORS[status], "content": content}
    return found


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
