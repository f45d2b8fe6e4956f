"""Renders the HTML pages: one look, one frame around all of them, and the files that they load."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.alerts.unread_messages import UNREAD
from monitor.config.rules.model import BUILT_IN
from monitor.daemon.http.refusals import headers_of, status_of
from monitor.daemon.http.visitor import FORM_FIELD, present_visitor
from monitor.model.format import amount, datetime, duration, number, percent
from monitor.notify.render.sanitize import tone
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.printable import lines

FILES: Final = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that pages load, with their media types."""


@dataclass(frozen=True, slots=True)
class OtherHolder:
    """Another daemon and what it holds of the accounts. ``url`` is where its pages are, or empty; without a ``name`` nobody holds them."""

    name: str
    url: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Masthead:
    """What the top of every page says about the daemon.

    ``polled`` is the end of the last complete poll, None before the first one. ``warnings`` are sentences about what is stuck, blind or stale.
    ``held`` are the accounts of which this daemon has the messages, ``others`` the holders of all further ones.
    """

    version: str = ""
    polled: Instant | None = None
    now: Instant = 0
    warnings: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    others: tuple[OtherHolder, ...] = ()


class HtmlPages:
    """Renders pages. ``root`` is the path below which people reach them; ``masthead`` is read for each page."""

    def __init__(self, root: str = "", masthead: Callable[[], Masthead] = Masthead) -> None:
        self.root = root
        self._masthead = masthead

    def routes(self) -> list[Route]:
        """Returns the routes of the files that pages load."""
        return [Route(f"/{name}", self.file) for name in FILES]

    async def file(self, request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(_file(name), media_type=FILES[name])

    def page(self, name: str, status: int = HTTPStatus.OK, **context: Any) -> Response:
        """Returns the page made from a template of the folder ``pages``. Who may not read gets it without the masthead."""
        masthead = self._masthead() if present_visitor().may_read else None
        text = _templates().get_template(name).render(root=self.root, masthead=masthead, **context)
        return HTMLResponse(text, status)

    def form(self, name: str, error: Exception | None = None, **context: Any) -> Response:
        """Returns the page of a form. An error of `REFUSALS` is shown in it, and determines the status."""
        status = HTTPStatus.OK if error is None else status_of(error)
        answer = self.page(name, status, problem="" if error is None else str(error), **context)
        answer.headers.update(headers_of(status))
        return answer


def prepare() -> None:
    """Compiles all templates. Blocking: takes some tenths of a second, for which the first visitors of pages would delay everything else."""
    for name in _templates().list_templates(extensions=["html"]):
        _templates().get_template(name)


def short(count: int) -> str:
    """Returns a count in few characters: 940, 12k, 3.4M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.{0 if count >= 10 * size else 1}f}{letter}"
    return str(count)


_CELL: Final = re.compile(r"<t[rhd]\b(?![^>]*colspan)")
"""Matches the beginning of a row, and of each cell of its own column. Text of a page has no bare ``<``."""


def labelled(rows: str, heads: Sequence[str]) -> str:
    """Returns the rows of a table (markup) in which each cell has its column's heading, which is shown where there is no room for columns."""
    column = 0

    def with_heading(found: re.Match[str]) -> str:
        nonlocal column
        column = 0 if found[0] == "<tr" else column + 1
        if found[0] != "<td" or column > len(heads):
            return found[0]
        return f'<td data-h="{escape(heads[column - 1].removeprefix("#"))}"'

    return _CELL.sub(with_heading, rows)


_CODE: Final = re.compile(r"`([^`]+)`")


def coded(text: str) -> Markup:
    """Returns a text as markup in which what stands between backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(lines(text)))))  # noqa: S704 - escaped


def _visible(value: object) -> object:
    """Returns a text without characters that hide or reorder other text; what is markup already stays, as with the filter ``e``."""
    return lines(value) if type(value) is str else value


@lru_cache(1)
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("monitor.daemon.http", "pages")
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_visible,
    )
    made.filters |= {
        "amount": amount,
        "coded": coded,
        "datetime": datetime,
        "duration": duration,
        "number": number,
        "percent": percent,
        "short": short,
        "labelled": labelled,
        "part": lambda text: quote(str(text), safe="", errors="replace"),
    }
    made.globals |= {
        "tone": tone,
        "visitor": present_visitor,
        "form_field": FORM_FIELD,
        "built_in": BUILT_IN,
        "unread": UNREAD,
    }
    return made


@lru_cache(len(FILES))
def _file(name: str) -> str:
    return files("monitor.daemon.http").joinpath("pages", name).read_text("utf-8")
