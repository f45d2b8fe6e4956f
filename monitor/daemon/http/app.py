"""Answers requests: health, readiness, metrics, and what the pages and APIs answer.

Middleware guards every request (host, the token for reading). What changes something calls `monitor.daemon.http.access` first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.daemon.health import WebState
from monitor.daemon.http.bearer import carries, why_refused
from monitor.daemon.http.fair_queue import CALLBACKS, PROBES, ExpensiveQueue, SharedAnswer
from monitor.daemon.http.hosts import KnownHosts
from monitor.daemon.http.html_pages import FILES, HtmlPages
from monitor.daemon.http.refusals import headers_of, status_of
from monitor.daemon.http.sessions import BrowserSessions
from monitor.daemon.http.visitor import Visitors, address_of, present_visitor, wants_a_page
from monitor.daemon.metrics import Metrics
from monitor.runtime.errors import AmbiguousName, StoreError

_OPEN_TO_ALL = PROBES | {"/login", *(f"/{name}" for name in FILES)}
"""Paths that are answered without the token: probes, but without their reasons, and what a browser needs to log in."""

_PROBLEM = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>routee-monitor</title></head>
<body>
<h1>{text}.</h1>
</body>
</html>
"""


def make_app(
    state: WebState,
    metrics: Metrics,
    *,
    token: str = "",
    protect_reads: bool = False,
    hosts: Iterable[str] = (),
    apis: Sequence[BaseRoute] = (),
    expensive: ExpensiveQueue | None = None,
    sessions: BrowserSessions | None = None,
    external_url: str = "",
    html: HtmlPages | None = None,
    fleet: Callable[[], dict[str, Any]] | None = None,
) -> Starlette:
    """Returns the application of one daemon, with the routes of its APIs.

    With ``protect_reads`` every page needs ``Authorization: Bearer <token>``, or a browser that is logged in. ``hosts`` are the names by which the
    daemon may be reached, besides localhost and IP addresses. ``expensive`` is the queue that ``apis`` use, too. ``sessions`` are those of
    browsers, ``external_url`` is where they reach the daemon. ``html`` has the frame of a page
    that says why there is none. ``fleet`` returns the daemons that share the store, as JSON has them.

    Raises ValueError for ``protect_reads`` without a token, because nobody could read anything.
    """
    if protect_reads and not token:
        raise ValueError("web.protect_reads needs a token: set web.token_file")
    secret = token if protect_reads else ""
    app = Starlette(
        routes=[*_Pages(state, metrics, expensive or ExpensiveQueue(), fleet).routes(), *apis],
        middleware=[
            Middleware(KnownHosts, names=hosts, token=token),
            Middleware(Visitors, sessions=sessions or BrowserSessions(), token=token, external_url=external_url),
            Middleware(ReadToken, token=secret, root=urlsplit(external_url).path.rstrip("/")),
        ],
        exception_handlers={
            HTTPException: partial(_http_error, html or HtmlPages()),
            StoreError: partial(_refusal, html or HtmlPages()),
            AmbiguousName: partial(_refusal, html or HtmlPages()),
            500: _internal_error,
        },
    )
    # It would name the scheme and path of the proxy's request, not the browser's, and repeat a callback's secret.
    app.router.redirect_slashes = False
    return app


class _Pages:
    """The endpoints, with what they read from."""

    def __init__(
        self,
        state: WebState,
        metrics: Metrics,
        expensive: ExpensiveQueue,
        fleet: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._state, self._fleet = state, fleet
        self._metrics = metrics
        self._exposition = SharedAnswer[tuple[bytes, str]](expensive)

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

    async def healthz(self, request: Request) -> Response:
        fleet = {} if self._fleet is None else {"fleet": self._fleet()}
        return self._probe(request, "healthy", self._state.stuck(), more=fleet)

    async def readyz(self, request: Request) -> Response:
        return self._probe(request, "ready", self._state.unready(), self._state.warnings())

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        body, content_type = await self._exposition.get(accept, self._metrics.exposition)
        return Response(body, headers={"content-type": content_type})

    def _probe(
        self,
        request: Request,
        good: str,
        reasons: Sequence[str],
        warnings: Sequence[str] = (),
        more: Mapping[str, object] = MappingProxyType({}),
    ) -> Response:
        answer: dict[str, object] = {"status": f"not {good}" if reasons else good}
        if present_visitor().may_read:
            answer["reasons"] = list(reasons)
            answer |= {"warnings": list(warnings)} if warnings else {}
            answer |= more
        return JSONResponse(answer, 503 if reasons else 200)


class ReadToken:
    """Answers 401 unless the request has ``token`` or is of a browser that is logged in; an empty token lets everybody read.

    A person who asks for a page is sent to the login below ``root``. Probes are answered without the token, but then without their reasons,
    and so are the login and errors, but then without the masthead. Callbacks have a secret of their own.
    """

    def __init__(self, app: ASGIApp, token: str, root: str = "") -> None:
        self._app = app
        self._token = token
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_answered(scope):
            await self._app(scope, receive, send)
        elif wants_a_page(scope, Headers(scope=scope)):
            login = f"{self._root}/login?next={quote(address_of(scope), safe='/')}"
            await RedirectResponse(login, HTTPStatus.SEE_OTHER)(scope, receive, send)
        else:
            why = why_refused(Headers(scope=scope), self._token, "all pages")
            await JSONResponse({"error": f"{why[:1].upper()}{why[1:]}."}, 401, {"www-authenticate": "Bearer"})(
                scope, receive, send
            )

    def _is_answered(self, scope: Scope) -> bool:
        visitor, path = present_visitor(), scope["path"]
        visitor.may_read = not self._token or visitor.is_logged_in or carries(Headers(scope=scope), self._token)
        return visitor.may_read or path in _OPEN_TO_ALL or path.startswith(CALLBACKS)


async def _http_error(html_pages: HtmlPages, request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        text = "There is no such page" if error.detail == "Not Found" else error.detail[:1].upper() + error.detail[1:]
        answer = html_pages.page("problem.html", HTTPStatus(error.status_code), text=text.removesuffix("."))
        answer.headers.update(error.headers or {})
        return answer
    return JSONResponse(
        {"error": f"{request.method} {request.url.path}: {error.detail}"}, error.status_code, error.headers
    )


async def _refusal(html_pages: HtmlPages, request: Request, error: Exception) -> Response:
    """Answers that the store cannot be read or written now, or that a shortened name means several."""
    status = status_of(error)
    refused = HTTPException(status, str(error), headers_of(status))
    return await _http_error(html_pages, request, refused)


async def _internal_error(request: Request, _: Exception) -> Response:
    """Answers an unexpected error without details.

    Starlette raises the error again afterwards, so that `monitor.daemon.http.guards` logs it.
    """
    text = "Something went wrong inside routee-monitor; its log says what"
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_PROBLEM.format(text=text), 500)
    return JSONResponse({"error": f"{text}."}, 500)
