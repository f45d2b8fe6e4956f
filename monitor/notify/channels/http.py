"""Sends the HTTP requests of channels within a time limit, and decides what the answers mean.

Each request opens a connection of its own. Notifications are few, and without a pool no connection can be stale or get lost when a send is
cancelled.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import httpx
import trio

from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent, too_slow, unreachable
from monitor.notify.channels.redaction import authorisation, redacted
from monitor.runtime.bounded_transport import bounded_transport
from monitor.runtime.certificates import trust
from monitor.runtime.clock import Instant
from monitor.runtime.proxies import proxies
from monitor.runtime.retry_after import retry_after as asked_wait

AGAIN: Final = frozenset({408, 425, 429})
"""Client errors that are tried again, as every 5xx is."""

_MOST_READ: Final = 2048
"""How many bytes of an answer are read at most, so that no server can make us download more."""

ResponseClassifier = Callable[[str, int, str | None, str, Instant], Outcome]
"""Takes the origin, the status, the Retry-After header, the beginning of a refusal and the time; returns the outcome."""


async def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    within: float,
    now: Instant,
    secrets: Iterable[str] = (),
    *,
    classify: ResponseClassifier | None = None,
) -> Outcome:
    """Posts ``body`` and returns the outcome ``within`` that many seconds; does not follow redirects.

    The outcome's text leaves out the URL and the ``secrets``. ``now`` is compared with a Retry-After date. ``classify`` decides what an answer
    means, if that differs from `outcome_of`.
    """
    hidden = (url, *secrets, *authorisation(headers))
    return await _ask(partial(_answer, "POST", url, body, headers), hidden, within, now, classify or outcome_of)


async def get(url: str, headers: dict[str, str], within: float, now: Instant, secrets: Iterable[str] = ()) -> Outcome:
    """Sends a GET request, to check that a server answers; the arguments are those of `post`. The body of a success is not read."""
    hidden = (url, *secrets, *authorisation(headers))
    return await _ask(partial(_answer, "GET", url, b"", headers), hidden, within, now, outcome_of)


async def _ask(
    asking: Callable[[float], Awaitable[tuple[httpx.Response, str]]],
    hidden: tuple[str, ...],
    within: float,
    now: Instant,
    classify: ResponseClassifier,
) -> Outcome:
    """Sends a request and classifies the answer. ``hidden`` is the URL, followed by further secrets."""
    url, *secrets = hidden
    where = origin(url)
    try:
        with trio.fail_after(within):
            response, text = await asking(within)
    except trio.TooSlowError:
        return too_slow(where, within)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return Rejected(f"{where}: this is not an http:// or https:// URL; correct it in the configuration")
    except (httpx.LocalProtocolError, UnicodeError, OverflowError):
        return Rejected(
            f"{where}: the request cannot be written as HTTP; correct the URL, the headers or the content type in the configuration"
        )
    except (httpx.HTTPError, OSError) as error:
        return unreachable(where, error)
    said = redacted(text, url, secrets)
    return classify(where, response.status_code, response.headers.get("retry-after"), said, now)


async def _answer(
    method: str, url: str, body: bytes, headers: dict[str, str], within: float
) -> tuple[httpx.Response, str]:
    async with (
        httpx.AsyncClient(
            transport=bounded_transport(trust(), proxies().of(url)),
            trust_env=False,
            follow_redirects=False,
            timeout=within,
        ) as client,
        client.stream(method, url, content=body or None, headers=headers) as response,
    ):
        return response, await _head(response)


async def _head(response: httpx.Response) -> str:
    """Returns the beginning of a refusal, for its reason; the body of a success is not read."""
    if response.is_success:
        return ""
    read = b""
    # Leaving the loop by cancelling, not by a break, lets httpx's nested generators end in order.
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) >= _MOST_READ:
                enough.cancel()
    return read[:_MOST_READ].decode(errors="replace")


def outcome_of(where: str, status: int, retry_after: str | None, text: str, now: Instant) -> Outcome:
    """Returns what a status means: 2xx is Sent; 408, 425, 429 and 5xx are Retry; anything else, redirects included, is Rejected."""
    if 200 <= status < 300:
        return Sent()
    said = f"{where} answered {status}" + (f": {text}" if text else "")
    if status in AGAIN or status >= 500:
        return Retry(said, asked_wait(retry_after, now))
    if 300 <= status < 400:
        return Rejected(f"{said}; redirects are not followed: put the final URL into the configuration")
    return Rejected(f"{said}; check the URL and its credentials in the configuration")
