"""What the listener answers: health, readiness, metrics, Alertmanager's API, our own, and a plain page that says what this is.

What guards every request (headers, the token for reading) is middleware; what changes something asks `monitor.daemon.http.access` first.
"""

from collections.abc import Iterable, Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.daemon.health import WebState
from monitor.daemon.http.access import carries
from monitor.daemon.http.fair_queue import PROBES, Dear, Shared
from monitor.daemon.http.hosts import KnownHosts
from monitor.daemon.metrics import Metrics
from monitor.notify.render.escape import html

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "referrer-policy": "same-origin",  # with none, a browser would not say that our own forms are ours
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>routee-monitor</title></head>
<body>
<h1>routee-monitor {version}</h1>
<p>Watches SMS delivery through Routee and notifies the ops team.</p>
{warnings}<ul>
<li><a href="/healthz">/healthz</a>: do its loops make progress?</li>
<li><a href="/readyz">/readyz</a>: was every search polled, can the store be written?</li>
<li><a href="/metrics">/metrics</a>: for Prometheus</li>
<li><a href="/api/v2/alerts">/api/v2/alerts</a>: what fires; with the rest of Alertmanager's API, for amtool, karma and Grafana</li>
</ul>
</body>
</html>
"""


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
    dear: Dear | None = None,
) -> Starlette:
    """The application of one daemon, with the routes of its APIs. With ``protect_reads`` every page needs ``Authorization: Bearer <token>``.
    ``hosts`` are the names by which it may be reached, beside this machine's own and addresses; ``dear`` is what ``apis`` go by, too.

    Raises ValueError for ``protect_reads`` without a token: nobody could read anything.
    """
    if protect_reads and not token:
        raise ValueError("web.protect_reads needs a token: set web.token_file")
    secret = token if protect_reads else ""
    return Starlette(
        routes=[*_Pages(state, metrics, secret, dear or Dear()).routes(), *apis],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(KnownHosts, names=hosts, token=token),
            Middleware(ReadToken, token=secret),
        ],
        exception_handlers={HTTPException: _http_error, 500: _internal_error},
    )


class _Pages:
    """The endpoints, with what they read from."""

    def __init__(self, state: WebState, metrics: Metrics, token: str, dear: Dear) -> None:
        self._state = state
        self._metrics = metrics
        self._exposition = Shared[tuple[bytes, str]](dear)
        self._token = token

    def routes(self) -> list[Route]:
        return [
            Route("/", self.index),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

    async def index(self, _: Request) -> Response:
        warnings = "".join(f"<p><strong>{html(one)}</strong></p>\n" for one in self._state.warnings())
        return HTMLResponse(_PAGE.format(version=self._metrics.version, warnings=warnings))

    async def healthz(self, request: Request) -> Response:
        return self._probe(request, "healthy", self._state.stuck())

    async def readyz(self, request: Request) -> Response:
        return self._probe(request, "ready", self._state.unready(), self._state.warnings())

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        body, content_type = await self._exposition.get(accept, self._metrics.exposition)
        return Response(body, headers={"content-type": content_type})

    def _probe(self, request: Request, good: str, reasons: Sequence[str], warnings: Sequence[str] = ()) -> Response:
        answer: dict[str, object] = {"status": f"not {good}" if reasons else good}
        if not self._token or carries(request.headers, self._token):
            answer["reasons"] = list(reasons)
            answer |= {"warnings": list(warnings)} if warnings else {}
        return JSONResponse(answer, 503 if reasons else 200)


class ReadToken:
    """Answers 401 to whoever does not show ``token``; an empty token lets everybody read. The probes are answered without it, but then
    without their reasons."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        open_to_all = scope["type"] != "http" or not self._token or scope["path"] in PROBES
        if open_to_all or carries(Headers(scope=scope), self._token):
            await self._app(scope, receive, send)
            return
        error = {
            "error": "This page needs the header 'Authorization: Bearer <token>' with the token of web.token_file."
        }
        await JSONResponse(error, 401, {"www-authenticate": "Bearer"})(scope, receive, send)


class SecurityHeaders:
    """Adds to every answer what keeps a browser from doing more with it than showing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        text = html(error.detail[:1].upper() + error.detail[1:])
        return HTMLResponse(_PROBLEM.format(text=text), error.status_code, error.headers)
    return JSONResponse(
        {"error": f"{request.method} {request.url.path}: {error.detail}"}, error.status_code, error.headers
    )


async def _internal_error(request: Request, _: Exception) -> Response:
    """Starlette raises the error again after this answer, so that `monitor.daemon.http.guards` logs it; the client learns nothing of it."""
    text = "Something went wrong inside routee-monitor; its log says what"
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_PROBLEM.format(text=text), 500, _HEADERS)
    return JSONResponse({"error": f"{text}."}, 500, _HEADERS)
