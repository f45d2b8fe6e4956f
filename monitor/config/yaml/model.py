"""The base model of every section of the configuration and of every rule.

A `YamlModel` reports all of its problems at once, as `FieldProblem`s with the path below the model and a readable sentence: unknown keys with
the most similar known one, keys without a value, secrets and their ``*_file`` twins, wrong types, and what the model itself finds
(`YamlModel.check_keys` in the raw keys, `YamlModel.check_values` in the validated values).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from monitor.config.yaml.document import KeyPath
from monitor.config.yaml.secret_file import read_secret
from monitor.config.yaml.sentences import MISSING, kind_of, sentence
from monitor.config.yaml.unread_secret import UnreadSecret
from monitor.config.yaml.words import near_miss, suggest
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One problem below a model: its path, its message, and whether it concerns the key rather than the value."""

    path: KeyPath
    message: str
    at_key: bool = False

    def below(self, written: Mapping[str, str]) -> "FieldProblem":
        """Returns the problem with the key at the beginning of its path as it is written; ``written`` maps what is meant to that."""
        first, *rest = self.path or ("",)
        return replace(self, path=(written[first], *rest)) if isinstance(first, str) and first in written else self


class NestedProblems(ValueError):
    """Several problems, each with its path below the validated value."""

    def __init__(self, notes: Iterable[FieldProblem]) -> None:
        self.notes = tuple(notes)
        super().__init__("; ".join(note.message for note in self.notes))


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """What validation may need: the folder to which paths are relative, and the environment.

    ``late_secrets``: a secret whose file cannot be read is no problem of the configuration, but of who uses it (`UnreadSecret`).
    """

    folder: Path = field(default_factory=Path)
    environ: Mapping[str, str] = field(default_factory=dict)
    late_secrets: bool = False


