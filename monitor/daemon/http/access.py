"""Decides who may change something through the listener: holders of the token or, without a token, local programs.

Without a token a page that somebody on this machine has open in a browser must not be able to change anything either. So the request has
to name this machine as its host (a name that an attacker has pointed here is another one), and to say that its body is JSON, which a
browser asks about first before it sends it across origins, and is given no leave.
"""

import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.config.yaml import is_loopback
from monitor.daemon.http.address import named_host

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def carries(headers: Headers, token: str) -> bool:
    """Whether the request shows ``token`` as its bearer token; compared in constant time."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _is_token(shown.strip(), token)


def _is_token(shown: str, token: str) -> bool:
    """Whether it is the token; compared in constant time."""
    return hmac.compare_digest(shown.encode(errors="replace"), token.encode())


def may_change(request: Request, token: str) -> None:
    """Raises HTTPException, 401, 403 or 415, with what to do, where the request may not change anything."""
    if token:
        if not carries(request.headers, token):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "changes need the header 'Authorization: Bearer <token>' with the token of web.token_file",
                {"www-authenticate": "Bearer"},
            )
    else:
        _from_here(request)
    _is_json(request)


def _from_here(request: Request) -> None:
    client = request.client.host if request.client else ""
    if not (is_loopback(client) and is_loopback(named_host(request.headers.get("host", "")))):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "without web.token_file changes are accepted from this machine only, by its own address",
        )


def may_submit(request: Request, shown: str, token: str, external_url: str = "") -> None:
    """The same for a form of our own, in which the token was ``shown``. A form that another site has made is refused.

    ``external_url`` is where people reach it: a proxy may name us another host than the browser did.
    """
    origin, ours = request.headers.get("origin"), {request.headers.get("host", ""), urlsplit(external_url).netloc}
    if origin is not None and urlsplit(origin).netloc not in ours - {""}:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form comes from another site")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form comes from another site")
    if token and not (_is_token(shown, token) or carries(request.headers, token)):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the token is not that of web.token: go back and try again")
    if not token:
        _from_here(request)


def _is_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _WITH_BODY and kind != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body should be JSON (Content-Type: application/json)"
        )
