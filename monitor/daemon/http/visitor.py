"""Knows the browser behind each request: whether it is logged in, and which forms it may send.

Two cookies, both HttpOnly and SameSite=Strict: one holds the session of a browser that is logged in, the other one a random value for the forms
of a browser that is not. Every form has a hidden field that is derived from the cookie by a key that only the daemons of one store know. A
foreign page knows neither.

A browser does not send such cookies with the first request that follows a link of another site, such as one in Slack. Therefore that request
gets a page which asks for the same address once more.
"""

import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.config.yaml import is_loopback
from monitor.daemon.http.address import named_host, site_of
from monitor.daemon.http.bearer import carries_wrong
from monitor.daemon.http.sessions import SESSION_SECONDS, BrowserSessions, same
from monitor.notify.render.escape import html
from monitor.runtime.dataclass import dataclass

FORM_FIELD: Final = "form_token"
"""The name of the hidden field that every form has."""

_MOST_COOKIES: Final = 8
"""The most cookies of one name that are looked at; another site of the same domain can add some."""

_OWN_ADDRESS: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]{0,2000}")
"""Matches a path of this listener. Browsers read ``//host``, ``/\\host`` and ``/<tab>/host`` as the name of another host."""

_AGAIN: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}"><title>routee-monitor</title></head>
<body><p><a href="{url}">Go on to routee-monitor</a></p></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class CookieSettings:
    """How cookies are named and where browsers send them.

    ``suffix`` tells daemons on one machine apart that share no store (`BrowserSessions.name`).
    """

    suffix: str = ""
    path: str = "/"
    external_is_https: bool = False

    @property
    def session(self) -> str:
        """The name of the cookie with the session."""
        return f"routee_monitor_session{self.suffix}"

    @property
    def form(self) -> str:
        """The name of the cookie for the forms of browsers that are not logged in."""
        return f"routee_monitor_form{self.suffix}"


@dataclass(slots=True)
class Visitor:
    """The sender of one request, seen as a browser. ``new_cookies`` are sent with the answer.

    ``may_read`` says whether it may see anything of the daemon; a page for others, such as the login, says nothing of it.
    """

    sessions: BrowserSessions
    token: str
    settings: CookieSettings
    headers: Headers
    is_https: bool
    new_cookies: list[str] = field(default_factory=list)
    may_read: bool = False
    _session: str = ""
    _form: str = ""

    def __post_init__(self) -> None:
        self._session = next((one for one in self._sent(self.settings.session) if self._is_session(one)), "")

    @property
    def is_logged_in(self) -> bool:
        return bool(self._session)

    @property
    def must_enter_token(self) -> bool:
        """Whether a form needs a field for the token."""
        return bool(self.token) and not self.is_logged_in

    @property
    def form_token(self) -> str:
        """What the hidden field of each form must hold. Makes a cookie for it if the browser has none."""
        return self.sessions.form_token(self._session or self._form_cookie())

    def owns(self, form_token: str) -> bool:
        """Returns whether a form with that hidden field was made for this browser."""
        cookies = [self._session] if self._session else list(self._sent(self.settings.form))
        return any(same(form_token, self.sessions.form_token(one)) for one in cookies)

    def log_in(self) -> None:
        """Begins a session, always a new one. The token must have been checked."""
        self.log_out()
        self._session = self.sessions.begin(self.token)
        self._set_session(self._session, SESSION_SECONDS)

    def log_out(self) -> None:
        """Ends the session."""
        if self._session:
            self.sessions.end(self._session)
            self._session = ""
            self._set_session("", 0)

    def _is_session(self, session: str) -> bool:
        return bool(self.token) and self.sessions.holds(session, self.token)

    def _form_cookie(self) -> str:
        if not self._form:
            self._form = next(self._sent(self.settings.form), "")
        if not self._form:
            self._form = secrets.token_urlsafe(32)
            by_proxy = self.settings.external_is_https and not is_loopback(named_host(self.headers.get("host", "")))
            self._set(self.settings.form, self._form, secure=self.is_https or by_proxy)
        return self._form

    def _sent(self, name: str) -> Iterator[str]:
        """Yields the values of the cookies with that name."""
        found = 0
        for header in self.headers.getlist("cookie"):
            for part in header.split(";"):
                key, _, value = part.strip().partition("=")
                if key == name and value and found < _MOST_COOKIES:
                    found += 1
                    yield value

    def _set(self, name: str, value: str, seconds: int | None = None, *, secure: bool) -> None:
        lasts = "" if seconds is None else f"; Max-Age={seconds}"
        more = "; Secure" if secure else ""
        self.new_cookies.append(f"{name}={value}; Path={self.settings.path}; HttpOnly; SameSite=Strict{lasts}{more}")

    def _set_session(self, value: str, seconds: int) -> None:
        """Sets the cookie of the session. A form says by its header Origin whether the browser speaks HTTPS, perhaps to a proxy in front."""
        origin = site_of(self.headers.get("origin", "")).scheme
        secure = self.is_https or (origin == "https" if origin else self.settings.external_is_https)
        self._set(self.settings.session, value, seconds, secure=secure)


_present: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def present_visitor() -> Visitor:
    """Returns the sender of the request that is being answered; nobody outside of a request."""
    found = _present.get()
    return Visitor(BrowserSessions(), "", CookieSettings(), Headers(), is_https=False) if found is None else found


class Visitors:
    """Makes a `Visitor` for each request, which `present_visitor` returns, and sends its new cookies with the answer."""

    def __init__(self, app: ASGIApp, sessions: BrowserSessions, token: str = "", external_url: str = "") -> None:
        external = urlsplit(external_url)
        self._app, self._sessions, self._token = app, sessions, token
        self._root = external.path.rstrip("/")
        self._settings = CookieSettings(f"_{sessions.name}", self._root or "/", external.scheme == "https")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._token and carries_wrong(headers, self._token):
            self._sessions.wrong("bearer")
        visitor = Visitor(self._sessions, self._token, self._settings, headers, scope["scheme"] == "https")

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                for cookie in visitor.new_cookies:
                    MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        if not visitor.is_logged_in and _comes_from_elsewhere(scope, headers):
            url = html(self._root + own_address(address_of(scope)))
            await HTMLResponse(_AGAIN.format(url=url))(scope, receive, send)
            return
        before = _present.set(visitor)
        try:
            await self._app(scope, receive, send_with_cookies)
        finally:
            _present.reset(before)


def wants_a_page(scope: Scope, headers: Headers) -> bool:
    """Returns whether a person looks at the answer."""
    return scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def address_of(scope: Scope) -> str:
    """Returns path and query of a request, as they were sent."""
    path = scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0] or scope["path"]
    query = scope["query_string"].decode("ascii", "replace")
    return f"{path}?{query}" if query else str(path)


def own_address(text: str) -> str:
    """Returns ``text`` if it is the path of a page here, with or without a query; else the path of the first page."""
    return text if _OWN_ADDRESS.fullmatch(text) else "/"


def _comes_from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """Returns whether a browser follows a link of another site."""
    elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return elsewhere and headers.get("sec-fetch-mode") == "navigate" and wants_a_page(scope, headers)
