"""Receivers: who is told, and through which channels."""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from monitor.config.monitor.alertmanager import Alertmanager
from monitor.config.monitor.headers import Fields, Headers, Lines
from monitor.config.monitor.services import service_of
from monitor.config.yaml import (
    FieldProblem,
    Flag,
    Name,
    Period,
    Secret,
    SecretUrl,
    Text,
    Url,
    ValidationContext,
    WholeNumber,
    YamlModel,
)
from monitor.runtime.clock import MINUTE, SECOND

Timeout = Annotated[Period, Field(le=5 * MINUTE)]


def _app_token(token: SecretStr) -> SecretStr:
    if not token.get_secret_value().startswith("xapp-"):
        raise ValueError(
            "is not an app-level token: those begin with xapp- and are made under Basic Information, App-Level Tokens"
        )
    return token


AppToken = Annotated[Secret, AfterValidator(_app_token)]


def _signing_key(secret: SecretStr) -> SecretStr:
    """Behind whsec_ stands base64 (Standard Webhooks); anything else would be signed with another key than its reader has."""
    prefix, text = "whsec_", secret.get_secret_value().strip()
    if text.startswith(prefix):
        bare = text.removeprefix(prefix).rstrip("=")
        try:
            key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except ValueError:
            key = b""
        if len(key) < SHORTEST_KEY:
            raise ValueError(
                f"begins with whsec_, but is not base64 of at least {SHORTEST_KEY} bytes behind it: "
                "`head -c 32 /dev/urandom | base64 | sed 's/^/whsec_/'` makes one"
            )
    return secret


SHORTEST_KEY: Final = 24
"""Bytes, as Standard Webhooks asks for."""
SigningKey = Annotated[Secret, AfterValidator(_signing_key)]


def _closed(url: str) -> str:
    return url.rstrip("/") + "/"


def _apprise_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", text) or re.search(r"\s", text):
        raise ValueError("is not an address of a service: write it as Apprise does, like mailto://… or ntfy://…")
    return url


AppriseUrl = Annotated[Secret, AfterValidator(_apprise_url)]
"""The address of one service. Never shown: most hold a password."""


class Slack(YamlModel):
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
    def first_look(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
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


class Webhook(YamlModel):
    """An address that gets Alertmanager's payload, or a template's, by POST."""

    secrets = ("url", "url_resolved", "secret", "headers", "fields")

    url: SecretUrl
    """Where to post; the templates of services that have one address for everybody know it."""
    url_file: Text | None = None
    """A file that holds the address."""
    url_resolved: SecretUrl | None = None
    """Where to post once all is over, in place of url; {episode} in it stands for the episode."""
    url_resolved_file: Text | None = None
    """A file that holds that address."""
    headers: Headers | None = None
    """Further headers of the request (Authorization: GenieKey …)."""
    headers_file: Text | None = None
    """A file that holds them, a line each: Name: value."""
    secret: SigningKey | None = None
    """The key of the signature, as Standard Webhooks say."""
    secret_file: Text | None = None
    """A file that holds the key."""
    template: Text | None = None
    """The template of the body, in place of Alertmanager's payload: a file's name, or a service (pagerduty)."""
    fields: Fields | None = None
    """What the template gets as fields (routing_key: …)."""
    fields_file: Text | None = None
    """A file that holds them, a line each: name: value."""
    content_type: Text | None = None
    """What the body is; application/json unless written. A template's values are escaped for it."""
    timeout: Timeout = 10 * SECOND
    """How long one attempt may take."""
    max_alerts: Annotated[WholeNumber, Field(ge=0)] = 0
    """The most alerts in one payload, the others are only counted; 0: all."""
    at_once: Annotated[WholeNumber, Field(ge=1, le=32)] = 1
    """How many requests may be under way at a time, of different groups; more are for receivers that answer slowly."""

    @classmethod
    def completed(cls, data: dict[str, Any], reading: ValidationContext) -> dict[str, Any]:
        """With the address of the template's service; what came from files is marked as lines."""
        service = service_of(data.get("template"))
        usual = {"url": service.url} if service is not None and service.url else {}
        of_files = [key for key in ("headers", "fields") if f"{key}_file" in data and isinstance(data.get(key), str)]
        return usual | data | {key: Lines(data[key]) for key in of_files}

    def second_look(self) -> Iterable[FieldProblem]:
        named = self.content_type or ""
        if not (named.isascii() and named.isprintable()):
            yield FieldProblem(("content_type",), "is not a content type; write it like application/json")
        if self.template is None and self.fields is not None:
            key = "fields_file" if self.fields_file else "fields"
            yield FieldProblem(
                (key,), "is for a template, and none is named; write template, or take this out", at_key=True
            )

    @property
    def resolve_url(self) -> SecretStr | None:
        """Where the end of an episode is posted, where that is another place: as written, else as the service has it."""
        service = service_of(self.template)
        if self.url_resolved is not None or service is None or not service.resolved:
            return self.url_resolved
        return SecretStr(self.url.get_secret_value().rstrip("/") + service.resolved)


class Console(YamlModel):
    """The terminal, or wherever standard output goes."""


class Apprise(YamlModel):
    """One of the services that the library Apprise knows; needs routee-monitor[apprise]."""

    secrets = ("url",)

    url: AppriseUrl
    """The service's address, as Apprise writes it (mailto://…, ntfy://…)."""
    url_file: Text | None = None
    """A file that holds the address."""
    timeout: Timeout = 30 * SECOND
    """How long one attempt may take."""


Channel = Slack | Webhook | Alertmanager | Apprise | Console


class Receiver(YamlModel):
    """Who is told."""

    name: Name
    """What routes call it."""
    slack: tuple[Slack, ...] = ()
    """Slack channels."""
    webhook: tuple[Webhook, ...] = ()
    """Webhooks."""
    alertmanager: tuple[Alertmanager, ...] = ()
    """Alertmanagers."""
    apprise: tuple[Apprise, ...] = ()
    """Any other service, through Apprise."""
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
        found += [(f"apprise/{number}", apprise) for number, apprise in enumerate(self.apprise)]
        found += [(f"console/{number}", console) for number, console in enumerate(self.console)]
        return found

    @property
    def notified(self) -> list[str]:
        """The channels that get notifications one by one; Alertmanagers are told the state instead."""
        return [channel for channel, entry in self.channels if not isinstance(entry, Alertmanager)]
