"""Channels: one file each, all with the same promise (`outcome.Notifier`). Which kind an entry makes is one line here.

slack, slack_hook   Slack by bot token (edits, threads) or by an incoming webhook's URL
slack_message       the message both send        slack_trouble   what Slack's refusals mean
slack_buttons       what is opened or pressed    slack_socket    presses, as Socket Mode brings them
slack_pressed       a press, read                slack_websocket one websocket
slack_pace          one message a second         slack_chart     pictures in the thread
webhook             any HTTP endpoint            http            the one place that speaks HTTP
alertmanager        Alertmanagers (see `monitor.notify.alertmanager_push`)
apprise             whatever Apprise knows       preview         what each would send, without sending
console             this terminal                outcome         what sending can come to
reach               whether a connection opens
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Retry, Sent
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.notify.render.escape import Escape
from monitor.notify.render.templates import Template, Templates
from monitor.runtime.clock import SECOND, Clock, Duration

if TYPE_CHECKING:
    from monitor.notify.channels.alertmanager import AlertmanagerClient
    from monitor.notify.channels.webhook import WebhookNotifier

__all__ = ["ChannelContext", "Notifier", "Outcome", "Rejected", "Retry", "Sent", "make_notifier", "opened"]


class SecretText(Protocol):
    """A text that does not show itself (pydantic's SecretStr)."""

    def get_secret_value(self) -> str:
        """The text."""


class SlackEntry(Protocol):
    """A Slack entry of a receiver: either ``token`` and ``channel``, or ``webhook_url``. ``template`` is the text of one.

    With a token also ``chart``, and ``app_token`` where Socket Mode tells of presses.
    """

    channel: str | None
    token: SecretText | None
    webhook_url: SecretText | None
    app_token: SecretText | None
    chart: bool
    broadcast_resolved: str
    api_url: str
    template: str | None
    timeout: Duration


class WebhookEntry(Protocol):
    """A webhook entry of a receiver. ``template`` is the name of a template; ``resolve_url`` is None where it is ``url``."""

    url: SecretText
    resolve_url: SecretText | None
    headers: Mapping[str, SecretText] | None
    fields: Mapping[str, SecretText] | None
    secret: SecretText | None
    template: str | None
    content_type: str | None
    timeout: Duration
    max_alerts: int
    at_once: int


class AlertmanagerEntry(Protocol):
    """An Alertmanager entry of a receiver."""

    addresses: tuple[str, ...]
    bearer_token: SecretText | None
    username: str | None
    password: SecretText | None
    timeout: Duration


class AppriseEntry(Protocol):
    """An Apprise entry of a receiver."""

    url: SecretText
    timeout: Duration


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What notifiers are given besides their entry: the time, the template files, where the console writes, and whom they share a pace with."""

    clock: Clock
    templates: Templates
    stream: TextIO
    paces: ChannelRateLimits = field(default_factory=ChannelRateLimits)


def make_notifier(kind: str, entry: Any, around: ChannelContext) -> Notifier:
    """The notifier of one entry of a receiver; ``kind`` is the key that it stands under. Raises TemplateProblem, and KeyError for no kind."""
    return _KINDS[kind](entry, around)


def _slack(entry: SlackEntry, around: ChannelContext) -> Notifier:
    template = template_of(entry.template, around.templates, "slack")
    if entry.token is None and entry.webhook_url is not None:
        from monitor.notify.channels.slack.incoming_webhook import SlackHookNotifier

        hook = entry.webhook_url.get_secret_value()
        return SlackHookNotifier(
            hook, clock=around.clock, template=template, timeout=entry.timeout / SECOND, paces=around.paces
        )
    from monitor.notify.channels.slack.bot import SlackNotifier

    return SlackNotifier(
        entry.token.get_secret_value() if entry.token else "",
        entry.channel or "",
        clock=around.clock,
        api_url=entry.api_url,
        template=template,
        timeout=entry.timeout / SECOND,
        paces=around.paces,
        chart=entry.chart,
        app_token=entry.app_token.get_secret_value() if entry.app_token else None,
        broadcast_resolved=entry.broadcast_resolved,
    )


def webhook_notifier(
    entry: WebhookEntry, around: ChannelContext, fields: Mapping[str, str] | None = None
) -> "WebhookNotifier":
    """The notifier of a webhook entry; ``fields`` in place of those that it was written with."""
    from monitor.notify.channels.webhook import WebhookNotifier

    return WebhookNotifier(
        entry.url.get_secret_value(),
        clock=around.clock,
        templates=around.templates,
        template=entry.template,
        content_type=entry.content_type,
        secret=entry.secret.get_secret_value() if entry.secret else None,
        timeout=entry.timeout / SECOND,
        max_alerts=entry.max_alerts,
        at_once=entry.at_once,
        url_resolved=entry.resolve_url.get_secret_value() if entry.resolve_url else None,
        headers=opened(entry.headers),
        fields=opened(entry.fields) if fields is None else fields,
    )


def opened(secrets: Mapping[str, SecretText] | None) -> dict[str, str]:
    """Named secrets as texts."""
    return {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}


def _apprise(entry: AppriseEntry, around: ChannelContext) -> Notifier:
    from monitor.notify.channels.apprise import AppriseNotifier

    return AppriseNotifier(entry.url.get_secret_value(), timeout=entry.timeout / SECOND)


def alertmanager_client(entry: Any, clock: Clock) -> "AlertmanagerClient":
    """What tells the Alertmanagers of an `AlertmanagerEntry`."""
    from monitor.notify.channels.alertmanager import AlertmanagerClient, Login

    token, password = (secret.get_secret_value() if secret else "" for secret in (entry.bearer_token, entry.password))
    login = Login(token, entry.username or "", password)
    return AlertmanagerClient(entry.addresses, clock=clock, login=login, timeout=entry.timeout / SECOND)


def _alertmanager(entry: AlertmanagerEntry, around: ChannelContext) -> Notifier:
    return alertmanager_client(entry, around.clock)


def _console(entry: object, around: ChannelContext) -> Notifier:
    from monitor.notify.channels.console import ConsoleNotifier

    return ConsoleNotifier(around.stream)


_KINDS: dict[str, Callable[[Any, ChannelContext], Notifier]] = {
    "slack": _slack,
    "webhook": webhook_notifier,
    "alertmanager": _alertmanager,
    "apprise": _apprise,
    "console": _console,
}


def template_of(source: str | None, templates: Templates, form: Escape) -> Template | None:
    """A template written in place, or the name of a template file."""
    if source is None:
        return None
    return templates.named(source, form) if source in templates.names else templates.compile(source, form=form)
