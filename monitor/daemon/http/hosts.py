"""Restricts the names by which the listener may be reached (the header Host).

A page in a browser can make its own name point at this machine (DNS rebinding) and then read the listener's answers, but it cannot choose the
header Host, which holds the page's own name. So requests for unknown names are refused. IP addresses (``10.0.0.7:9465``, used by probes) are
accepted, because they cannot be pointed elsewhere.
"""

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.daemon.http.address import named_host
from monitor.daemon.http.bearer import carries


def is_address(host: str) -> bool:
    """Returns whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class HostNames:
    """The names by which the listener may be reached: localhost, IP addresses, and ``names``."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)} - {""}

    def include(self, header: str) -> bool:
        """Returns whether the header Host has one of the names."""
        host = named_host(header)
        return host in self._names or is_address(host)


class KnownHosts:
    """Answers 403 to a request that names another host, unless it has the token, which no foreign page knows."""

    def __init__(self, app: ASGIApp, names: Iterable[str], token: str) -> None:
        self._app = app
        self._names = HostNames(names)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_known(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        error = "This name is not one of this daemon's: use its address, or write the name into web.allowed_hosts."
        await JSONResponse({"error": error}, 403)(scope, receive, send)

    def _is_known(self, headers: Headers) -> bool:
        return self._names.include(headers.get("host", "")) or bool(self._token and carries(headers, self._token))
