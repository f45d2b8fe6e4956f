"""Answers Routee's callbacks: who may push, what a request may be, and which answer it gets.

A program pushes, not a browser: the account's own secret is what counts, and no token, Origin or form. An account without a secret has no
such path.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.callback_inbox import CallbackInbox, InboxFull
from monitor.daemon.http.fair_queue import CALLBACKS
from monitor.daemon.http.hosts import HostNames
from monitor.daemon.http.sessions import same
from monitor.daemon.metrics import CallbackOutcome, Metrics
from monitor.ingest.routee.callback import Callback, TooManyRecords, decode_callback
from monitor.ingest.routee.wire import Malformed
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError

LARGEST: Final = 256 * 1024
"""The most bytes of a callback's body."""

_AGAIN: Final = {"retry-after": "1"}
_ASKS: Final = {"www-authenticate": 'Basic realm="callbacks of routee-monitor"'}
_JSON: Final = frozenset({"", "application/json", "text/json"})


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """A status, a sentence if something was not taken, and further headers."""

    status: HTTPStatus = HTTPStatus.OK
    error: str = ""
    headers: Mapping[str, str] | None = None

    @property
    def content(self) -> Mapping[str, str]:
        """Returns the answer's JSON."""
        return {"error": self.error} if self.error else {"status": "taken"}


class CallbackApi:
    """The endpoint. ``secrets`` are by account; accounts that are not in it take no callbacks. ``hosts`` are the daemon's names."""

    def __init__(
        self, inbox: CallbackInbox, secrets: Mapping[str, str], metrics: Metrics, hosts: Iterable[str] = ()
    ) -> None:
        self._inbox, self._secrets, self._metrics = inbox, dict(secrets), metrics
        self.hosts = HostNames(hosts)

    def routes(self) -> list[Route]:
        return [Route(CALLBACKS + "{account}", self.endpoint, methods=["POST"])]

    async def endpoint(self, request: Request) -> Response:
        account = str(request.path_params["account"])
        answer = self.refusal(account, request.url.query, request.headers)
        if answer is None:
            answer = await self.answer(account, await request.body())
        return JSONResponse(answer.content, answer.status, answer.headers)

    def refusal(self, account: str, query: str, headers: Mapping[str, str]) -> CallbackAnswer | None:
        """Returns the answer to a request that is refused without reading its body; None for another one. ``headers`` have small letters."""
        secret = self._secrets.get(account)
        if secret is None:
            return CallbackAnswer(HTTPStatus.NOT_FOUND, "no account of this name takes callbacks")
        if not same(_shown(query, headers.get("authorization", "")), secret):
            self._metrics.callbacks(account, "unauthorized")
            why = "the account's callback_secret is needed, as ?secret= or as the password of Basic authentication"
            return CallbackAnswer(HTTPStatus.UNAUTHORIZED, why, _ASKS)
        if headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON:
            why = "a callback's body should be JSON (Content-Type: application/json)"
            return self._refused(account, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > LARGEST:
            return self._too_large(account)
        return None

    async def answer(self, account: str, body: bytes) -> CallbackAnswer:
        """Takes what a request of an account pushes."""
        if len(body) > LARGEST:
            return self._too_large(account)
        try:
            callback = decode_callback(body)
        except TooManyRecords as error:
            return self._refused(account, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        except Malformed as error:
            return self._refused(account, HTTPStatus.BAD_REQUEST, str(error))
        return await self._take(account, callback)

    async def _take(self, account: str, callback: Callback) -> CallbackAnswer:
        count = len(callback)
        try:
            await self._inbox.take(account, callback)
        except InboxFull:
            return self._unavailable(account, count, "too many callbacks wait to be stored; try again in a second")
        except StoreError:
            return self._unavailable(account, count, "the callback could not be stored; try again in a second")
        self._count(account, "set_aside", len(callback.rejected))
        self._count(account, "taken", count - len(callback.rejected))
        if callback.is_useless:
            reasons = dict.fromkeys(one.why for one in callback.rejected)
            return CallbackAnswer(HTTPStatus.BAD_REQUEST, f"no record can be used: {'; '.join(list(reasons)[:3])}")
        return CallbackAnswer()

    def count_incomplete(self, account: str, status: HTTPStatus) -> None:
        """Counts a request whose body was not read."""
        self._count(account, "unavailable" if status == HTTPStatus.SERVICE_UNAVAILABLE else "refused", 1)

    def _refused(self, account: str, status: HTTPStatus, why: str) -> CallbackAnswer:
        self._metrics.callbacks(account, "refused")
        return CallbackAnswer(status, why)

    def _too_large(self, account: str) -> CallbackAnswer:
        why = f"the body is larger than {LARGEST} bytes; send fewer records in a request"
        return self._refused(account, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)

    def _unavailable(self, account: str, count: int, why: str) -> CallbackAnswer:
        self._count(account, "unavailable", count)
        return CallbackAnswer(HTTPStatus.SERVICE_UNAVAILABLE, why, _AGAIN)

    def _count(self, account: str, outcome: CallbackOutcome, count: int) -> None:
        if count:
            self._metrics.callbacks(account, outcome, count)


def _shown(query: str, authorization: str) -> str:
    """Returns the secret that a request shows: ``?secret=`` if it is there, else the password of Basic authentication."""
    if "secret=" in query:
        asked = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=20) if query.count("&") < 20 else ())
        if "secret" in asked:
            return asked["secret"]
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
