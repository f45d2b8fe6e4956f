"""Slack channels: by bot token, or by an incoming webhook."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, SecretStr

from monitor.config.monitor.channels.model import ChannelModel, Timeout
from monitor.config.yaml import FieldProblem, Flag, Secret, SecretUrl, Text, Url, ValidationContext
from monitor.config.yaml.unread_secret import MAY_BE_UNREAD
from monitor.runtime.clock import SECOND


def _app_token(token: SecretStr) -> SecretStr:
    if not token.get_secret_value().startswith("xapp-"):
        raise ValueError(
            "is not an app-level token: those begin with xapp- and are made under Basic Information, App-Level Tokens"
        )
    return token


AppToken = Annotated[Secret, AfterValidator(_app_token), MAY_BE_UNREAD]


def _closed(url: str) -> str:
    return url.rstrip("/") + "/"


class Slack(ChannelModel):
    """A Slack channel, by bot token (messages are edited, changes go into threads) or by webhook (a new message each time)."""

    kind = "slack"
    listed = "Slack channels."
    secrets = ("token", "webhook_url", "app_token")

    channel: Text | None = None
    """The channel (#sms-ops), with a token."""
    token: Secret | None = None
    """The bot's token (xoxb-…), with the scope chat:write."""
    token_file: Text | None = None
    """A file that holds the bot's token."""
    webhook_url: SecretUrl | None = None
    """An incoming webhook, in place of a token and a channel."""
    webhook_url_file: Text | None = None
    """A file that holds the webhook's address."""
    chart: Flag = False
    """true: a picture of the alert's course goes into the thread; the token needs the scope files:write, and Pillow is installed."""
    broadcast_resolved: Literal["critical", "always", "never"] = "critical"
    """Which resolves are shown in the channel besides the thread: those of critical alerts, all, or none."""
    app_token: AppToken | None = None
    """An app-level token (xapp-…), with the scope connections:write: with it, Acknowledge and Silence are buttons (Socket Mode)."""
    app_token_file: Text | None = None
    """A file that holds the app-level token."""
    api_url: Annotated[Url, AfterValidator(_closed)] = "https://slack.com/api/"
    """Where Slack's API is."""
    template: Text | None = None
    """The template of the message, in place of the built-in one."""
    timeout: Timeout = 10 * SECOND
    """How long one attempt may take."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        bot = "token" in data or "token_file" in data
        hook = "webhook_url" in data or "webhook_url_file" in data
        if bot == hook:
            yield FieldProblem(
                (), "needs either a token (token, token_file) or a webhook (webhook_url, webhook_url_file)"
            )
        elif bot and "channel" not in data:
            yield FieldProblem(("channel",), "is missing: a token needs the channel to write to")
        elif hook and "channel" in data:
            yield FieldProblem(
                ("channel",), "a webhook writes to its own channel; take this out, or use a token", at_key=True
            )
        if hook and not bot:
            for key in ("chart", "broadcast_resolved", "app_token", "app_token_file"):
                if key in data:
                    yield FieldProblem(
                        (key,), "needs a bot token: a webhook can only post; take this out, or use a token", at_key=True
                    )

    @property
    def can_edit(self) -> bool:
        """Returns whether the channel edits its messages: a bot does, an incoming webhook can only post."""
        return self.token is not None
