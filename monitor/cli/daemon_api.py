"""Asking the running daemon, over its listener."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from monitor.runtime.errors import ListenError, MonitorError

if TYPE_CHECKING:
    from monitor.config.monitor import Config, Web

_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 64 * 1024 * 1024


class DaemonRefused(MonitorError):
    """The daemon said no."""

    exit_code = 1


class NoAnswer(MonitorError):
    """There is no daemon at that address."""

    exit_code = 69


class NothingHeard(Exception):
    """Nothing came that is an answer; the text says why."""


@dataclass(frozen=True, slots=True)
class ListenerAnswer:
    """What a listener answered: the HTTP status with its name, and the body."""

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
    """What a daemon's listener answers, within so many ``seconds`` for each step. Raises NothingHeard."""
    if not url.startswith(("http://", "https://")):  # urllib would open files, too
        raise NothingHeard("it is not an address like http://127.0.0.1:9465")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine, behind no proxy
    headers = {"Accept": "application/json", **headers}
    try:
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - http
        try:
            answer = direct.open(request, timeout=seconds)
        except urllib.error.HTTPError as no:
            answer = no
        with answer:
            said = answer.read(_LONGEST_ANSWER).decode(errors="replace")
            return ListenerAnswer(answer.status, answer.reason, said)
    except (OSError, ValueError, http.client.HTTPException) as error:
        from monitor.runtime.transport_errors import trouble

        reason = getattr(error, "reason", error)
        raise NothingHeard(trouble(reason) if isinstance(reason, BaseException) else str(reason)) from error


@dataclass(frozen=True, slots=True)
class DaemonApi:
    """A daemon's listener, and the token that changes need there."""

    url: str
    token: str = field(default="", repr=False)

    def get(self, path: str) -> Any:
        """What it answers, from JSON. Raises NoAnswer and DaemonRefused."""
        return self._ask("GET", path)

    def post(self, path: str, body: Any) -> Any:
        """Hand something over; what it answers. Raises NoAnswer and DaemonRefused."""
        return self._ask("POST", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """Take something away. Raises NoAnswer and DaemonRefused."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = ask(self.url + path, method=method, body=body, headers=headers)
            said = _parsed(answer)
        except (NothingHeard, ValueError) as error:
            raise NoAnswer(
                f"No answer from {self.url}: {error}; is the daemon running? (--url names another one)"
            ) from None
        if answer.status >= 300:
            raise DaemonRefused(_sentence(answer, said))
        return said


def _parsed(answer: ListenerAnswer) -> Any:
    """The body from JSON; None where it is empty, or where it is no JSON in an answer that says no. Raises ValueError."""
    try:
        return json.loads(answer.body or "null")
    except ValueError:
        if answer.status >= 300:
            return None
        raise


def _sentence(answer: ListenerAnswer, said: Any) -> str:
    """What the daemon says, in its own words."""
    text = said.get("error") if isinstance(said, dict) else said
    return str(text) if text else f"The daemon answered {answer.status} {answer.reason}"


def daemon_api(config: Path | None, url: str | None) -> DaemonApi:
    """The daemon of a configuration, or at ``url``. Raises ListenError where it has no listener."""
    from monitor.cli.load import read_config

    return api_of(read_config(config), url)


def api_of(config: "Config", url: str | None) -> DaemonApi:
    """The daemon of a configuration that has been read, or at ``url``. Raises ListenError where it has no listener."""
    web = config.web
    token = web.token.get_secret_value() if web is not None and web.token is not None else ""
    where = url.rstrip("/") if url else listener(web)
    if not where.startswith(("http://", "https://")):
        raise ListenError(f"--url: {where!r} is not an address like http://127.0.0.1:9465")
    return DaemonApi(where, token)


def listener(web: "Web | None") -> str:
    """Where a daemon is reached that listens so."""
    from monitor.daemon.http.address import Address

    if web is None:
        raise ListenError("web is off in the configuration, so there is nothing to ask; switch it on or give --url")
    if web.port == 0:
        raise ListenError("web.listen takes any free port (0), so its address is not known here; give --url")
    return Address.parse(web.listen).url
