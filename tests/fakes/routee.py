"""A local Routee in the test's own process: `async with local_routee() as routee: ... routee.url, routee.sandbox`."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import trio

from monitor.runtime.clock import Clock, Instant, TrioClock, iso, parse_iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, Sandbox, serve

START: Instant = parse_iso("2026-11-21T12:00:00Z")
"""When tests take place, unless they bring a clock."""

APPLICATION_ID, APPLICATION_SECRET = DEFAULT_CREDENTIALS

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class LocalRoutee:
    """A running local Routee. ``url`` is both auth_url and api_url; tests put messages, incidents and faults through ``sandbox``."""

    url: str
    sandbox: Sandbox

    def requests(self, endpoint: str = "search") -> int:
        """How many requests that endpoint has seen (token, search, single, campaign_tracking, campaign, balance)."""
        return self.sandbox.requests[endpoint]


@asynccontextmanager
async def local_routee(clock: Clock | None = None, **settings: Any) -> AsyncIterator[LocalRoutee]:
    """Started on a free port, stopped at the end. Without traffic unless ``settings`` (those of `Sandbox`) bring some."""
    sandbox = Sandbox(clock or TrioClock(START), **settings)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve, sandbox)
        yield LocalRoutee(url, sandbox)
        nursery.cancel_scope.cancel()


def sms(
    status: str = "Delivered", date: Instant | str = START, detail: str | None = None, **fields: Any
) -> dict[str, Any]:
    """A record as a search shows it, ready for `Sandbox.put`; ``fields`` replace (or, with None, leave out) others. Each has its own ids."""
    number = next(_numbers)
    reason = {"detailedStatus": detail or status, "description": "as the test says"}
    record: dict[str, Any] = {
        "smsId": f"sms-{number}",
        "messageId": f"{number:08x}-0000-4000-8000-000000000000",
        "to": f"+30690{number:07}",
        "from": "Shop",
        "groups": ["vip"],
        "country": "GR",
        "operator": "Cosmote",
        "body": "Hello",
        "applicationName": "app-1",
        "originatingService": "Sms",
        "latency": 3,
        "parts": 1,
        "part": 1,
        "price": 0.045,
        "label": "promo",
        "direction": "Outbound",
        "status": {"status": status, "date": date if isinstance(date, str) else iso(date), "reason": reason},
    }
    return {name: value for name, value in (record | fields).items() if value is not None}


class Caller:
    """A bare client for the tests of the local Routee itself."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def token(self) -> str:
        """A fresh access token."""
        answer = await self.client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(APPLICATION_ID, APPLICATION_SECRET)
        )
        return str(answer.json()["access_token"])

    async def authorize(self) -> None:
        """Send a fresh token with everything from now on."""
        self.client.headers["Authorization"] = f"Bearer {await self.token()}"

    async def search(
        self,
        filters: Iterable[dict[str, str]] = (),
        *,
        start: Instant = START - 3_600_000_000,
        end: Instant = START,
        **query: Any,
    ) -> httpx.Response:
        """POST /sms/tracking."""
        params = {"dateStart": iso(start), "dateEnd": iso(end)} | query
        return await self.client.post("/sms/tracking", params=params, json=list(filters))

    async def found(self, filters: Iterable[dict[str, str]] = (), **query: Any) -> list[dict[str, Any]]:
        """The content of that search's page."""
        content: list[dict[str, Any]] = (await self.search(filters, **query)).json()["content"]
        return content


@asynccontextmanager
async def caller(url: str) -> AsyncIterator[Caller]:
    """A client of a local Routee, authorised."""
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        calling = Caller(client)
        await calling.authorize()
        yield calling
