"""slack-sdk's client with limits: it follows no redirects, reads answers of bounded size, and ends each request in time.

slack-sdk uses urllib, which sends the token to wherever a redirect leads, and reads an answer to its end, however large and slow. All requests to
Slack go through `_ask` here instead.
"""

import http.client
import io
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackRequestError
from slack_sdk.web.file_upload_v2_result import FileUploadV2Result

from monitor.notify.channels.bounded_response import BoundedResponse

LARGEST_ANSWER: Final = 1024 * 1024
"""The most bytes of an answer that are read. Slack's answers contain the message that was sent, up to about 60 kB."""


may_send: ContextVar[Callable[[], bool]] = ContextVar("may_send", default=lambda: True)
"""Whether a request may still be sent on a connection that was just opened: not once nobody waits for it. What was sent is waited for."""


class SlackClient(WebClient):
    """A `slack_sdk.WebClient` whose requests are bounded. ``timeout`` is in seconds, for a whole request including its answer.

    slack-sdk's own retries are off: they sleep in the thread, where nothing can cancel them, and repeat posts that Slack has already accepted.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        api_url: str,
        timeout: int,
        trusted: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        quiet = logging.getLogger("monitor.notify.channels.slack.bot.client")
        quiet.setLevel(logging.CRITICAL)  # at DEBUG it would log whole messages, and the address of a socket
        super().__init__(token, base_url=api_url, timeout=timeout, retry_handlers=[], logger=quiet, ssl=trusted)
        self.proxy = proxy

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        return self._ask(req)

    def _upload_file(self, *, url: str, data: bytes, **_: Any) -> FileUploadV2Result:
        found = self._ask(Request(url, data=data, method="POST"))  # noqa: S310 - _ask looks at the scheme
        return FileUploadV2Result(status=found["status"], body=found["body"])

    def _ask(self, request: Request) -> dict[str, Any]:
        """Returns the answer. Raises HTTPError for anything but a success, redirects included, and OSError or HTTPException if no usable answer
        comes.
        """
        if not request.full_url.lower().startswith(("http://", "https://")):
            raise SlackRequestError("that is not an http:// or https:// URL")
        with _Limit(self.timeout) as limit:
            proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else {}
            opener = build_opener(ProxyHandler(proxies), _NoRedirects(), _Plain(limit), _Encrypted(limit, self.ssl))
            try:
                with opener.open(request, timeout=self.timeout) as answer:
                    body = _read(answer)
                    if limit.is_over:  # half an answer is unusable
                        raise TimeoutError
                    charset = answer.headers.get_content_charset() or "utf-8"
                    return {"status": answer.status, "headers": answer.headers, "body": body.decode(charset, "replace")}
            except HTTPError as error:
                with error:
                    raise HTTPError(
                        error.url, error.code, error.reason, error.headers, io.BytesIO(_read(error))
                    ) from None
            except (OSError, http.client.HTTPException):
                if limit.is_over:
                    raise TimeoutError("the answer took too long") from None
                raise


def _read(answer: Any) -> bytes:
    """Returns the body. Raises HTTPException if it is longer than `LARGEST_ANSWER`."""
    body: bytes = answer.read(LARGEST_ANSWER + 1)
    if len(body) > LARGEST_ANSWER:
        raise http.client.HTTPException(f"an answer of more than {LARGEST_ANSWER // 1024} KiB")
    return body


class _Limit:
    """Ends the connection when the time is over, whatever it waits for; a socket's own timeout starts again with each byte.

    It holds a duplicate of the connection's descriptor, because the number of the original may belong to another file by then. A socket that was
    shut down still returns data that keeps arriving, so reading is bounded as well (`_read`, `BoundedResponse`).
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self.is_over = False

    def __enter__(self) -> "_Limit":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._forget()

    def watch(self, opened: socket.socket) -> None:
        """Sets the connection to end."""
        with self._lock:
            self._forget()
            self._connection = socket.socket(fileno=os.dup(opened.fileno()))
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        with self._lock:
            if self._connection is not None:
                with suppress(OSError):  # it is already closed
                    self._connection.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _NoRedirects(HTTPRedirectHandler):
    """Treats a redirect like any other answer that is no success."""

    def redirect_request(self, *_: object) -> None:
        return None


def _watched(
    kind: Callable[..., http.client.HTTPConnection], limit: _Limit, host: str, **more: Any
) -> http.client.HTTPConnection:
    connection = kind(host, **more)
    connection.response_class = BoundedResponse
    connect = connection.connect

    def connected() -> None:
        connect()
        limit.watch(connection.sock)
        if not may_send.get()():
            connection.close()
            raise TimeoutError("nobody waits for it any more")

    connection.connect = connected  # type: ignore[method-assign]  # the time limit has to know the socket of each connection
    return connection


class _Plain(HTTPHandler):
    def __init__(self, limit: _Limit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: Request) -> Any:
        return self.do_open(partial(_watched, http.client.HTTPConnection, self._limit), req)


class _Encrypted(HTTPSHandler):
    def __init__(self, limit: _Limit, trusted: ssl.SSLContext | None) -> None:
        super().__init__(context=trusted)
        self._limit = limit
        self._trusted = trusted

    def https_open(self, req: Request) -> Any:
        connect = partial(_watched, http.client.HTTPSConnection, self._limit)
        return self.do_open(connect, req, context=self._trusted)
