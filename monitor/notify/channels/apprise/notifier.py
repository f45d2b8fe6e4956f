"""Sends notifications to any service that the library Apprise supports, one entry for each service.

Apprise is an extra: ``routee-monitor[apprise]``. It blocks, so it runs in a thread, which is interrupted when the send is cancelled.
It reports only whether sending worked. Its log may contain passwords, so its logging is off.
"""

from functools import partial
from typing import Any

import trio

from monitor.model.notification import Notification
from monitor.notify.channels.apprise.service import content, problem_text, scheme, service
from monitor.notify.channels.interruptible import run_interruptible
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent, too_slow
from monitor.runtime.transport_errors import trouble


class AppriseNotifier:
    """The notifier of one service at ``url``; ``timeout`` in seconds bounds each send."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url
        self.timeout = timeout
        self._service: Any = None
        # One call at a time: a call that was interrupted may take a while to end, and the next one waits for that.
        self._one_call = trio.CapacityLimiter(1)

    checked = "the address has the right form; no connection is tried"

    def __repr__(self) -> str:
        return f"AppriseNotifier({scheme(self._url)})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Sends a notification. Apprise does not say why something failed, so every failure is tried again."""
        where = scheme(self._url)
        with trio.move_on_after(self.timeout):
            try:
                return await run_interruptible(partial(self._tell, content(notification)), self._one_call)
            except Exception as error:  # noqa: BLE001 — some hundred plugins: whatever one raises, the alert is tried again
                return Retry(f"{where} failed: {trouble(error, quote=False)}")
        return too_slow(where, self.timeout)

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
