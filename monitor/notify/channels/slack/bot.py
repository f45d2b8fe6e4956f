"""Sends to Slack with a bot token: one message for each episode, edited as things change, with each change as a line in its thread."""

import http.client
import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import trio
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent, too_slow, unreachable
from monitor.notify.channels.slack.block_kit import headline, message, plainer, reply
from monitor.notify.channels.slack.chart_upload import Charts
from monitor.notify.channels.slack.client import SlackClient, may_send
from monitor.notify.channels.slack.errors import (
    GONE,
    NO_THREAD,
    asked_wait,
    badly_laid_out,
    code,
    reason,
    socket_reason,
    verdict,
)
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits, RateLimited
from monitor.notify.render.compiled_template import Template
from monitor.notify.render.notification_text import urgency
from monitor.runtime.certificates import trust
from monitor.runtime.clock import SECOND, Clock
from monitor.runtime.proxies import proxies

API_URL: Final = "https://slack.com/api/"

_REMEMBERED: Final = 256
_SCOPES: Final = "x-oauth-scopes"
_WRITE: Final = "chat:write"
_FILES: Final = "files:write"
_UNTOUCHED: Final[dict[str, Any]] = {"parse": "none", "link_names": False}
"""Options that keep Slack from finding names and links in the text."""

Receipt = dict[str, str]
T = TypeVar("T")

log = logging.getLogger(__name__)


