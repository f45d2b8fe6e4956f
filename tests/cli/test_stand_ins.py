"""What libraries get in the place of other modules stays with them (docs/decisions/0034-start-up.md)."""

import json
import subprocess
import sys
from typing import Any

import pytest

BEGIN = """\
import json, sys
from monitor.cli.left_out import leave_out_unused
from monitor.cli.stand_ins import stand_in
leave_out_unused()
stand_in()
"""


def said(code: str) -> Any:
    """What the code prints as JSON, in a process of its own in which nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("module", "function", "library"),
    [
        ("dataclasses", "dataclass", "pydantic.types"),
        ("typing_extensions", "TypedDict", "pydantic_core.core_schema"),
        ("http.server", "BaseHTTPRequestHandler", "prometheus_client.exposition"),
        ("socketserver", "ThreadingMixIn", "prometheus_client.exposition"),
        ("wsgiref.simple_server", "WSGIServer", "prometheus_client.exposition"),
    ],
)
def test_only_the_library_gets_what_stands_in(module: str, function: str, library: str) -> None:
    code = f"""
import {library}
was = sys.modules.get({module!r})
import {module}
real = getattr(sys.modules[{module!r}], {function!r})
print(json.dumps([was is None or was.__spec__.origin == sys.modules[{module!r}].__file__, real.__module__]))
"""
    usual = "typing_extensions" if module == "typing_extensions" else module
    assert said(code) == [True, usual]


def test_models_are_validated_and_described_as_with_the_real_modules() -> None:
    code = """
from typing import Annotated, Literal
from pydantic import BaseModel, Discriminator, Field, Strict, Tag, TypeAdapter, ValidationError, WrapValidator
from pydantic import AfterValidator, AliasChoices, AliasPath, PlainSerializer, PositiveInt

class Cat(BaseModel, frozen=True):
    kind: Literal["cat"] = "cat"
    lives: Annotated[int, Field(ge=1, le=9, multiple_of=1), AfterValidator(lambda n: n + 1), Strict()]
    name: Annotated[str, Field(min_length=2, validation_alias=AliasChoices("name", AliasPath("names", 0)))]
    shown: Annotated[int, PlainSerializer(str), WrapValidator(lambda value, inner: inner(value))] = 4

class Dog(BaseModel):
    kind: Literal["dog"]
    age: PositiveInt

Pet = Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(lambda v: v["kind"])]
pets = TypeAdapter(list[Pet])
wrong = []
try:
    pets.validate_python([{"kind": "cat", "lives": "1", "name": "x"}, {"kind": "dog", "age": 0}])
except ValidationError as error:
    wrong = [[*map(str, one["loc"])] + [one["type"]] for one in error.errors()]
cat = Cat(lives=8, names=["Tom"])
print(json.dumps([wrong, cat.model_dump(), pets.json_schema()["items"]["oneOf"]]))
"""
    wrong, cat, schema = said(code)
    assert wrong == [
        ["0", "cat", "lives", "int_type"],
        ["0", "cat", "name", "string_too_short"],
        ["1", "dog", "age", "greater_than"],
    ]
    assert cat == {"kind": "cat", "lives": 9, "name": "Tom", "shown": "4"}
    assert schema == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]


def test_metrics_are_shown_as_with_the_real_modules() -> None:
    code = """
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest
registry = CollectorRegistry()
Counter("polls", "Polls.", registry=registry).inc()
print(json.dumps("polls_total 1.0" in generate_latest(registry).decode()))
"""
    assert said(code)
