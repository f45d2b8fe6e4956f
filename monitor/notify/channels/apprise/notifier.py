"""Sends notifications to any service that the library Apprise supports, one entry for each service.

Apprise is an extra: ``routee-monitor[apprise]``. It blocks, so it runs in a thread. It reports only whether sending worked. Its log may contain
passwords, so its logging is off.
"""

import importlib
import logging
from importlib.util import find_spec
from typing import Any, Final

import trio

from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent, too_slow
from monitor.notify.render.notification_text import push, tone_of
from monitor.notify.render.sanitize import Tone, clip
from monitor.notify.render.text import plain_text
from monitor.runtime.transport_errors import trouble

MISSING: Final = "needs Apprise, which is not installed: pip install 'routee-monitor[apprise]'"
UNKNOWN: Final = (
    "is not an address that Apprise can use; `apprise --details` lists how those of each service are written"
)

LONGEST_BODY: Final = 16_000
"""The longest body in characters; for services that accept less, Apprise cuts it."""
_LONGEST_TITLE: Final = 250

_TYPES: Final[dict[Tone, str]] = {"critical": "failure", "warning": "warning", "info": "info", "resolved": "success"}


class AppriseNotifier:
    """The notifier of one service at ``url``; ``timeout`` in seconds bounds each send."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url
        self._timeout = timeout
        self._service: Any = None
        # One call at a time: after a timeout the call goes on in its thread, and the next one waits until it has ended.
        self._one_call = trio.CapacityLimiter(1)

    checked = "the address has the right form; no connection is tried"

    def __repr__(self) -> str:
        return f"AppriseNotifier({scheme(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Sends a notification. Apprise does not say why something failed, so every failure is tried again."""
        where = scheme(self._url)
        with trio.move_on_after(self._timeout):
            try:
                return await trio.to_thread.run_sync(
                    self._tell, content(notification), abandon_on_cancel=True, limiter=self._one_call
                )
            except Exception as error:  # noqa: BLE001 — some hundred plugins: whatever one raises, the alert is tried again
                return Retry(f"{where} failed: {trouble(error, quote=False)}")
        return too_slow(where, self._timeout)

    async def check(self) -> str:
        """Returns what is wrong with the address; only its form can be checked without sending anything."""
        problem = problem_text(self._url)
        return f"{scheme(self._url)} {problem}" if problem else ""

    def _tell(self, what: dict[str, str]) -> Outcome:
        if self._service is None:
            if problem := problem_text(self._url):
                return Rejected(f"{scheme(self._url)} {problem}")
            self._service = service(self._url)
        if self._service.notify(**what):
            return Sent()
        return Retry(f"{scheme(self._url)} did not take it; `apprise -vv ADDRESS -b test` tells why")


def content(notification: Notification) -> dict[str, str]:
    """Returns what Apprise gets: ``title``, ``body``, the level (``notify_type``) and the format of the body, plain text."""
    return {
        "title": clip(push(notification), _LONGEST_TITLE),
        "body": clip(plain_text(notification), LONGEST_BODY),
        "notify_type": _TYPES[tone_of(notification)],
        "body_format": "text",
    }


def problem_text(url: str) -> str:
    """Returns what is wrong with an address, as the end of a sentence; empty if Apprise can use it."""
    if find_spec("apprise") is None:
        return MISSING
    return "" if service(url) is not None else UNKNOWN


def service(url: str) -> Any:
    """Returns Apprise with this one service; None if it cannot use the address."""
    apprise = importlib.import_module("apprise")  # not before it is needed: it takes time to load, and may not be there
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="routee-monitor", app_desc="routee-monitor", async_mode=False)
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None:
        return None
    # A redirect would carry the message, and with some services its token, to another server.
    made.redirects = False
    if "overflow=" not in url:
        made.overflow_mode = apprise.OverflowMode.TRUNCATE
    whole = apprise.Apprise(asset=asset)
    whole.add(made)
    return whole


def scheme(url: str) -> str:
    """Returns the only part of an address that is ever shown: ``mailto://``."""
    return f"{url.partition('://')[0][:20]}://"
