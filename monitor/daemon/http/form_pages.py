"""What pages with forms share: whom their forms are accepted from, and how their pages are made."""

from urllib.parse import urlsplit

from starlette.requests import Request

from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.forms import read_form
from monitor.daemon.http.html_pages import HtmlPages


class FormPages:
    """Pages with forms. Changes need ``token`` (empty: see `monitor.daemon.http.access`); ``external_url`` is where people reach the pages."""

    def __init__(
        self, token: str, external_url: str, expensive: ExpensiveQueue | None = None, html: HtmlPages | None = None
    ) -> None:
        self._token, self._external_url = token, external_url
        self._expensive = expensive or ExpensiveQueue()
        self._root = urlsplit(external_url).path.rstrip("/")
        self._html = html or HtmlPages(self._root)

    async def _filled_in(self, request: Request) -> dict[str, str]:
        """Returns what was filled in; see `monitor.daemon.http.forms.read_form`."""
        return await read_form(request, self._token, self._external_url)
