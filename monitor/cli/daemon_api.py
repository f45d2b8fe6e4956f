"""Asking the running daemon, over its listener."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
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


@dataclass(frozen=True, slots=True)
class DaemonApi:
    """A daemon's listener, and the token that changes need there."""

    url: str
    token: str = field(default="", repr=False)

    def get(self, path: str) -> Any:
        """What it answers, from JSON. Raises NoAnswer and Refused."""
        return self._ask("GET", path)

    def post(self, path: str, body: Any) -> Any:
        """Hand something over; what it answers. Raises NoAnswer and Refused."""
        return self._ask("POST", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """Take something away. Raises NoAnswer and Refused."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310 - http, see `daemon_api`
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine, behind no proxy
        try:
            with direct.open(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read(_LONGEST_ANSWER) or b"null")
        except urllib.error.HTTPError as error:
            raise DaemonRefused(_sentence(error)) from None
        except (OSError, ValueError) as error:
            from monitor.runtime.transport_errors import trouble

            reason = getattr(error, "reason", error)
            why = trouble(reason) if isinstance(reason, BaseException) else str(reason)
            raise NoAnswer(
                f"No answer from {self.url}: {why}; is the daemon running? (--url names another one)"
            ) from None


def _sentence(error: urllib.error.HTTPError) -> str:
    """What the daemon says, in its own words."""
    try:
        said = json.loads(error.read(_LONGEST_ANSWER))
    except (OSError, ValueError):
        said = ""
    text = said.get("error") if isinstance(said, dict) else said
    return str(text) if text else f"The daemon answered {error.code} {error.reason}"


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
