"""Receivers: who is told, and through which channels."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from monitor.clock import MINUTE, SECOND
from monitor.config.alertmanager import Alertmanager
from monitor.written import (
    Flag,
    Name,
    Note,
    Period,
    Reading,
    Secret,
    SecretUrl,
    Text,
    Url,
    WholeNumber,
    Written,
)

Timeout = Annotated[Period, Field(le=5 * MINUTE)]


def _app_token(token: SecretStr) -> SecretStr:
    if not token.get_secret_value().startswith("xapp-"):
        raise ValueError(
            "is not an app-level token: those begin with xapp- and are made under Basic Information, App-Level Tokens"
        )
    return token


AppToken = Annotated[Secret, AfterValidator(_app_token)]


def _closed(url: str) -> str:
    return url.rstrip("/") + "/"


class Slack(Written):
    """A Slack channel, by bot token (messages are edited, changes go into threads) or by webhook (a new message each time)."""

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
    def first_look(cls, data: Mapping[str, Any], reading: Reading) -> Iterable[Note]:
        bot = "token" in data or "token_file" in data
        hook = "webhook_url" in data or "webhook_url_file" in data
        if bot == hook:
            yield Note((), "needs either a token (token, token_file) or a webhook (webhook_url, webhook_url_file)")
        elif bot and "channel" not in data:
            yield Note(("channel",), "is missing: a token needs the channel to write to")
        elif hook and "channel" in data:
            yield Note(("channel",), "a webhook writes to its own channel; take this out, or use a token", at_key=True)
        if hook and not bot:
            for key in ("chart", "app_token", "app_token_file"):
                if key in data:
                    yield Note(
                        (key,), "needs a bot token: a webhook can only post; take this out, or use a token", at_key=True
                    )


class Webhook(Written):
    """An address that gets Alertmanager's payload, or a template's, by POST."""

    secrets = ("url", "secret")

    url: SecretUrl
    """Where to post."""
    url_file: Text | None = None
    """A file that holds the address."""
    secret: Secret | None = None
    """The key of the signature, as Standard Webhooks say."""
    secret_file: Text | None = None
    """A file that holds the key."""
    template: Text | None = None
    """The template of the body, in place of Alertmanager's payload."""
    content_type: Text | None = None
    """What the body is; left out: application/json, or text/plain where a template makes something else."""
    timeout: Timeout = 10 * SECOND
    """How long one attempt may take."""
    max_alerts: Annotated[WholeNumber, Field(ge=0)] = 0
    """The most alerts in one payload, the others are only counted; 0: all."""

    def second_look(self) -> Iterable[Note]:
        named = self.content_type or ""
        if not (named.isascii() and named.isprintable()):
            yield Note(("content_type",), "is not a content type; write it like application/json")


class Console(Written):
    """The terminal, or wherever standard output goes."""


Channel = Slack | Webhook | Alertmanager | Console


class Receiver(Written):
    """Who is told."""

    name: Name
    """What routes call it."""
    slack: tuple[Slack, ...] = ()
    """Slack channels."""
    webhook: tuple[Webhook, ...] = ()
    """Webhooks."""
    alertmanager: tuple[Alertmanager, ...] = ()
    """Alertmanagers."""
    console: tuple[Console, ...] = ()
    """[{}]: the terminal."""

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        kind = key.removesuffix("_configs")
        if kind != key:
            known = [name for name in cls.model_fields if name != "name"]
            return (
                f"is Alertmanager's; here it is {kind}"
                if kind in known
                else f"there is no {kind} here; possible: {', '.join(known)}"
            )
        return super().unknown_key(key, value)

    @property
    def channels(self) -> list[tuple[str, Channel]]:
        """Every channel with its id: ``slack/0`` is the first Slack entry."""
        found: list[tuple[str, Channel]] = [(f"slack/{number}", slack) for number, slack in enumerate(self.slack)]
        found += [(f"webhook/{number}", webhook) for number, webhook in enumerate(self.webhook)]
        found += [(f"alertmanager/{number}", entry) for number, entry in enumerate(self.alertmanager)]
        found += [(f"console/{number}", console) for number, console in enumerate(self.console)]
        return found