class YamlModel(BaseModel):
    """A mapping that people write."""

    # A validator is built when it is first used, and the docstrings of fields are read only for schemas (DescribedSchema).
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys that have a ``*_file`` twin; at most one of the two may be written."""
    secret_paths: ClassVar[tuple[str, ...]] = ()
    """Keys that name a secret file which is used as a file."""
    later: ClassVar[tuple[str, ...]] = ()
    """Known keys that this version does not support."""
    may_be_null: ClassVar[tuple[str, ...]] = ()
    """Keys for which ``null`` has a meaning."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        """Yields the problems of the raw keys, before values are validated."""
        return ()

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        """Returns the message about an unknown key. Models override it for likely keys of other programs."""
        return f"unknown key{suggest(key, cls.keys())}"

    @classmethod
    def completed(cls, data: dict[str, Any], reading: ValidationContext) -> dict[str, Any]:
        """Returns the keys, with those that follow from others filled in."""
        return data

    def check_values(self) -> Iterable[FieldProblem]:
        """Yields problems of values that are valid by themselves."""
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not isinstance(data, dict):
            raise ValueError(f"should be a mapping (key: value), not {kind_of(data)}")
        reading = info.context if isinstance(info.context, ValidationContext) else ValidationContext()
        kept, notes = cls._sift(data)
        written = cls._misspelt(data)
        if written:  # goes on as if they were right, so that nothing is reported that only follows from the misspelling
            data = {meant: data[key] for meant, key in written.items()} | data
            kept |= {meant: data[meant] for meant in written if data[meant] is not None}
        further = [*cls._open_secrets(kept, reading), *cls.check_keys(data, reading)]
        try:
            model = handler(cls.completed(kept, reading))
        except ValidationError as error:
            further += cls._notes_of(error, data)
        else:
            further += model.check_values()
        notes += [note.below(written) for note in further]
        if notes:
            raise NestedProblems(notes)
        return model

    @classmethod
    def _misspelt(cls, data: dict[str, Any]) -> dict[str, str]:
        """Returns the unknown keys that surely mean a known one which is not written, by that one."""
        known = cls.keys()
        twins = {f"{key}_file": key for key in cls.secrets} | {key: f"{key}_file" for key in cls.secrets}
        free = [key for key in known if key not in data and twins.get(key) not in data]
        return {meant: key for key in data if key not in known and (meant := near_miss(key, free))}

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Returns the keys that can be written."""
        return tuple(info.alias or name for name, info in cls.model_fields.items())

    @classmethod
    def _sift(cls, data: dict[str, Any]) -> tuple[dict[str, Any], list[FieldProblem]]:
        """Returns the keys to validate, and the problems of the others."""
        kept, notes, known = {}, [], cls.keys()
        for key, value in data.items():
            if key in cls.later:
                notes.append(
                    FieldProblem((key,), "is not supported in this version of routee-monitor; take it out", at_key=True)
                )
            elif key not in known:
                notes.append(FieldProblem((key,), cls.unknown_key(key, value), at_key=True))
            elif value is None and key not in cls.may_be_null:
                notes.append(FieldProblem((key,), "has no value; write one, or take the key out", at_key=True))
            else:
                kept[key] = value
        return kept, notes

    @classmethod
    def _open_secrets(cls, kept: dict[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        """Replaces the names of secret files with their content."""
        for key in cls.secrets:
            name = kept.get(f"{key}_file")
            if not isinstance(name, str):
                continue
            if key in kept:
                yield FieldProblem((f"{key}_file",), f"write either {key} or {key}_file, not both", at_key=True)
                continue
            try:
                kept[key] = read_secret(name, reading.folder, reading.environ)
            except ValueError as error:
                kept[key] = UnreadSecret(f"{key}_file: {error}")
                if not reading.late_secrets:
                    yield FieldProblem((f"{key}_file",), str(error))

    @classmethod
    def _notes_of(cls, error: ValidationError, data: dict[str, Any]) -> Iterable[FieldProblem]:
        for note in notes_of(error, data):
            first = note.path[0] if note.path else ""
            twin = f"{first}_file" if first in cls.secrets else ""
            missing = note.message == MISSING and len(note.path) == 1
            if missing and (first in data or twin in data):
                continue  # the empty value or its file was already reported
            if missing and twin:
                note = replace(note, message=f"is missing: write {first} or {twin}")
            elif twin in data and first not in data:
                note = replace(note, path=(twin,))
            yield note


def secret_files(part: object) -> Iterator[str]:
    """Yields the names of the secret files of a model and of all below it."""
    if isinstance(part, YamlModel):
        keys = (*(f"{key}_file" for key in part.secrets), *part.secret_paths)
        names = (getattr(part, key, None) for key in keys)
        yield from (name for name in names if isinstance(name, str))
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from secret_files(getattr(part, name))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from secret_files(one)


def notes_of(error: ValidationError, data: object) -> Iterable[FieldProblem]:
    """Yields the errors of pydantic as problems; those of nested models keep their own paths."""
    for item in error.errors(include_url=False):
        path = _as_written(item["loc"], data)
        cause = item.get("ctx", {}).get("error")
        if _only_follows(item):
            continue
        if isinstance(cause, NestedProblems):
            yield from (replace(note, path=path + note.path) for note in cause.notes)
        elif item["type"] == "union_tag_not_found" and not isinstance(item["input"], dict):
            yield FieldProblem(path, sentence(item))
        elif item["type"] in ("union_tag_invalid", "union_tag_not_found"):
            yield FieldProblem((*path, str(item.get("ctx", {})["discriminator"]).strip("'")), sentence(item))
        else:
            yield FieldProblem(path, sentence(item))


def _only_follows(error: ErrorDetails) -> bool:
    """Returns whether an error only follows from another: a default that depends on a wrong value, or a list without its wrong items."""
    if error["type"] == "too_short":
        return bool(len(error["input"]) >= error["ctx"]["min_length"])
    return error["type"] == "default_factory_not_called"


def _as_written(loc: KeyPath, data: object) -> KeyPath:
    """Returns the path in the file: includes a missing key, and omits the tags that pydantic adds for unions (a kind, or ``<so>``)."""
    path: list[str | int] = []
    for number, step in enumerate(loc):
        if isinstance(data, dict):
            if step in data:
                data = data[step]
            elif number < len(loc) - 1 or step == data.get("kind") or str(step).startswith("<"):
                continue
            path.append(step)
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
            path.append(step)
    return tuple(path)
