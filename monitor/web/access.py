"""Who may change something through the listener: whoever shows the token; where there is none, programs on this machine.

Without a token a page that somebody on this machine has open in a browser must not be able to change anything either. So the request has
to name this machine as its host (a name that an attacker has pointed here is another one), and to say that its body is JSON, which a
browser asks about first before it sends it across origins, and is given no leave.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.web.tokens import carries
from monitor.written import is_loopback

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def may_change(request: Request, token: str) -> None:
    """Raises HTTPException, 401, 403 or 415, with what to do, where the request may not change anything."""
    if token:
        if not carries(request.headers, token):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "changes need the header 'Authorization: Bearer <token>' with the token of web.token_file",
                {"www-authenticate": "Bearer"},
            )
    elif not (_is_here(request.client.host if request.client else "") and _is_here(_named_host(request))):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "without web.token_file changes are taken from this machine only, by its own address"
        )
    _is_json(request)


def _is_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _WITH_BODY and kind != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body should be JSON (Content-Type: application/json)"
        )


def _named_host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    return is_loopback(host)
