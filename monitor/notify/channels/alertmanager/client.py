"""Posts alerts to every Alertmanager of a cluster, as Prometheus does."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from functools import partial
from typing import Any, Final

import trio

from monitor.model.notification import Notification
from monitor.notify.channels import http
from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent
from monitor.notify.render.alertmanager_payload import posted
from monitor.notify.render.escape import to_json
from monitor.runtime.clock import MINUTE, Clock, Duration, Instant
from monitor.runtime.dataclass import dataclass

AT_ONCE: Final = 1_000
"""The most alerts in one request."""
ENDS_AHEAD: Final[Duration] = 5 * MINUTE
"""How far ahead the end is set of an alert that is posted only once."""


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials of requests: a bearer token, or a user name and a password; if both are empty, there are none."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the credentials."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


def alerts_of(notification: Notification, now: Instant) -> list[dict[str, Any]]:
    """Returns a notification's alerts as they are posted."""
    return [
        posted(view, view.labels, now + ENDS_AHEAD if view.ends_at is None else view.ends_at, notification.external_url)
        for view in notification.alerts
    ]


class AlertmanagerClient:
    """The client of Alertmanagers that get the same alerts. ``urls`` are their addresses with their paths; ``timeout`` in seconds bounds each
    request.
    """

    def __init__(self, urls: Sequence[str], *, clock: Clock, login: Login | None = None, timeout: float = 10.0) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._clock = clock
        login = login or Login()
        self._headers = login.headers | {"User-Agent": "routee-monitor"}
        self._secrets = tuple(filter(None, (login.token, login.password)))
        self._timeout = timeout

    checked = "it answers"

    def __repr__(self) -> str:
        return f"AlertmanagerClient({', '.join(map(origin, self._urls))})"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Posts the alerts of one notification once, to all of them; used by tests of a receiver. Firing alerts end there after five minutes."""
        return await self.post(alerts_of(notification, self._clock.now()))

    async def post(self, alerts: Sequence[dict[str, Any]]) -> Outcome:
        """Posts the alerts, even an empty list, to all of them.

        Returns Sent if one of them accepted everything, because the alerts are posted again before they end; otherwise the outcome of the first
        one.
        """
        outcomes = await self._all(partial(self._post, alerts))
        return next((one for one in outcomes if isinstance(one, Sent)), outcomes[0])

    async def check(self) -> str:
        """Returns what is wrong with any of them; empty if all answer."""
        outcomes = await self._all(self._ask)
        return "; ".join(one.why for one in outcomes if isinstance(one, Retry | Rejected))

    async def _all(self, act: Callable[[str], Awaitable[Outcome]]) -> list[Outcome]:
        outcomes: list[Outcome] = [Sent()] * len(self._urls)

        async def one(index: int, url: str) -> None:
            outcomes[index] = await act(url)

        async with trio.open_nursery() as nursery:
            for index, url in enumerate(self._urls):
                nursery.start_soon(one, index, url, name=f"tell {origin(url)}")
        return outcomes

    async def _post(self, alerts: Sequence[dict[str, Any]], url: str) -> Outcome:
        outcome: Outcome = Sent()
        headers = self._headers | {"Content-Type": "application/json"}
        for start in range(0, max(len(alerts), 1), AT_ONCE):
            body = to_json(alerts[start : start + AT_ONCE]).encode(errors="replace")
            outcome = await http.post(
                f"{url}/api/v2/alerts", body, headers, self._timeout, self._clock.now(), self._secrets
            )
            if not isinstance(outcome, Sent):
                return outcome
        return outcome

    async def _ask(self, url: str) -> Outcome:
        return await http.get(f"{url}/api/v2/status", self._headers, self._timeout, self._clock.now(), self._secrets)
