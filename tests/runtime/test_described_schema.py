"""Fields are described by the docstrings below them, in schemas alone."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from monitor.runtime.described_schema import DescribedSchema


class Outer(BaseModel):
    """Two fields."""

    name: str
    """What it is called."""
    for_: int = Field(default=0, alias="for")
    """How long
    it lasts."""
    silent: bool = False


class Inner(Outer):
    name: str = "another"
    size: int = Field(default=1, description="Said by the field itself.")
    """Not taken."""

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, data: Any, handler: Any) -> Any:
        return handler(data)


@dataclass(frozen=True, slots=True)
class Answer:
    __pydantic_config__ = ConfigDict(alias_generator=str.upper)

    inner: Inner
    """What is inside."""
    count: int = 0


def described(shape: Any, mode: Any = "validation") -> dict[str, Any]:
    schema = TypeAdapter(shape).json_schema(schema_generator=DescribedSchema, mode=mode)
    return {key: value.get("description") for key, value in schema["properties"].items()}


def test_a_field_is_described_by_the_text_below_it_under_the_key_that_people_write() -> None:
    assert described(Outer) == {"name": "What it is called.", "for": "How long\nit lasts.", "silent": None}


def test_an_inherited_field_keeps_its_text_and_one_that_is_annotated_again_does_not() -> None:
    expected = {"name": None, "for": "How long\nit lasts.", "silent": None, "size": "Said by the field itself."}
    assert described(Inner) == expected


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_dataclass_and_what_it_refers_to_are_described(mode: str) -> None:
    assert described(Answer, mode) == {"INNER": "What is inside.", "COUNT": None}
    schema = TypeAdapter(Answer).json_schema(schema_generator=DescribedSchema, mode=mode)  # type: ignore[arg-type]  # one of its two words
    assert schema["$defs"]["Inner"]["properties"]["for"]["description"] == "How long\nit lasts."


def test_a_class_without_source_has_no_descriptions() -> None:
    made: dict[str, Any] = {}
    exec('class Typed:\n    """No source."""\n    x: int\n', {"__name__": "no.such.module"}, made)
    assert described(dataclass(made["Typed"])) == {"x": None}
