"""The pages that links in messages lead to: one alert, and the forms that acknowledge and silence it. They work without JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.access import may_submit
from monitor.daemon.http.alertmanager_json import new_id
from monitor.daemon.http.fair_queue import Dear
from monitor.daemon.http.matchers_asked import asked
from monitor.dispatch.status import AlertStatus
from monitor.model.format import datetime, duration, moments, sparkline
from monitor.notify.render.alert_sentence import cause, sentence
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.notify.render.notification_text import marks, notes
from monitor.notify.render.sanitize import tone
from monitor.notify.render.text import example
from monitor.routing.acknowledgements import REPORT
from monitor.routing.matcher_syntax import read_matchers
from monitor.routing.silences import new_silence
from monitor.runtime.clock import Clock, Instant, parse_duration
from monitor.runtime.errors import NothingThere, StoreError

_MOST_FIELDS: Final = 20
_MOST_TEXT: Final = 10_000
_BULLETS: Final = ("- ", "* ", "• ")


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form; ``rows`` 0: a single line."""

    name: str
    label: str
    value: str = ""
    type: str = "text"
    hint: str = ""
    rows: int = 0
    required: bool = True
    complete: str = "off"


_BY: Final = FormField("by", "Your name", complete="name")
_COMMENT: Final = FormField("comment", "Comment")
_LASTS: Final = FormField("for", "For how long", hint="until it resolves; or 4h", required=False)
_TOKEN: Final = FormField("token", "Token (web.token)", type="password", complete="current-password")


class AlertPages:
    """The pages. ``token`` is what changes need, empty: see `monitor.daemon.http.access`; ``external_url`` is where people reach them."""

    def __init__(
        self, actions: AlertActions, clock: Clock, token: str = "", external_url: str = "", dear: Dear | None = None
    ) -> None:
        self._actions = actions
        self._clock = clock
        self._token = token
        self._external_url = external_url
        self._dear = dear or Dear()
        self._root = urlsplit(external_url).path.rstrip("/")

    def routes(self) -> list[Route]:
        """The routes; `monitor.notify.render.links` makes their addresses."""
        return [
            Route("/page.css", self.style),
            Route("/alerts/{fingerprint}", self._dear.endpoint(self.alert)),
            Route("/alerts/{fingerprint}/acknowledge", self.acknowledge, methods=["GET", "POST"]),
            Route("/silences/new", self.silence, methods=["GET", "POST"]),
        ]

    async def style(self, _: Request) -> Response:
        return Response(_style(), media_type="text/css")

    async def alert(self, request: Request) -> Response:
        one = self._find(request, deep=True)
        view = one.view
        return self._page(
            "alert.html",
            one=one,
            view=view,
            state=one.state,
            tone=tone(view.severity, view.status),
            sentence=sentence(view),
            notes=[passages(text) for text in notes(view)],
            causes=[cause(found) for found in view.breakdown],
            bars=sparkline(view.history),
            samples=[example(sample) for sample in view.samples],
            marks=marks(view),
            since=moments(view.since, view.time_zone),
            lasted=duration(view.duration),
            fires_on_until=None if one.fires_on_until is None else datetime(one.fires_on_until),
            acknowledge=acknowledge_url(self._root, view.fingerprint),
            silence=silence_url(self._root, view.labels),
        )

    async def acknowledge(self, request: Request) -> Response:
        async with self._dear.alone():
            one = self._find(request)
        said = sentence(one.view).removesuffix(".")
        about = (
            f"{said}. It is not repeated until it resolves. You are notified when it gets worse, and when it resolves."
        )
        fields = (_BY, FormField("comment", "What is being done", required=False), _LASTS)
        show = partial(self._form, "Acknowledge", about, fields)
        if request.method != "POST":
            return show({}, REPORT if one.view.is_report else "")
        given = await self._given(request)
        try:
            until = self._clock.now() + parse_duration(given["for"]) if given.get("for") else None
            await self._actions.acknowledge(one.view.fingerprint, given.get("by", ""), given.get("comment", ""), until)
        except (ValueError, StoreError, NothingThere) as error:
            return show(given, str(error))
        said = f"{given.get('by', '')} takes care of it until {'it resolves' if until is None else datetime(until)}."
        return self._page("done.html", title="Acknowledged", text=said, back=page_url(self._root, one.view.fingerprint))

    async def silence(self, request: Request) -> Response:
        about = (
            "During that time, no notifications are sent for alerts that match all of the matchers. "
            "If you were notified of an alert before, you are still notified when it resolves."
        )
        matchers = "\n".join(request.query_params.getlist("matcher"))
        rows = max(matchers.count("\n") + 1, 2)
        fields = (
            FormField("matchers", "Matchers, one a line", matchers, rows=rows),
            FormField("for", "For how long", "1h"),
            _BY,
            _COMMENT,
        )
        show = partial(self._form, "Silence", about, fields)
        if request.method != "POST":
            return show({})
        given = await self._given(request)
        try:
            ends_at = await self._silenced(given)
        except (ValueError, StoreError) as error:
            return show(given, str(error))
        return self._page("done.html", title="Silenced", text=f"Until {datetime(ends_at)}.", back="")

    async def _silenced(self, given: Mapping[str, str]) -> Instant:
        now = self._clock.now()
        async with self._dear.alone():
            wanted = await asked(
                [one for line in given.get("matchers", "").splitlines() for one in read_matchers(line)]
            )
        ends_at = now + parse_duration(given.get("for", ""))
        by, comment = given.get("by", ""), given.get("comment", "")
        silence = new_silence(
            wanted, starts_at=now, ends_at=ends_at, created_by=by, comment=comment, now=now, id=new_id()
        )
        await self._actions.put_silence(silence)
        return ends_at

    async def _given(self, request: Request) -> dict[str, str]:
        """What was filled in, by somebody who may."""
        try:
            pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "this form cannot be read") from None
        given = {name: value.strip()[:_MOST_TEXT] for name, value in pairs}
        may_submit(request, given.pop("token", ""), self._token, self._external_url)
        return given

    def _form(
        self, title: str, about: str, fields: tuple[FormField, ...], given: Mapping[str, str], problem: str = ""
    ) -> Response:
        shown = [_filled(field, given) for field in fields] + ([_TOKEN] if self._token else [])
        status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
        return self._page("form.html", status, title=title, about=about, fields=shown, problem=problem, button=title)

    def _find(self, request: Request, *, deep: bool = False) -> AlertStatus:
        found = self._actions.status().find(request.path_params["fingerprint"], deep=deep)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such alert now; it may have resolved")
        return found

    def _page(self, name: str, status: int = HTTPStatus.OK, **context: Any) -> Response:
        return HTMLResponse(_templates().get_template(name).render(root=self._root, **context), status)


def passages(text: str) -> list[tuple[str, list[str]]]:
    """A note as paragraphs (``p``) and lists (``ul``): lines that begin with ``-``, ``*`` or ``•`` are the items of a list."""
    found: list[tuple[str, list[str]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        kind = "ul" if line.startswith(_BULLETS) else "p"
        if not found or found[-1][0] != kind:
            found.append((kind, []))
        found[-1][1].append(line[2:].strip() if kind == "ul" else line)
    return found


def _filled(field: FormField, given: Mapping[str, str]) -> FormField:
    return replace(field, value=given.get(field.name, field.value))


@lru_cache(1)
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("monitor.daemon.http", "pages")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)


@lru_cache(1)
def _style() -> str:
    return files("monitor.daemon.http").joinpath("pages", "page.css").read_text("utf-8")
