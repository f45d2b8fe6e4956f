"""Slack with a bot token: one message an episode, edited as things change, each change a line in its thread."""

import http.client
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import trio
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.clock import Clock
from monitor.notification import Notification
from monitor.notify.http import trust
from monitor.notify.outcome import Outcome, Rejected, Retry, Sent, too_slow, unreachable
from monitor.notify.slack_message import message, reply
from monitor.notify.slack_text import headline
from monitor.notify.slack_trouble import GONE, code, verdict
from monitor.render.templates import Template

API_URL: Final = "https://slack.com/api/"
SPACING: Final = 1.0
"""Seconds between two posts into a channel: Slack takes one a second."""

_REMEMBERED: Final = 256
_UNTOUCHED: Final[dict[str, Any]] = {"parse": "none", "link_names": False}
"""Slack looks for no names and no links of its own in what we send."""

Receipt = dict[str, str]
T = TypeVar("T")


class SlackNotifier:
    """One channel. ``timeout`` in seconds bounds each send, which is one or two calls; ``template`` replaces the sentence."""

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        clock: Clock,
        api_url: str = API_URL,
        template: Template | None = None,
        timeout: float = 15.0,
        spacing: float = SPACING,
    ) -> None:
        quiet = logging.getLogger("monitor.notify.slack.client")
        quiet.setLevel(
            logging.CRITICAL
        )  # it would write whole messages at DEBUG; what goes wrong comes back as an Outcome
        # Longer than our own limit: an answer that comes after we gave up still says that the post got through.
        patience = math.ceil(2 * timeout)
        # Its own retries sleep in the thread, where nothing can cancel them, and repeat posts that Slack had already taken.
        self._client = WebClient(
            token, base_url=api_url, timeout=patience, retry_handlers=[], logger=quiet, ssl=trust()
        )
        self._client.proxy = _proxy(api_url)
        self._channel = channel
        self._clock = clock
        self._template = template
        self._timeout = timeout
        self._spacing = spacing
        # One call at a time: a call that was given up goes on in its thread, and its post must be known before it is tried again.
        self._one_call = trio.CapacityLimiter(1)
        self._posted: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        self._free_at = 0.0

    def __repr__(self) -> str:
        return f"SlackNotifier({self._channel})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Post it; or, where this episode has a message already, edit that one and write the change into its thread."""
        with trio.move_on_after(self._timeout):
            return await self._translated(lambda: self._tell(notification, previous or {}))
        return too_slow("Slack", self._timeout)

    async def check(self) -> str:
        """Ask Slack whose token this is; nobody sees anything of it."""
        with trio.move_on_after(self._timeout):
            outcome = await self._translated(self._identify)
            return outcome.why if isinstance(outcome, Retry | Rejected) else ""
        return too_slow("Slack", self._timeout).why

    async def _identify(self) -> Outcome:
        await self._call(self._client.auth_test)
        return Sent()

    async def _translated(self, act: Callable[[], Any]) -> Outcome:
        """``act``, with what slack-sdk and urllib raise turned into an Outcome: here and nowhere else."""
        try:
            outcome: Outcome = await act()
        except SlackApiError as error:
            return verdict(error, self._channel, self._clock.now())
        except (OSError, http.client.HTTPException, SlackClientError, ValueError) as error:
            return unreachable("Slack", error)
        return outcome

    async def _tell(self, notification: Notification, previous: Receipt) -> Outcome:
        text, problem = headline(self._template, notification)
        made = message(notification, text, problem)
        if "channel" not in previous or "ts" not in previous:
            return Sent(await self._post((notification.key, "message"), made | {"channel": self._channel}))
        first = {"channel": previous["channel"], "ts": previous["ts"]}
        if not await self._edit(made | first):
            return Sent(await self._post((notification.key, "message"), made | {"channel": self._channel}))
        await self._post((notification.key, "reply"), _into_thread(notification, first))
        return Sent(first)

    async def _edit(self, made: dict[str, Any]) -> bool:
        """Show the present state in the episode's first message; False where that message is gone. Repeating it does no harm."""
        try:
            await self._call(lambda: self._client.chat_update(**made, **_UNTOUCHED))
        except SlackApiError as error:
            if code(error) in GONE:
                return False
            raise
        return True

    async def _post(self, memory: tuple[str, str], made: dict[str, Any]) -> Receipt:
        await self._pace()
        return await self._call(lambda: self._post_once(memory, made))

    def _post_once(self, memory: tuple[str, str], made: dict[str, Any]) -> Receipt:
        """Runs in a thread, perhaps after its caller has given up: a post that got through late is found here by the next attempt."""
        if memory not in self._posted:
            answer = self._client.chat_postMessage(**made, **_UNTOUCHED, unfurl_links=False, unfurl_media=False)
            self._posted[memory] = {name: str(answer[name]) for name in ("channel", "ts") if answer.get(name)}
            while len(self._posted) > _REMEMBERED:
                self._posted.popitem(last=False)
        return self._posted[memory]

    async def _pace(self) -> None:
        now = trio.current_time()
        start = max(now, self._free_at)
        await trio.sleep(start - now)
        self._free_at = start + self._spacing

    async def _call(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._one_call)


def _proxy(url: str) -> str | None:
    """The environment's proxy for this URL. Left to itself, slack-sdk knows neither NO_PROXY nor ALL_PROXY."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _into_thread(notification: Notification, first: Receipt) -> dict[str, Any]:
    """The change as a reply. What should not be overlooked is shown in the channel too."""
    seen = notification.reason in ("escalated", "repeat")
    return reply(notification) | {"channel": first["channel"], "thread_ts": first["ts"], "reply_broadcast": seen}
