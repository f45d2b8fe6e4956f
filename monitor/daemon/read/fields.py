"""How the values of this folder are written as JSON: the names of their fields, times and durations.

`read_model` makes a frozen dataclass. Pydantic writes it as JSON and describes that JSON by a schema, so that both always agree.
"""

from typing import Annotated, TypeVar, dataclass_transform

from pydantic import ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from monitor.runtime.clock import SECOND, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass

T = TypeVar("T")

Time = Annotated[
    Instant,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""An instant, in JSON as ISO-8601 in UTC."""

Seconds = Annotated[
    Duration,
    PlainSerializer(lambda duration: duration / SECOND, return_type=float),
    WithJsonSchema({"type": "number"}, mode="serialization"),
]
"""A duration, in JSON as seconds."""

_JSON = ConfigDict(alias_generator=to_camel)


@dataclass_transform(frozen_default=True)
def read_model(cls: type[T]) -> type[T]:
    """Makes a frozen dataclass whose fields have camelCase names in JSON. Its docstrings are the schema's descriptions."""
    cls.__pydantic_config__ = _JSON  # type: ignore[attr-defined]  # pydantic looks for it there
    return dataclass(frozen=True, slots=True)(cls)
