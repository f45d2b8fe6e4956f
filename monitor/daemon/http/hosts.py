"""By which names the listener may be reached (the header Host).

A page that somebody has open in a browser can have its own name point at this machine (DNS rebinding), and then read what the listener
answers. It cannot choose the header Host, which names the page's own host. So names that nobody here wrote are not answered. Addresses
(``10.0.0.7:9465``, what probes send) are: they name a machine, and cannot be pointed elsewhere.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.daemon.http.tokens import carries

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


def named_host(header: str) -> str:
    """The host in a header Host, without port and brackets, in small letters; empty where it is anything else than ``host[:port]``."""
    found = _HOST.fullmatch(header)
    return "" if found is None else (found[1] or found[2]).lower().removesuffix(".")


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class KnownHosts:
    """Answers 403 to a request that names another host, unless it shows the token (no strange page knows that)."""

    def __init__(self, app: ASGIApp, names: Iterable[str], token: str) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)} - {""}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_known(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        error = "This name is not one of this daemon's: use its address, or write the name into web.allowed_hosts."
        await JSONResponse({"error": error}, 403)(scope, receive, send)

    def _is_known(self, headers: Headers) -> bool:
        host = named_host(headers.get("host", ""))
        return host in self._names or is_address(host) or bool(self._token and carries(headers, self._token))
