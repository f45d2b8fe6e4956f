"""Interprets Routee's HTTP answers: good, try again, a new token is needed, or the request was wrong."""

import json
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote

from monitor.ingest.routee.answers import decode_error
from monitor.ingest.routee.retry import TryAgain
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import RouteeRejected, RouteeUnavailable
from monitor.runtime.retry_after import http_date, retry_after

_LONGEST_ERROR = 64 * 1024
"""The most bytes of an error's body that are used."""


@dataclass(frozen=True, slots=True)
class RouteeResponse:
    """An HTTP answer as received: the status, the body, and the headers that are used."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None

    def is_html(self) -> bool:
        """Returns whether it is an HTML page, such as a proxy's or a login's."""
        return "html" in self.content_type.lower() or self.body[:200].lstrip()[:1] == b"<"

    def says(self) -> str:
        """Returns ``: `` with Routee's code and message; empty if the body has none."""
        said = " ".join(filter(None, decode_error(self.body)))
        return f": {said}" if said else ""


def without(answer: RouteeResponse, secrets: Iterable[str]) -> RouteeResponse:
    """Returns the answer; if it is an error, with ``***`` in place of the secrets that its body repeats, as parts of it are shown to
    people."""
    if answer.status < 300:
        return answer
    body = answer.body[:_LONGEST_ERROR]
    for secret in filter(None, secrets):
        for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
            body = body.replace(form.encode(), b"***")
    return replace(answer, body=body)


class Unauthorised(Exception):
    """Routee refuses the token or the credentials with 401 or 403."""

    def __init__(self, answer: RouteeResponse) -> None:
        super().__init__(f"HTTP {answer.status}{answer.says()}")
        self.outcome = str(answer.status)


def checked_body(answer: RouteeResponse, host: str, now: Instant) -> bytes:
    """Returns the body of a good answer. Raises Unauthorised, TryAgain, RouteeRejected or RouteeUnavailable for others."""
    status = answer.status
    if 200 <= status < 300:
        if answer.is_html():
            raise TryAgain("html", f"{host} answers with an HTML page: is a proxy or a login in between?")
        return answer.body
    if status in (401, 403):
        raise Unauthorised(answer)
    if status in (408, 429) or status >= 500:
        raise TryAgain(str(status), _busy(status, host), _wait(answer, now))
    if 400 <= status < 500 and status != 407:
        code, message = decode_error(answer.body)
        hint = "" if code else "; if it was a right one, check the URL"
        said = f" ({code})" if code else ""
        raise RouteeRejected(
            f"{host} rejects the question with HTTP {status}{said}{message and ': ' + message}{hint}", str(status), code
        )
    raise RouteeUnavailable(f"{host} answers with HTTP {status}, {_odd(status)}", str(status))


def _busy(status: int, host: str) -> str:
    if status == 429:
        return f"{host} says that there are too many requests (HTTP 429): lower requests_per_second if this goes on"
    return f"{host} is not serving now (HTTP {status})"


def _odd(status: int) -> str:
    if status == 407:
        return "so the proxy wants credentials: put them into HTTPS_PROXY"
    return (
        "which is not an answer of Routee: check the URL and any proxy"
        if status < 300 or status >= 400
        else ("a redirect, which is not followed: put the right URL into the configuration")
    )


def _wait(answer: RouteeResponse, now: Instant) -> int | None:
    """Returns the wait that Retry-After asks for, by the answer's own Date if it has one; None if it asks for none."""
    return retry_after(answer.retry_after, http_date(answer.date) or now)
