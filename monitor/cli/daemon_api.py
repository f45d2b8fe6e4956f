"""Sends requests to the running daemon's listener, within a time limit, without a proxy and without following redirects."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from monitor.runtime.errors import ListenError, MonitorError

if TYPE_CHECKING:
    from monitor.config.monitor import Config, Web

_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 16 * 1024 * 1024
_LONGEST_SENTENCE: Final = 2000
_NOT_OURS: Final = frozenset({404, 405, 501})
"""What a server answers that lacks our paths or methods; a routee-monitor says it in JSON."""


class DaemonRefused(MonitorError):
    """The daemon refused the request."""

    exit_code = 1


class NoAnswer(MonitorError):
    """No daemon answers at that address."""

    exit_code = 69


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
) -> ListenerAnswer:
    """Returns the answer of a daemon's listener, within ``seconds`` after connecting. Raises NothingHeard.

    Uses no proxy, because the daemon is on this machine. A redirect is returned like any other answer and not followed.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise NothingHeard("it is not an address like http://127.0.0.1:9465")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with closing(_connection(parts.scheme, parts.netloc, seconds)) as connection:
            connection.connect()
            with _ended_after(seconds, connection.sock):
                connection.request(method, path, body, {"Accept": "application/json", **headers})
                answer = connection.getresponse()
                data = answer.read(_LONGEST_ANSWER + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        from monitor.runtime.transport_errors import trouble

        raise NothingHeard(trouble(error)) from error
    if len(data) > _LONGEST_ANSWER:
        raise NothingHeard(f"its answer is larger than {_LONGEST_ANSWER // 1024 // 1024} MiB")
    return ListenerAnswer(answer.status, answer.reason, data.decode(errors="replace"))


def _connection(scheme: str, place: str, within: float) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(place, timeout=within)
    import ssl

    return http.client.HTTPSConnection(place, timeout=within, context=ssl.create_default_context())


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


@dataclass(frozen=True, slots=True)
class DaemonApi:
    """A daemon's listener, and the token that changes need. Each request ends ``within`` that many seconds, however slowly its answer arrives."""

    url: str
    token: str = field(default="", repr=False)
    within: float = _SECONDS

    def get(self, path: str, shape: Any) -> Any:
        """Returns the answer to a GET request: JSON of that shape (`api_answers`). Raises NoAnswer and DaemonRefused."""
        return self._shaped(self._ask("GET", path), shape)

    def post(self, path: str, body: Any, shape: Any = Any) -> Any:
        """Posts a body; returns the answer. Raises NoAnswer and DaemonRefused."""
        return self._shaped(self._ask("POST", path, json.dumps(body).encode()), shape)

    def delete(self, path: str) -> None:
        """Sends a DELETE request. Raises NoAnswer and DaemonRefused."""
        self._ask("DELETE", path)

    def _shaped(self, answer: Any, shape: Any) -> Any:
        from monitor.cli.api_answers import holds

        if not holds(answer, shape):
            raise self._stranger()
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            found = ask(self.url + path, method=method, body=body, headers=headers, seconds=self.within)
        except NothingHeard as error:
            raise NoAnswer(
                f"No answer from {self.url}: {error}; is the daemon running? (--url names another one)"
            ) from None
        status = found.status
        if 300 <= status < 400:
            raise NoAnswer(
                f"What answers at {self.url} leads elsewhere ({status}), where this does not follow; "
                "give the daemon's own address with --url"
            )
        answer = _from_json(found.body)
        if answer is _NO_JSON and status in _NOT_OURS:
            raise self._stranger()
        if status >= 400:
            raise DaemonRefused(_sentence(status, answer))
        if answer is _NO_JSON:
            raise self._stranger()
        return answer

    def _stranger(self) -> NoAnswer:
        return NoAnswer(stranger(self.url))


_NO_JSON: Final = object()


def _from_json(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return _NO_JSON


def _sentence(status: int, said: Any) -> str:
    """Returns the daemon's own message from its answer."""
    text = said.get("error") if isinstance(said, dict) else said if isinstance(said, str) else ""
    phrase = http.client.responses.get(status, "")
    return str(text)[:_LONGEST_SENTENCE] if text else f"The daemon answered {status} {phrase}".strip()


def stranger(url: str) -> str:
    """The sentence for an answer that no routee-monitor gives."""
    return f"What answers at {url} is no routee-monitor, or one of another version; check --url"


def daemon_api(config: Path | None, url: str | None) -> DaemonApi:
    """Returns the daemon of a configuration, or the one at ``url``. Raises ListenError if it has no listener."""
    from monitor.cli.load import read_config

    return api_of(read_config(config), url)


def api_of(config: "Config", url: str | None) -> DaemonApi:
    """Returns the daemon of a loaded configuration, or the one at ``url``. Raises ListenError if it has no listener."""
    web = config.web
    token = web.token.get_secret_value() if web is not None and web.token is not None else ""
    where = url.rstrip("/") if url else listener(web)
    if not where.startswith(("http://", "https://")):
        raise ListenError(f"--url: {where!r} is not an address like http://127.0.0.1:9465")
    return DaemonApi(where, token)


def listener(web: "Web | None") -> str:
    """Returns the URL of a daemon with that listener."""
    from monitor.daemon.http.address import Address

    if web is None:
        raise ListenError("web is off in the configuration, so there is nothing to ask; switch it on or give --url")
    if web.port == 0:
        raise ListenError("web.listen takes any free port (0), so its address is not known here; give --url")
    return Address.parse(web.listen).url
