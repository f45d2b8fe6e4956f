"""Sends to Slack with the URL of an incoming webhook: each notification is a new message, because a webhook cannot edit."""

from typing import Any, Final

from monitor.model.notification import Notification
from monitor.notify.channels import http
from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Outcome, Rejected, Retry
from monitor.notify.channels.reach import unreached
from monitor.notify.channels.slack.block_kit import headline, message, plainer
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits, RateLimited
from monitor.notify.render.compiled_template import Template
from monitor.notify.render.escape import to_json
from monitor.runtime.clock import SECOND, Clock, Instant

_MEND: Final = "unarchive its channel, or add a new incoming webhook to the app and put its URL into the configuration"
_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}


class SlackHookNotifier:
    """The notifier of one incoming webhook.

    Its URL is a secret; ``timeout`` in seconds bounds each post; ``paces`` is shared with other users of the same URL.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        template: Template | None = None,
        timeout: float = 15.0,
        paces: ChannelRateLimits | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._template = template
        self.timeout = timeout
        self._pace = (paces or ChannelRateLimits()).of("", url, "")

    checked = "a connection opens; the URL's path is not tried, because that would post"

    def __repr__(self) -> str:
        return f"SlackHookNotifier({origin(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Posts the message; posts it as plain text if Slack refuses the layout."""
        text, problem = headline(self._template, notification)
        made = message(notification, text, problem)
        outcome = await self._post(made)
        return await self._post(plainer(made, "400")) if isinstance(outcome, Rejected) else outcome

    async def _post(self, made: dict[str, Any]) -> Outcome:
        body = to_json(made | {"unfurl_links": False, "unfurl_media": False}).encode(errors="replace")
        try:
            await self._pace.acquire()
        except RateLimited as hold:
            return Retry(f"Slack asked to wait another {hold}", round(hold.seconds * SECOND))
        outcome = await http.post(self._url, body, _HEADERS, self.timeout, self._clock.now(), classify=_classify)
        if isinstance(outcome, Retry) and outcome.after is not None:
            self._pace.hold(outcome.after / SECOND)
        return outcome

    async def check(self) -> str:
        """Returns what is wrong with the form of the URL, or why no connection opens; a webhook cannot be checked further without posting."""
        if self._url.startswith(("http://", "https://")):
            return await unreached(self._url, self.timeout)
        return f"{origin(self._url)}: an incoming webhook's URL begins with https://; correct it in the configuration"


def _classify(where: str, status: int, retry_after: str | None, text: str, now: Instant) -> Outcome:
    """Classifies an answer. Only 400 is about the message; other refusals can be fixed by a person, so they are tried again."""
    outcome = http.outcome_of(where, status, retry_after, text, now)
    if isinstance(outcome, Rejected) and status != 400:
        return Retry(f"{where} answered {status}{f': {text}' if text else ''}; {_MEND}")
    return outcome
