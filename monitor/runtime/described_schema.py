"""JSON Schemas of models and dataclasses in which each field is described by the docstring below it.

Pydantic could read these docstrings itself (``use_attribute_docstrings``), but it does so whenever a class is made: every start of the program
would parse its own source for texts that only schemas show.
"""

import ast
import inspect
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class DescribedSchema(GenerateJsonSchema):
    """Generates schemas as pydantic does, with the docstrings of fields as their descriptions."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Returns the schema of a model."""
        return self._described(super().model_schema(schema), schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Returns the schema of a dataclass."""
        return self._described(super().dataclass_schema(schema), schema)

    def _described(self, made: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
        texts, keys = field_docstrings(schema["cls"]), self._keys(schema["schema"])
        for name in texts.keys() & keys.keys():
            made["properties"][keys[name]].setdefault("description", texts[name])
        return made

    def _keys(self, schema: Any) -> dict[str, str]:
        """Returns the key of each field; validators lie around the fields."""
        if "fields" not in schema:
            return self._keys(schema["schema"])
        fields = schema["fields"]
        named = fields.items() if isinstance(fields, dict) else [(field["name"], field) for field in fields]
        alias = "serialization_alias" if self.mode == "serialization" else "validation_alias"
        return {name: field.get(alias, name) for name, field in named}


def field_docstrings(described: type[Any]) -> dict[str, str]:
    """Returns the text below each annotated name of a class; the class that annotates a name first, beginning with the class itself, counts."""
    found: dict[str, str] = {}
    for base in reversed(described.__mro__):
        module = sys.modules.get(base.__module__)
        own = _docstrings(module).get(base.__qualname__, {}) if module is not None else {}
        found |= {name: own.get(name, "") for name in inspect.get_annotations(base)}
    return {name: text for name, text in found.items() if text}


@lru_cache(256)
def _docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    """Returns the docstrings of fields by the name of their class, for all classes at the top of a module; empty if it has no source."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(_texts(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _texts(node: ast.ClassDef) -> list[tuple[str, str]]:
    return [
        (field.target.id, inspect.cleandoc(below.value.value))
        for field, below in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    ]
