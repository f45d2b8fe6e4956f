"""The pages by which browsers log in and out. A browser cannot send a bearer token, so it enters the token once and gets a cookie."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.daemon.http.access import enters, from_our_page
from monitor.daemon.http.forms import TOKEN_FIELD, read_fields
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.sessions import SESSION_SECONDS
from monitor.daemon.http.visitor import FORM_FIELD, own_address, present_visitor
from monitor.model.format import duration
from monitor.runtime.clock import SECOND

LONGEST: Final = 16 * 1024
"""The most bytes of a form that is sent to log in."""

_ABOUT = (
    "Enter the token of this daemon: the value of web.token, or the content of web.token_file. "
    f"This browser is then logged in for {duration(SESSION_SECONDS * SECOND)}."
)


class LoginPages:
    """The pages ``/login`` and ``/logout`` of a daemon with ``token``; an empty one: nobody needs to log in."""

    def __init__(
        self,
        token: str = "",
        external_url: str = "",
        html: HtmlPages | None = None,
        stored: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        """``stored`` waits until ended sessions are in the store."""
        self._token, self._external_url, self._stored = token, external_url, stored
        self._root = urlsplit(external_url).path.rstrip("/")
        self._html = html or HtmlPages(self._root)

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            Route("/login", self.login, methods=["GET", "POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    async def login(self, request: Request) -> Response:
        """Shows the form; or logs the browser in and sends it to the page of the parameter ``next``."""
        wanted = self._root + own_address(request.query_params.get("next", "/"))
        if not self._token or (request.method != "POST" and present_visitor().is_logged_in):
            return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        if request.method != "POST":
            return self._form()
        given = await read_fields(request, LONGEST)
        from_our_page(request, given.get(FORM_FIELD, ""), self._external_url)
        try:
            enters(given.get("token", ""), self._token)
        except HTTPException as refused:
            return self._form(refused)
        present_visitor().log_in()
        await self._stored()  # the session before, if there was one, is over
        return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)

    async def logout(self, request: Request) -> Response:
        """Ends the session of the browser."""
        given = await read_fields(request)
        from_our_page(request, given.get(FORM_FIELD, ""), self._external_url)
        present_visitor().log_out()
        await self._stored()
        return RedirectResponse(f"{self._root}/login" if self._token else f"{self._root}/", HTTPStatus.SEE_OTHER)

    def _form(self, refused: HTTPException | None = None) -> Response:
        status = HTTPStatus.OK if refused is None else HTTPStatus(refused.status_code)
        problem = "" if refused is None else refused.detail[:1].upper() + refused.detail[1:]
        page = self._html.page(
            "form.html", status, title="Log in", about=_ABOUT, fields=[TOKEN_FIELD], problem=problem, button="Log in"
        )
        page.headers.update({} if refused is None else refused.headers or {})
        return page
