"""Sends webhooks: Alertmanager's payload or a body from a template, signed if there is a secret (Standard Webhooks)."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from standardwebhooks import Webhook

from monitor.model.notification import Notification
from monitor.notify.channels import http
from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Outcome
from monitor.notify.channels.reach import unreached
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.escape import JSON, of_content_type, to_json
from monitor.notify.render.template_problem import TemplateProblem
from monitor.notify.render.templates import Templates
from monitor.notify.render.text import plain_text
from monitor.runtime.clock import Clock, to_datetime
from monitor.runtime.dataclass import dataclass

_PREFIX: Final = "whsec_"
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request without its signature, which depends on the time of sending."""

    url: str
    headers: dict[str, str]
    body: str


class WebhookNotifier:
    """The notifier of one webhook.

    ``template`` names a template for the whole body, which gets ``fields``; ``timeout`` in seconds bounds each send; ``max_alerts`` is the most
    alerts in a body, 0 for all. ``at_once`` is the most requests at the same time, each of another group. ``url_resolved`` replaces ``url`` for
    the end of an episode; its ``{episode}`` becomes a hash, so that no address contains message data.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        templates: Templates,
        template: str | None = None,
        content_type: str | None = None,
        secret: str | None = None,
        timeout: float = 10.0,
        max_alerts: int = 0,
        at_once: int = 1,
        url_resolved: str | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.at_once = at_once
        self._url = url
        self._url_resolved = url_resolved
        self._headers = dict(headers or {})
        self._fields = dict(fields or {})
        self._clock = clock
        self._templates = templates
        self._template = template
        self._content_type = content_type
        self._secret = (secret or "").strip()
        self._signer = None if not secret else Webhook(key_of(secret))
        self.timeout = timeout
        self._max_alerts = max_alerts

    checked = "a connection opens; nothing is posted"

    def __repr__(self) -> str:
        return f"WebhookNotifier({origin(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Posts a notification. ``webhook-id`` is the notification's key, so that a receiver can recognise a repetition."""
        now = self._clock.now()
        made = self.request(notification)
        sent = made.body.encode(errors="replace")
        headers = made.headers | self._signature(notification.key, to_datetime(now), sent.decode())
        return await http.post(made.url, sent, headers, self.timeout, now, self._secrets)

    def request(self, notification: Notification) -> WebhookRequest:
        """Returns the request for a notification; configured headers replace the usual ones, whatever their letter case."""
        body, content_type = self.body(notification)
        own = {name.lower() for name in self._headers}
        usual = {"Content-Type": content_type, "User-Agent": "routee-monitor", "webhook-id": notification.key}
        kept = {name: value for name, value in usual.items() if name.lower() not in own}
        return WebhookRequest(self._address(notification), kept | self._headers, body)

    def _address(self, notification: Notification) -> str:
        if notification.status == "firing" or self._url_resolved is None:
            return self._url
        return self._url_resolved.replace("{episode}", quote(notification.episode, safe=""))

    @property
    def _secrets(self) -> list[str]:
        """The values that must not appear in a log; of ``GenieKey KEY`` also the key alone."""
        values = [*self._headers.values(), *self._fields.values()]
        return [self._secret, *values, *(value.rpartition(" ")[2] for value in values)]

    def body(self, notification: Notification) -> tuple[str, str]:
        """Returns the body and its content type. If the template fails, the body is plain text that names the error."""
        content_type = self._content_type or JSON
        if self._template is None and notification.digest is not None:
            from monitor.notify.render.report.webhook_body import report_body  # with all that renders reports

            return to_json(report_body(notification, notification.digest)), content_type
        if self._template is None:
            return to_json(alertmanager(notification, self._max_alerts)), content_type
        try:
            return self._templates.body(self._template, content_type, notification, self._fields), content_type
        except TemplateProblem as problem:
            return _fallback(notification, f"The template {self._template} failed: {problem}", content_type)

    def _signature(self, key: str, signed_at: datetime, body: str) -> dict[str, str]:
        if self._signer is None:
            return {}
        signature = self._signer.sign(key, signed_at, body)
        return {"webhook-timestamp": str(int(signed_at.timestamp())), "webhook-signature": signature}

    async def check(self) -> str:
        """Returns what is wrong with the URLs or the template, or why no connection opens; nothing is posted."""
        urls = dict.fromkeys((self._url, self._url_resolved or self._url))
        for url in urls:
            if not url.startswith(("http://", "https://")) or not origin(url).partition("://")[2]:
                return f"{origin(url)}: a webhook's URL is http://… or https://… with a host; correct it in the configuration"
        if self._template is not None and self._templates.find(self._template) is None:
            return f"there is no template {self._template!r}; list its file under templates"
        hosts = {origin(url): url for url in urls}
        problems = [await unreached(url, self.timeout) for url in hosts.values()]
        return "; ".join(filter(None, problems))


def key_of(secret: str) -> bytes:
    """Returns the bytes of a secret: base64 after ``whsec_``, as Standard Webhooks writes it, otherwise the text itself."""
    text = secret.strip()
    if text.startswith(_PREFIX):
        try:
            # Padding is often left out; surplus padding is ignored.
            return base64.b64decode(text.removeprefix(_PREFIX) + "==") or text.encode()
        except binascii.Error:
            return text.encode()
    return text.encode()


def _fallback(notification: Notification, failed: str, content_type: str) -> tuple[str, str]:
    text = plain_text(notification, failed)
    if of_content_type(content_type) == "json":
        return to_json({"text": text, "error": failed, "status": notification.status}), content_type
    return text, _TEXT
