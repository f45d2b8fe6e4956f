"""The model of a receiver and its channels."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from monitor.config.monitor.channels import CHANNEL_MODELS, ChannelModel
from monitor.config.yaml import FieldProblem, Name, NestedProblems, ValidationContext, YamlModel, notes_of

M = TypeVar("M", bound=ChannelModel)


def _channels(written: dict[str, Any], info: ValidationInfo) -> list[tuple[str, ChannelModel]]:
    """Returns the entries of each kind with their ids. Raises NestedProblems."""
    found: list[tuple[str, ChannelModel]] = []
    notes: list[FieldProblem] = []
    for kind, model in CHANNEL_MODELS.items():
        try:
            entries = _list_of(model, written.get(kind, []), info)
        except ValidationError as error:
            notes += (replace(note, path=(kind, *note.path)) for note in notes_of(error, written[kind]))
        else:
            found += ((f"{kind}/{number}", entry) for number, entry in enumerate(entries))
    if notes:
        raise NestedProblems(notes)
    return found


def _list_of(model: type[M], entries: object, info: ValidationInfo) -> tuple[M, ...]:
    return TypeAdapter(tuple[model, ...]).validate_python(entries, context=info.context)  # type: ignore[valid-type]  # the model is known only when this runs


Channels = Annotated[
    list[tuple[str, SerializeAsAny[InstanceOf[ChannelModel]]]],
    BeforeValidator(_channels),
    WithJsonSchema({"type": "object"}),
]


class Receiver(YamlModel):
    """Who is notified."""

    name: Name
    """The receiver's name, for routes."""
    channels: Channels = Field(default=[], alias="<channels>")
    """Every channel with its id: ``slack/0`` is the first Slack entry. The lists stand in the file under the kinds of channels."""

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        return ("name", *CHANNEL_MODELS)

    @classmethod
    def completed(cls, data: dict[str, Any], reading: ValidationContext) -> dict[str, Any]:
        """Collects the entries of all kinds of channels under one key."""
        return {key: data[key] for key in data if key not in CHANNEL_MODELS} | {"<channels>": data}

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        kind = key.removesuffix("_configs")
        if kind != key:
            return (
                f"is Alertmanager's; here it is {kind}"
                if kind in CHANNEL_MODELS
                else f"there is no {kind} here; possible: {', '.join(CHANNEL_MODELS)}"
            )
        return super().unknown_key(key, value)

    def of(self, model: type[M]) -> Iterator[tuple[str, M]]:
        """Yields the channels of one kind, each with its id."""
        return ((channel, entry) for channel, entry in self.channels if isinstance(entry, model))

    @property
    def notified_channels(self) -> list[str]:
        """Returns the channels that get single notifications; the others get all firing alerts."""
        return [channel for channel, entry in self.channels if not entry.takes_state]
