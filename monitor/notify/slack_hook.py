"""Slack with an incoming webhook's URL: each notification is a new message, since a webhook can edit nothing."""

from monitor.clock import Clock
from monitor.notification import Notification
from monitor.notify import http
from monitor.notify.outcome import Outcome
from monitor.notify.slack_message import message
from monitor.notify.slack_text import headline
from monitor.render.escape import to_json
from monitor.render.templates import Template


class SlackHookNotifier:
    """One incoming webhook. Its URL is a secret; ``timeout`` in seconds bounds each send."""

    def __init__(self, url: str, *, clock: Clock, template: Template | None = None, timeout: float = 15.0) -> None:
        self._url = url
        self._clock = clock
        self._template = template
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"SlackHookNotifier({http.origin(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """POST the message."""
        text, problem = headline(self._template, notification)
        body = to_json(message(notification, text, problem) | {"unfurl_links": False, "unfurl_media": False})
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await http.post(self._url, body.encode(errors="replace"), headers, self._timeout, self._clock.now())

    async def check(self) -> str:
        """A hook has no way to ask without telling: only the form of its URL is checked."""
        if self._url.startswith(("http://", "https://")):
            return ""
        return (
            f"{http.origin(self._url)}: an incoming webhook's URL begins with https://; correct it in the configuration"
        )
