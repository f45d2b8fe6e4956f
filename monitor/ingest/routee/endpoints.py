"""Builds the requests for Routee's endpoints."""

from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote

import msgspec

from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import MILLISECOND, SECOND, Instant, iso
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One request, without its authorisation. ``endpoint`` is its name in metrics."""

    endpoint: str
    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"

    @property
    def host(self) -> str:
        """Returns host and port, for people."""
        return self.url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "the configured URL"

    @property
    def path(self) -> str:
        """Returns the path of the URL, without anything that a configured address may have before or behind it."""
        return "/" + self.url.partition("://")[2].partition("?")[0].partition("/")[2]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of an account's API and of the authorisation server. Each method returns the request for one endpoint."""

    api_url: str
    auth_url: str

    def token(self) -> Call:
        """Returns the request for a new access token."""
        form = "application/x-www-form-urlencoded"
        return Call(
            "token", "POST", self._auth("oauth/token"), content=b"grant_type=client_credentials", content_type=form
        )

    def search(self, question: RouteeQuery, start: Instant, end: Instant, page: int, size: int) -> Call:
        """Returns the request for a page of messages between the instants."""
        params = {"dateStart": _floor(start), "dateEnd": _ceiling(end)} | _paging(page, size)
        if question.tracking_id is not None:
            params["trackingId"] = question.tracking_id
        if question.campaign is not None:
            params["campaign"] = "true" if question.campaign else "false"
        return Call("search", "POST", self._api("sms/tracking"), params, _filters(question))

    def single(self, message_id: str) -> Call:
        """Returns the request for all parts of one message."""
        return Call("single", "GET", self._api(f"sms/tracking/single/{quote(message_id, safe='')}"))

    def campaign(self, tracking_id: str, page: int, size: int) -> Call:
        """Returns the request for a page of a campaign's messages."""
        url = self._api(f"sms/tracking/campaign/{quote(tracking_id, safe='')}")
        return Call("campaign", "GET", url, _paging(page, size))

    def campaign_state(self, tracking_id: str) -> Call:
        """Returns the request for a campaign's own state."""
        return Call("campaign_state", "GET", self._api(f"campaigns/{quote(tracking_id, safe='')}"))

    def balance(self) -> Call:
        """Returns the request for the account's balance."""
        return Call("balance", "GET", self._api("accounts/me/balance"))

    def _api(self, path: str) -> str:
        return f"{self.api_url.rstrip('/')}/{path}"

    def _auth(self, path: str) -> str:
        return f"{self.auth_url.rstrip('/')}/{path}"


def _paging(page: int, size: int) -> dict[str, str]:
    return {"page": str(page), "size": str(size)}


def _filters(question: RouteeQuery) -> bytes:
    filters = [
        {"fieldName": one.field, "searchTerm": one.term, "searchOperator": one.operator} for one in question.filters
    ]
    return msgspec.json.encode(filters)


def _floor(instant: Instant) -> str:
    """Returns the instant rounded down to the millisecond, the finest unit that Routee surely understands."""
    return _iso(instant - instant % MILLISECOND)


def _ceiling(instant: Instant) -> str:
    """Returns the instant rounded up to the millisecond."""
    return _iso(instant + -instant % MILLISECOND)


def _iso(instant: Instant) -> str:
    text = iso(instant)
    return text if instant % SECOND == 0 else f"{text[:23]}Z"
