"""Any of the services that the library Apprise knows, one entry a service. Apprise is an extra: ``routee-monitor[apprise]``.

Apprise blocks, so it works in a thread; it says no more than whether it worked; and what it logs may hold passwords, so it logs nothing.
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
"""Characters; services that take less get the beginning, as Apprise knows their limits."""
_LONGEST_TITLE: Final = 250

_TYPES: Final[dict[Tone, str]] = {"critical": "failure", "warning": "warning", "info": "info", "resolved": "success"}


class AppriseNotifier:
    """One service at ``url``; ``timeout`` in seconds bounds each send."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url
        self._timeout = timeout
        self._service: Any = None
        # One call at a time: one that was given up goes on in its thread, and the next waits for its end.
        self._one_call = trio.CapacityLimiter(1)

    checked = "the address has the right form; no connection is tried"

    def __repr__(self) -> str:
        return f"AppriseNotifier({scheme(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Tell it. Apprise does not say why something failed, so whatever fails is tried again."""
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
        """Only the form of the address can be checked without telling anybody."""
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
    """What Apprise is given: ``title``, ``body``, how bad it is (``notify_type``) and that the body is plain text."""
    return {
        "title": clip(push(notification), _LONGEST_TITLE),
        "body": clip(plain_text(notification), LONGEST_BODY),
        "notify_type": _TYPES[tone_of(notification)],
        "body_format": "text",
    }


def problem_text(url: str) -> str:
    """What is wrong with an address, as the end of a sentence; empty where Apprise can use it."""
    if find_spec("apprise") is None:
        return MISSING
    return "" if service(url) is not None else UNKNOWN


def service(url: str) -> Any:
    """Apprise with that one service in it; None where it cannot use the address."""
    apprise = importlib.import_module("apprise")  # not before it is needed: it takes time to load, and may not be there
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="routee-monitor", app_desc="routee-monitor", async_mode=False)
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None:
        return None
    # They would carry the message, and with some services the token in it, to wherever they lead.
    made.redirects = False
    if "overflow=" not in url:
        made.overflow_mode = apprise.OverflowMode.TRUNCATE
    whole = apprise.Apprise(asset=asset)
    whole.add(made)
    return whole


def scheme(url: str) -> str:
    """All that is ever shown of an address: ``mailto://``."""
    return f"{url.partition('://')[0][:20]}://"
