"""The model of an Alertmanager channel."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from monitor.config.monitor.channels.model import ChannelModel, Timeout
from monitor.config.yaml import FieldProblem, Secret, Text, Url, ValidationContext
from monitor.runtime.clock import SECOND


class Alertmanager(ChannelModel):
    """An Alertmanager, or all of a cluster: each gets every alert."""

    kind = "alertmanager"
    listed = "Alertmanagers."
    secrets = ("bearer_token", "password")
    takes_state = True
    further_schema: ClassVar = {"oneOf": [{"required": ["url"]}, {"required": ["urls"]}]}

    url: Url | None = None
    """Its URL, with a path if it has one: http://127.0.0.1:9093."""
    urls: tuple[Url, ...] = ()
    """The URLs of all members of a cluster, in place of url."""
    bearer_token: Secret | None = None
    """The token that requests carry as Authorization: Bearer."""
    bearer_token_file: Text | None = None
    """A file that holds the token."""
    username: Text | None = None
    """The user's name, with a password."""
    password: Secret | None = None
    """The user's password."""
    password_file: Text | None = None
    """A file that holds the password."""
    timeout: Timeout = 10 * SECOND
    """How long one attempt may take."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Returns the addresses of all Alertmanagers, without a slash at the end."""
        return (self.url,) if self.url is not None else self.urls

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        if ("url" in data) == ("urls" in data):
            yield FieldProblem((), "needs either url, or urls for all of a cluster")
        elif data.get("urls") == []:
            yield FieldProblem(("urls",), "needs at least one address")
        token, password = (key in data or f"{key}_file" in data for key in ("bearer_token", "password"))
        if ("username" in data) != password:
            yield FieldProblem((), "needs username and password (or password_file) together")
        if token and password:
            yield FieldProblem((), "takes either a bearer_token, or username and password")

    def check_values(self) -> Iterable[FieldProblem]:
        for index, url in enumerate(self.urls):
            if url in self.urls[:index]:
                yield FieldProblem(("urls", index), "is listed twice")
