"""Asks the running daemon: what its answers mean, and where it is."""

import json
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor.cli.progress import progress
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import ListenError, MonitorError

if TYPE_CHECKING:
    from monitor.cli.listener_request import ListenerAnswer
    from monitor.config.monitor import Config, Web

_LONGEST_SENTENCE: Final = 2000
_NOT_OURS: Final = frozenset({404, 405, 501})
"""Statuses of servers that lack our paths or methods; a routee-monitor answers such a request in JSON."""

IS_IT_RUNNING: Final = "; is the daemon running? (--url names another one)"
_UNAUTHORISED: Final = 401
_BUSY: Final = 503
"""Without a body it comes from a listener whose connections are all taken."""


class DaemonRefused(MonitorError):
    """The daemon refused the request."""

    exit_code = 1


class NoAnswer(MonitorError):
    """No daemon answers at that address."""

    exit_code = 69


@dataclass(frozen=True, slots=True)
class DaemonApi:
    """A daemon's listener, the token that changes need, and the certificate by which it is known (see `ask`).

    ``why_no_token`` says why the token of the configuration could not be read.

    Each request ends ``within`` that many seconds, however slowly its answer arrives.
    """

    url: str
    token: str = field(default="", repr=False)
    why_no_token: str = ""
    within: float = 10.0
    certificate: bytes = field(default=b"", repr=False)

    def get(self, path: str, shape: Any) -> Any:
        """Returns the answer to a GET request: JSON of that shape (`api_answers`). Raises NoAnswer and DaemonRefused."""
        return self._shaped(self._ask("GET", path), shape)

    def post(self, path: str, body: Any, shape: Any = Any) -> Any:
        """Posts a body; returns the answer. Raises NoAnswer and DaemonRefused."""
        return self._shaped(self._ask("POST", path, json.dumps(body).encode()), shape)

    def delete(self, path: str) -> Any:
        """Sends a DELETE request; returns the answer. Raises NoAnswer and DaemonRefused."""
        return self._ask("DELETE", path)

    def _shaped(self, answer: Any, shape: Any) -> Any:
        from monitor.cli.api_answers import holds

        if not holds(answer, shape):
            raise self._not_a_monitor()
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        from monitor.cli.listener_request import NothingHeard, ask

        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            with progress(f"asking the daemon at {self.url}"):
                found = ask(
                    self.url + path,
                    method=method,
                    body=body,
                    headers=headers,
                    seconds=self.within,
                    certificate=self.certificate,
                )
        except NothingHeard as error:
            raise NoAnswer(f"No answer from {self.url}: {error}{IS_IT_RUNNING}") from None
        status = found.status
        if 300 <= status < 400:
            raise NoAnswer(
                f"What answers at {self.url} leads elsewhere ({status}), where this does not follow; "
                "give the daemon's own address with --url"
            )
        answer = _from_json(found.body)
        if answer is _NO_JSON and status in _NOT_OURS:
            raise self._not_a_monitor()
        if status == _UNAUTHORISED and isinstance(answer, dict) and "error" in answer:
            raise DaemonRefused(self._wrong_token())
        if status >= 400:
            raise DaemonRefused(_sentence(status, answer))
        if answer is _NO_JSON:
            raise self._not_a_monitor()
        return answer

    def _wrong_token(self) -> str:
        if self.why_no_token:
            return f"The daemon at {self.url} needs a token: {self.why_no_token}"
        if self.token:
            return (
                f"The daemon at {self.url} does not accept the token of this configuration (web.token or web.token_file): "
                "it runs with another one"
            )
        return f"The daemon at {self.url} needs a token, and this configuration has none (web.token or web.token_file)"

    def _not_a_monitor(self) -> NoAnswer:
        return NoAnswer(not_a_monitor(self.url))


_NO_JSON: Final = object()


def _from_json(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return _NO_JSON


def _sentence(status: int, said: Any) -> str:
    """Returns the daemon's own message from its answer."""
    import http.client

    text = said.get("error") if isinstance(said, dict) else said if isinstance(said, str) else ""
    if text:
        return str(text)[:_LONGEST_SENTENCE]
    if status == _BUSY:
        return "The daemon is busy; try again in a second."
    return f"The daemon answered {status} {http.client.responses.get(status, '')}".strip()


def refusal(answer: "ListenerAnswer") -> str:
    """Returns why a routee-monitor refused a request for a path that each one has; empty for an answer that none gives."""
    said = _from_json(answer.body)
    is_error = answer.status >= 400 and isinstance(said, dict) and isinstance(said.get("error"), str)
    is_busy = answer.status == _BUSY and not answer.body
    return _sentence(answer.status, said) if is_busy or (is_error and answer.status not in _NOT_OURS) else ""


def not_a_monitor(url: str) -> str:
    """Returns the sentence about an answer that no routee-monitor gives."""
    return f"What answers at {url} is no routee-monitor, or one of another version; check --url"


def daemon_api(config: Path | None, url: str | None) -> DaemonApi:
    """Returns the daemon of a configuration, or the one at ``url``. Raises ListenError if it has no listener."""
    from monitor.cli.load import read_config

    return api_of(read_config(config), url)


def api_of(config: "Config", url: str | None) -> DaemonApi:
    """Returns the daemon of a loaded configuration, or the one at ``url``. Raises ListenError if it has no listener."""
    from monitor.config.yaml.unread_secret import why_unread

    web = config.web
    secret = None if web is None else web.token
    why_no_token = why_unread(secret)
    token = "" if secret is None or why_no_token else secret.get_secret_value()
    where = url.rstrip("/") if url else listener(web)
    if not where.startswith(("http://", "https://")):
        raise ListenError(f"--url: {where!r} is not an address like http://127.0.0.1:9465")
    return DaemonApi(where, token, why_no_token, certificate=certificate_of(web))


def certificate_of(web: "Web | None") -> bytes:
    """Returns the certificate (DER) of a daemon with that listener; empty if it has none."""
    return web.tls.certificate.der if web is not None and web.tls is not None else b""


def listener(web: "Web | None") -> str:
    """Returns the URL of a daemon with that listener."""
    from monitor.daemon.http.address import Address

    if web is None:
        raise ListenError("web is off in the configuration, so there is nothing to ask; switch it on or give --url")
    if web.port == 0:
        raise ListenError("web.listen takes any free port (0), so its address is not known here; give --url")
    return Address.parse(web.listen).url(web.scheme)
