"""What an HTTP answer of Routee's means: good, try again, a new token is needed, or a question that was wrong."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote

from monitor.ingest.routee.answers import decode_error
from monitor.ingest.routee.retry import TryAgain
from monitor.runtime.clock import Instant
from monitor.runtime.errors import RouteeRejected, RouteeUnavailable
from monitor.runtime.retry_after import http_date, retry_after

_LONGEST_ERROR = 64 * 1024
"""Bytes that are looked at of an answer that is no good one."""


@dataclass(frozen=True, slots=True)
class RouteeResponse:
    """An HTTP answer as received: the status, the headers that matter, the body."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None

    def is_html(self) -> bool:
        """Whether it is a page for people: a proxy's, a login's, an error's."""
        return "html" in self.content_type.lower() or self.body[:200].lstrip()[:1] == b"<"

    def says(self) -> str:
        """``: `` and Routee's code and explanation, or nothing."""
        said = " ".join(filter(None, decode_error(self.body)))
        return f": {said}" if said else ""


def without(answer: RouteeResponse, secrets: Iterable[str]) -> RouteeResponse:
    """An answer that is no good one, with ``***`` where it repeats what it was asked with: some of it is told to people."""
    if answer.status < 300:
        return answer
    body = answer.body[:_LONGEST_ERROR]
    for secret in filter(None, secrets):
        for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
            body = body.replace(form.encode(), b"***")
    return replace(answer, body=body)


class Unauthorised(Exception):
    """401 or 403: the token is not taken."""

    def __init__(self, answer: RouteeResponse) -> None:
        super().__init__(f"HTTP {answer.status}{answer.says()}")
        self.outcome = str(answer.status)


def checked_body(answer: RouteeResponse, host: str, now: Instant) -> bytes:
    """The body of a good answer. Raises Unauthorised, TryAgain, RouteeRejected or RouteeUnavailable."""
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
    """Retry-After, measured by the other side's own clock where it tells it."""
    return retry_after(answer.retry_after, http_date(answer.date) or now)
