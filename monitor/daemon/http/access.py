"""Decides who may change something through the listener: holders of the token, browsers that are logged in and, without a token, programs on
this machine.

Without a token, a page that is open in a browser on this machine must not be able to change anything. So the request must name this machine
as its host (an attacker can make another name point here), and its body must be JSON: a browser asks for permission before it sends JSON
across origins, and gets none.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.config.yaml import is_loopback
from monitor.daemon.http.address import named_host, site_of
from monitor.daemon.http.bearer import carries, why_refused
from monitor.daemon.http.visitor import present_visitor

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def may_change(request: Request, token: str) -> None:
    """Raises HTTPException (401, 403 or 415, with what to do) if the request may not change anything."""
    if token:
        if not carries(request.headers, token):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                why_refused(request.headers, token, "changes"),
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


def from_our_page(request: Request, form_token: str, external_url: str = "") -> None:
    """Raises HTTPException (403) unless the form that the browser sends was made by us, for this browser.

    ``form_token`` is what its hidden field holds. ``external_url`` is where people reach the listener: a proxy may send another host than the
    browser.
    """
    origin, ours = request.headers.get("origin"), {request.headers.get("host", ""), urlsplit(external_url).netloc}
    if origin is not None and site_of(origin).netloc not in ours - {""}:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form comes from another site")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form comes from another site")
    if not present_visitor().owns(form_token):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "this form is too old, or was not made for this browser: go back, load its page again, and send it again "
            "(cookies must be allowed)",
        )


def may_submit(request: Request, form_token: str, shown: str, token: str, external_url: str = "") -> None:
    """Raises HTTPException (403 or 429) if the request may not submit one of our forms, in which the user entered ``shown`` as the token.

    A browser that is logged in need not enter the token. For ``form_token`` and ``external_url`` see `from_our_page`.
    """
    if token and carries(request.headers, token):
        return  # no browser sends this header by itself
    from_our_page(request, form_token, external_url)
    if not token:
        _from_here(request)
    elif not present_visitor().is_logged_in:
        enters(shown, token)


def enters(shown: str, token: str) -> None:
    """Raises HTTPException unless ``shown``, which a person has entered, is right: 403, or 429 if too many wrong ones were entered lately."""
    sessions = present_visitor().sessions
    wait = sessions.seconds_to_wait()
    if sessions.is_right(shown, token):
        return
    wrong = "the token is not that of web.token: enter it again"
    if wait:
        why = f"{wrong} in {wait} s. Too many wrong ones were entered, perhaps by somebody else"
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, why, {"retry-after": str(wait)})
    raise HTTPException(HTTPStatus.FORBIDDEN, wrong)


def _is_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _WITH_BODY and kind != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body should be JSON (Content-Type: application/json)"
        )
