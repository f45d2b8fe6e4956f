"""The base model of all channels."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from monitor.config.yaml import Period, YamlModel
from monitor.runtime.clock import MINUTE

Timeout = Annotated[Period, Field(le=5 * MINUTE)]
"""How long one attempt may take."""


class ChannelModel(YamlModel):
    """One channel of a receiver: an item of the list that a receiver has under the channel's ``kind``."""

    kind: ClassVar[str]
    """The key of the list, and the first part of the channel's id (``slack/0``)."""
    listed: ClassVar[str]
    """What the list holds, in the words of the JSON schema."""
    takes_state: ClassVar[bool] = False
    """Whether the channel gets all firing alerts again and again, rather than single notifications."""
    further_schema: ClassVar[Mapping[str, Any]] = {}
    """What the JSON schema of an entry says besides its keys, such as which keys go together."""

    @property
    def can_edit(self) -> bool:
        """Whether the channel edits what it has sent, so that a change needs no new message."""
        return False

    @property
    def keeps_alerts(self) -> bool:
        """Whether a program behind the channel keeps an alert open until it gets its end."""
        return False