class SlackNotifier:
    """The notifier of one Slack channel. ``timeout`` in seconds bounds the one or two calls of each send; ``template`` replaces the sentence.

    ``paces`` is shared by all notifiers that may write to the same channel. ``chart`` adds a picture to the thread, if one can be drawn. With
    ``app_token``, Socket Mode reports pressed buttons (`monitor.notify.channels.slack.socket_mode`), so messages have buttons.
    ``broadcast_resolved`` says which ends are shown in the channel as well as in the thread: ``critical`` ones, ``always`` or ``never``.
    """

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        clock: Clock,
        api_url: str = API_URL,
        template: Template | None = None,
        timeout: float = 15.0,
        paces: ChannelRateLimits | None = None,
        chart: bool = False,
        app_token: str | None = None,
        broadcast_resolved: str = "critical",
    ) -> None:
        # Longer than our own limit: an answer that comes after our timeout still shows that the post arrived.
        patience = math.ceil(2 * timeout)
        proxy = proxies().of(api_url)
        self._client = SlackClient(token, api_url=api_url, timeout=patience, trusted=trust(), proxy=proxy)
        self._token = token
        self._api_url = api_url
        self._channel = channel
        self._clock = clock
        self._template = template
        self.timeout = timeout
        self._paces = paces or ChannelRateLimits()
        self._charts = Charts(self._client) if chart else None
        self._app_token = app_token
        self._broadcast_resolved = broadcast_resolved
        # One call at a time: after a timeout the call goes on in its thread, and its result must be known before the next try.
        self._one_call = trio.CapacityLimiter(1)
        self._posted: OrderedDict[tuple[str, str], Receipt] = OrderedDict()

    checked = "Slack accepts the token"

    def __repr__(self) -> str:
        return f"SlackNotifier({self._channel})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Posts the notification; if the episode already has a message, edits it and posts the change into its thread."""
        outcome = await self._within(lambda limit: self._tell(notification, previous or {}, limit))
        if self._charts is not None and isinstance(outcome, Sent):
            await self._charts.show(notification, outcome.receipt)
        return outcome

    async def check(self) -> str:
        """Returns what is wrong with the tokens or their scopes. Nobody sees the check in Slack."""
        outcome = await self._within(lambda _: self._identify())
        if isinstance(outcome, Retry | Rejected):
            return outcome.why
        return self._charts.problem() if self._charts is not None else ""

    async def _identify(self) -> Outcome:
        answer = await self._in_thread(self._client.auth_test)
        advice = missing_scopes_advice(answer.headers, chart=self._charts is not None)
        if advice:
            return Rejected(advice)
        if self._app_token is not None:
            return await self._ask_for_socket(self._app_token)
        return Sent()

    async def _ask_for_socket(self, app_token: str) -> Outcome:
        try:
            await self._in_thread(lambda: self._client.apps_connections_open(app_token=app_token))
        except SlackApiError as error:
            return Rejected(f"Slack's Socket Mode cannot be used: {socket_reason(error)}")
        return Sent()

    async def _within(self, act: Callable[[trio.CancelScope], Awaitable[Outcome]]) -> Outcome:
        """Runs ``act`` within the time limit. All exceptions of slack-sdk and urllib become an Outcome here."""
        with trio.move_on_after(self.timeout) as limit:
            try:
                return await act(limit)
            except RateLimited as hold:
                return Retry(f"Slack asked to wait another {hold}", round(hold.seconds * SECOND))
            except SlackApiError as error:
                return verdict(error, self._channel, self._clock.now())
            except (OSError, http.client.HTTPException, SlackClientError, ValueError) as error:
                return unreachable("Slack", error)
        return too_slow("Slack", self.timeout)

    async def _tell(self, notification: Notification, previous: Receipt, limit: trio.CancelScope) -> Outcome:
        text, problem = headline(self._template, notification)
        made = message(notification, text, problem, pressable=self._app_token is not None)
        if notification.reason == "acknowledged":
            return await self._edit_only(made, previous)
        if "channel" in previous and "ts" in previous:
            first = {"channel": previous["channel"], "ts": previous["ts"]}
            if await self._edit(made | first):
                await self._reply(notification, first, limit)
                return Sent(first)
        receipt = await self._post((notification.key, "message"), made | {"channel": self._channel}, limit)
        if "channel" in receipt:
            self._paces.same(self._api_url, self._token, self._channel, receipt["channel"])
        return Sent(receipt)

    async def _edit_only(self, made: dict[str, Any], previous: Receipt) -> Outcome:
        """Updates only the episode's first message; if that is gone, posts nothing."""
        if "channel" in previous and "ts" in previous:
            await self._edit(made | {"channel": previous["channel"], "ts": previous["ts"]})
        return Sent(previous)

    async def _edit(self, made: dict[str, Any]) -> bool:
        """Shows the present state in the episode's first message; returns False if that message is gone. It is safe to repeat."""
        try:
            await self._with_plain_fallback(
                made, lambda made: self._call(made, lambda: self._client.chat_update(**made, **_UNTOUCHED))
            )
        except SlackApiError as error:
            if code(error) in GONE:
                return False
            raise
        return True

    async def _reply(self, notification: Notification, first: Receipt, limit: trio.CancelScope) -> None:
        """Posts the change as a line in the thread; escalations, repeats and the ends that `_shows_end` selects appear in the channel too."""
        memory = notification.key, "reply"
        line = reply(notification) | {"channel": first["channel"]}
        seen = notification.reason in ("escalated", "repeat", "reopened") or self._shows_end(notification)
        try:
            await self._post(memory, line | {"thread_ts": first["ts"], "reply_broadcast": seen}, limit)
        except SlackApiError as error:
            if code(error) not in NO_THREAD:
                raise
            await self._post(memory, line, limit)

    def _shows_end(self, notification: Notification) -> bool:
        """Returns whether the end is shown in the channel too: people who were alerted there do not look into the thread."""
        if notification.status == "firing" or self._broadcast_resolved == "never":
            return False
        return self._broadcast_resolved == "always" or urgency(notification) == "critical"

    async def _post(self, memory: tuple[str, str], made: dict[str, Any], limit: trio.CancelScope) -> Receipt:
        async def post(made: dict[str, Any]) -> Receipt:
            await self._paces.of(self._api_url, self._token, made["channel"]).acquire(limit)
            return await self._call(made, lambda: self._post_once(memory, made))

        return await self._with_plain_fallback(made, post)

    async def _with_plain_fallback(self, made: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[T]]) -> T:
        """Sends a message with ``send``; sends it as plain text if Slack refuses the layout."""
        try:
            return await send(made)
        except SlackApiError as error:
            if not badly_laid_out(error):
                raise
            log.warning("Slack refused the layout of a message; it is sent as plain text: %s", reason(error))
            return await send(plainer(made, code(error)))

    def _post_once(self, memory: tuple[str, str], made: dict[str, Any]) -> Receipt:
        """Posts a message, in a thread that may outlive its caller's time limit: the next try finds a post that succeeded late."""
        if memory not in self._posted:
            answer = self._client.chat_postMessage(**made, **_UNTOUCHED, unfurl_links=False, unfurl_media=False)
            self._posted[memory] = {name: str(answer[name]) for name in ("channel", "ts") if answer.get(name)}
            while len(self._posted) > _REMEMBERED:
                self._posted.popitem(last=False)
        return self._posted[memory]

    async def _call(self, made: dict[str, Any], function: Callable[[], T]) -> T:
        """Calls ``function`` unless Slack has asked to wait with the channel of ``made``; if Slack asks now, the wait applies to all its users."""
        pace = self._paces.of(self._api_url, self._token, made["channel"])
        pace.must_not_be_held()
        try:
            return await self._in_thread(function)
        except SlackApiError as error:
            asked = asked_wait(error, self._clock.now())
            if asked is not None:
                pace.hold(asked / SECOND)
            raise

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Runs ``function``. If this is cancelled, it sends nothing more, but notes the answer to what it has sent."""
        left = threading.Event()

        def call() -> T:
            may_send.set(lambda: not left.is_set())
            return function()

        try:
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._one_call)
        finally:
            left.set()


def missing_scopes_advice(headers: Mapping[str, str], *, chart: bool) -> str:
    """Returns what to do about missing scopes, by the headers of an answer from Slack; empty if none is missing, or Slack does not say."""
    said = next((value for name, value in headers.items() if name.lower() == _SCOPES), None)
    if said is None:
        return ""
    has = {scope.strip() for scope in said.split(",")}
    missing = [scope for scope in (_WRITE, *([_FILES] if chart else [])) if scope not in has]
    if not missing:
        return ""
    return f"the bot token lacks the scope {' and '.join(missing)}: add it under OAuth & Permissions, then install the app again"
