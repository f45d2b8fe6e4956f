"""Sends a request to the running daemon's listener, within a time limit, without a proxy and without following redirects."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from monitor.runtime.dataclass import dataclass

_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 16 * 1024 * 1024


class NothingHeard(Exception):
    """No usable answer came; the text says why."""


@dataclass(frozen=True, slots=True)
class ListenerAnswer:
    """A listener's answer: the HTTP status with its name, and the body."""

    status: int
    reason: str
    body: str


def ask(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    seconds: float = _SECONDS,
    certificate: bytes = b"",
) -> ListenerAnswer:
    """Returns the answer of a daemon's listener, within ``seconds`` after connecting. Raises NothingHeard.

    Uses no proxy, because the daemon is on this machine. A redirect is returned like any other answer and not followed. Over HTTPS the listener
    must have exactly ``certificate`` (DER), for whatever name that was issued, or one that this machine trusts for the name in ``url``.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise NothingHeard("it is not an address like http://127.0.0.1:9465")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with (
            closing(_connection(parts.scheme, parts.netloc, seconds, certificate)) as connection,
            _ended_after(seconds, connection.sock),
        ):
            connection.request(method, path, body, {"Accept": "application/json", **headers})
            answer = connection.getresponse()
            data = answer.read(_LONGEST_ANSWER + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        from monitor.runtime.transport_errors import trouble

        raise NothingHeard(trouble(error)) from error
    if len(data) > _LONGEST_ANSWER:
        raise NothingHeard(f"its answer is larger than {_LONGEST_ANSWER // 1024 // 1024} MiB")
    return ListenerAnswer(answer.status, answer.reason, data.decode(errors="replace"))


def _connection(scheme: str, authority: str, within: float, certificate: bytes) -> http.client.HTTPConnection:
    """Returns an open connection."""
    if scheme == "http":
        plain = http.client.HTTPConnection(authority, timeout=within)
        plain.connect()
        return plain
    import ssl

    if certificate:
        # It is compared instead of verified: the listener is reached by an address for which it was not issued.
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        pinned = http.client.HTTPSConnection(authority, timeout=within, context=unverified)
        pinned.connect()
        if pinned.sock.getpeercert(binary_form=True) == certificate:
            return pinned
        pinned.close()
    verified = http.client.HTTPSConnection(authority, timeout=within, context=ssl.create_default_context())
    try:
        verified.connect()
    except ssl.SSLCertVerificationError:
        if certificate:
            raise NothingHeard(
                "its certificate is not that of web.tls.cert_file; has the daemon been reloaded?"
            ) from None
        raise
    return verified


@contextmanager
def _ended_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    """Ends reading and writing in its body after ``seconds``, by shutting down the connection. Raises TimeoutError in that case."""
    over = threading.Event()

    def end() -> None:
        over.set()
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        timer.join()
    if over.is_set():
        raise TimeoutError
