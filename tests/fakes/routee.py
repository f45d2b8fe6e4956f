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
"""The start of tests that bring no clock."""

APPLICATION_ID, APPLICATION_SECRET = DEFAULT_CREDENTIALS

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class LocalRoutee:
    """A running local Routee. ``url`` is both auth_url and api_url; tests set messages, incidents and faults through ``sandbox``."""

    url: str
    sandbox: Sandbox

    def requests(self, endpoint: str = "search") -> int:
        """Returns how many requests that endpoint got (token, search, single, campaign_tracking, campaign, balance)."""
        return self.sandbox.requests[endpoint]


@asynccontextmanager
async def local_routee(clock: Clock | None = None, **settings: Any) -> AsyncIterator[LocalRoutee]:
    """Runs a local Routee on a free port. It has no traffic unless ``settings`` (those of `Sandbox`) set some."""
    sandbox = Sandbox(clock or TrioClock(START), **settings)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve, sandbox)
        yield LocalRoutee(url, sandbox)
        nursery.cancel_scope.cancel()


def sms(
    status: str = "Delivered", date: Instant | str = START, detail: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Returns a record in the form of a search, for `Sandbox.put`, with ids of its own. ``fields`` replace others; None removes a field."""
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
        """Returns a new access token."""
        answer = await self.client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(APPLICATION_ID, APPLICATION_SECRET)
        )
        return str(answer.json()["access_token"])

    async def authorize(self) -> None:
        """Sends a new token with all further requests."""
        self.client.headers["Authorization"] = f"Bearer {await self.token()}"

    async def search(
        self,
        filters: Iterable[dict[str, str]] = (),
        *,
        start: Instant = START - 3_600_000_000,
        end: Instant = START,
        **query: Any,
    ) -> httpx.Response:
        """Posts to /sms/tracking."""
        params = {"dateStart": iso(start), "dateEnd": iso(end)} | query
        return await self.client.post("/sms/tracking", params=params, json=list(filters))

    async def found(self, filters: Iterable[dict[str, str]] = (), **query: Any) -> list[dict[str, Any]]:
        """Returns the content of that search's page."""
        content: list[dict[str, Any]] = (await self.search(filters, **query)).json()["content"]
        return content


@asynccontextmanager
async def caller(url: str) -> AsyncIterator[Caller]:
    """Yields an authorised client of a local Routee."""
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        calling = Caller(client)
        await calling.authorize()
        yield calling
