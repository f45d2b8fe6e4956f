"""The pages of silences: the list, and the forms that make, change and end them. They need no JavaScript."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.config.monitor.interval import in_words, written
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.alertmanager_json import in_order, new_id, read_during
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.form_pages import FormPages
from monitor.daemon.http.forms import PREVIEW, FormField, filled
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.query import page_of
from monitor.daemon.http.refusals import REFUSALS
from monitor.daemon.http.requested_matchers import compile_matchers
from monitor.dispatch.status import AlertStatus, SilenceStatus
from monitor.model.format import datetime
from monitor.routing.matcher_syntax import read_matchers
from monitor.routing.matchers import Matcher, matches, show
from monitor.routing.silences import Silence, new_silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import Clock, Instant, iso, parse_duration, parse_iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import NothingThere

PER_PAGE: Final = 40
MOST_NAMED: Final = 20
"""The most alerts that a preview names."""

EXTENSIONS: Final = ("1h", "4h")
"""By how much the buttons of the list extend a silence."""

_ABOUT: Final = (
    "During that time, no notifications are sent for alerts that match all of the matchers. "
    "If you were notified of an alert before, you are still notified when it resolves."
)
_LASTS: Final = FormField("for", "For how long, or until when", "1h", hint="2h30m, or 2026-11-21T18:00Z")
_BY: Final = FormField("by", "Your name", complete="name")
_COMMENT: Final = FormField("comment", "Comment")
_SEEN: Final = "seen"
"""The hidden field that says which state of the silence the form shows."""

_LATER: Final = (
    FormField("starts", "Begins", hint="Left out: now. In 2h, or 2026-11-21T18:00Z", required=False),
    FormField("weekdays", "Only on these days", hint="saturday, sunday", required=False),
    FormField("times", "Only at these times", hint="02:00-06:00, 22:00-24:00", required=False),
    FormField("location", "Time zone of days and times", hint="Europe/Athens; left out: UTC", required=False),
)


@dataclass(frozen=True, slots=True)
class SilencePreview:
    """What a silence would hide now: the number of firing alerts, how many of them are silenced already, and the first ones."""

    count: int
    silenced: int
    named: tuple[AlertStatus, ...]


@dataclass(frozen=True, slots=True)
class ShownSilence:
    """A silence in the list."""

    status: SilenceStatus
    matchers: str
    recurs: str
    query: str
    """The query of the form that makes such a silence again."""

    @property
    def silence(self) -> Silence:
        return self.status.silence

    @property
    def state(self) -> str:
        """Alertmanager's state; ``recurring`` for an active silence that does not silence now."""
        return "recurring" if self.status.state == "active" and not self.status.is_silencing else self.status.state

    def contains(self, text: str) -> bool:
        """Returns whether a matcher, the comment or the name contains the text, which is in small letters."""
        return any(text in one.casefold() for one in (self.matchers, self.silence.comment, self.silence.created_by))


class SilencePages(FormPages):
    """The pages."""

    def __init__(
        self,
        actions: AlertActions,
        clock: Clock,
        token: str = "",
        external_url: str = "",
        expensive: ExpensiveQueue | None = None,
        html: HtmlPages | None = None,
    ) -> None:
        super().__init__(token, external_url, expensive, html)
        self._actions, self._clock = actions, clock

    def routes(self) -> list[Route]:
        """Returns the routes; `monitor.notify.render.links` builds the address of a new silence."""
        return [
            Route("/silences", self._expensive.endpoint(self.silences)),
            Route("/silences/new", self.new, methods=["GET", "POST"]),
            Route("/silences/{id}", self.change, methods=["POST"]),
            Route("/silences/{id}/edit", self.edit, methods=["GET", "POST"]),
        ]

    async def silences(self, request: Request) -> Response:
        query, text = request.query_params, request.query_params.get("q", "")[:200]
        expired = query.get("show") == "expired"
        everything = in_order((await self._actions.status()).silences())
        shown = [_shown(one) async for one in with_checkpoints(everything) if (one.state == "expired") == expired]
        found = [one async for one in with_checkpoints(shown) if one.contains(text.casefold())]
        page, pages, part = page_of(query.get("page"), len(found), PER_PAGE)
        changed = next((one for one in everything if one.silence.id == query.get("changed")), None)
        return self._html.page(
            "silences.html",
            here="silences",
            found=found[part],
            total=len(found),
            counts={"expired": len(shown) if expired else len(everything) - len(shown)}
            | {"current": len(everything) - len(shown) if expired else len(shown)},
            expired=expired,
            q=text,
            number_of_page=page,
            pages=pages,
            changed=None if changed is None else _shown(changed),
            extensions=EXTENSIONS,
            now=self._clock.now(),
        )

    async def new(self, request: Request) -> Response:
        """Shows the form, with a preview if it has matchers; or shows the preview again; or makes the silence."""
        matchers = "\n".join(request.query_params.getlist("matcher"))
        comment = request.query_params.get("comment", "")
        rows = max(matchers.count("\n") + 1, 2)
        asked = FormField("matchers", "Matchers, one a line", matchers, rows=rows)
        fields = (asked, _LASTS, _BY, replace(_COMMENT, value=comment), *_LATER)
        show_form = partial(self._form, "Silence", fields)
        if request.method != "POST":
            return await show_form({"matchers": matchers})
        given = await self._filled_in(request)
        if given.pop("do", "") == PREVIEW:
            return await show_form(given)
        try:
            silence = await self._read(given)
            await self._actions.put_silence(silence)
        except REFUSALS as error:
            return await show_form(given, error)
        return self._html.page("done.html", title="Silenced", text=f"Until {datetime(silence.ends_at)}.", back="")

    async def edit(self, request: Request) -> Response:
        """Changes a silence. With other matchers it is another one, as in Alertmanager: the old one ends."""
        before = (await self._find(request)).silence
        if before.state(self._clock.now()) == "expired":
            raise HTTPException(HTTPStatus.CONFLICT, "this silence has ended: make a new one")
        fields = (
            FormField(
                "matchers",
                "Matchers, one a line",
                "\n".join(map(str, before.matchers)),
                rows=max(len(before.matchers), 2),
            ),
            replace(_LASTS, label="Until when, or how long from now", value=iso(before.ends_at)),
            replace(_BY, value=before.created_by),
            replace(_COMMENT, value=before.comment),
        )
        show_form = partial(self._form, "Change the silence", fields, before=before)
        if request.method != "POST":
            return await show_form({"matchers": fields[0].value})
        given = await self._filled_in(request)
        if given.pop("do", "") == PREVIEW:
            return await show_form(given)
        try:
            seen = parse_iso(given.get(_SEEN, ""))
            made = await self._actions.change_silence(before.id, await self._read(given, before), seen)
        except REFUSALS as error:
            return await show_form(given, error)
        return self._back(made.id)

    async def change(self, request: Request) -> Response:
        """Extends or ends a silence."""
        given = await self._filled_in(request)
        found, wanted = (await self._find(request)).silence, given.get("do", "")
        try:
            if wanted == "expire":
                await self._actions.expire_silence(found.id)
            elif wanted in EXTENSIONS:
                await self._actions.extend_silence(found.id, parse_duration(wanted))
            else:
                raise HTTPException(HTTPStatus.BAD_REQUEST, "a silence is extended by 1h or 4h, or ended (do: expire)")
        except ValueError as error:  # it has expired
            raise HTTPException(HTTPStatus.CONFLICT, f"nothing was changed: {error}") from None
        except NothingThere:
            raise _missing() from None
        return self._back(found.id)

    def _back(self, silence_id: str) -> Response:
        return RedirectResponse(f"{self._root}/silences?changed={quote(silence_id, safe='')}", HTTPStatus.SEE_OTHER)

    async def _read(self, given: Mapping[str, str], before: Silence | None = None) -> Silence:
        """Returns the silence that was filled in; it keeps what the form for ``before`` does not show. Raises ValueError."""
        now = self._clock.now()
        matchers = await self._matchers(given)
        starts_at = _moment(given.get("starts", ""), now) if given.get("starts") else now
        if before is not None:
            starts_at = before.starts_at
        return new_silence(
            matchers,
            starts_at=starts_at,
            ends_at=_moment(given.get("for", ""), max(starts_at, now)),
            created_by=given.get("by", ""),
            comment=given.get("comment", ""),
            now=now,
            id=new_id(),
            during=_during(given) if before is None else before.during,
        )

    async def _matchers(self, given: Mapping[str, str]) -> tuple[Matcher, ...]:
        async with self._expensive.alone():
            lines = given.get("matchers", "").splitlines()
            return await compile_matchers([one for line in lines for one in read_matchers(line)])

    async def _form(
        self,
        title: str,
        fields: Sequence[FormField],
        given: Mapping[str, str],
        error: Exception | None = None,
        before: Silence | None = None,
    ) -> Response:
        preview: SilencePreview | None = None
        if given.get("matchers"):
            try:
                preview = await self._preview(await self._matchers(given))
            except ValueError as refused:
                error = error or refused
        shown = filled(fields, given)
        names = {one.name for one in _LATER}
        later = [one for one in shown if one.name in names]
        return self._html.form(
            "silence_form.html",
            error,
            here="silences",
            title=title,
            button=title,
            about=_ABOUT,
            fields=[one for one in shown if one not in later],
            later=later,
            preview=preview,
            recurs="" if before is None else _recurs(before.during),
            seen="" if before is None else given.get(_SEEN) or iso(before.updated_at),
        )

    async def _preview(self, matchers: Sequence[Matcher]) -> SilencePreview:
        count, silenced = 0, 0
        named: list[AlertStatus] = []
        async with self._expensive.alone():
            async for one in with_checkpoints((await self._actions.status()).alerts()):
                if one.state == "firing" and matches(matchers, one.view.labels):
                    count += 1
                    silenced += bool(one.silenced_by)
                    named += [one] if len(named) < MOST_NAMED else []
        return SilencePreview(count, silenced, tuple(named))

    async def _find(self, request: Request) -> SilenceStatus:
        wanted = request.path_params["id"]
        found = next((one for one in (await self._actions.status()).silences() if one.silence.id == wanted), None)
        if found is None:
            raise _missing()
        return found


def _missing() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such silence; it may have expired days ago")


def _shown(status: SilenceStatus) -> ShownSilence:
    silence = status.silence
    query = "&".join(
        [f"matcher={quote(str(one), safe='', errors='replace')}" for one in silence.matchers]
        + [f"comment={quote(silence.comment[:200], safe='', errors='replace')}"]
    )
    return ShownSilence(status, show(silence.matchers), _recurs(silence.during), query)


def _recurs(during: TimeInterval | None) -> str:
    """Returns when a recurring silence is active: ``only sunday 02:00-06:00 Europe/Athens``; empty if it does not recur."""
    if during is None:
        return ""
    return f"only {in_words(written(during))}"


def _moment(text: str, now: Instant) -> Instant:
    """Returns the time that was entered: an instant, or a duration from ``now``. Raises ValueError."""
    return parse_iso(text) if "-" in text else now + parse_duration(text)


def _during(given: Mapping[str, str]) -> TimeInterval | None:
    """Returns the times of a recurring silence. Raises ValueError."""
    days, times = (_listed(given.get(name, "")) for name in ("weekdays", "times"))
    if not days and not times:
        return None
    ranges = [dict(zip(("start_time", "end_time"), one.split("-", 1), strict=False)) for one in times]
    some = {"weekdays": days} if days else {}
    return read_during(some | ({"times": ranges} if ranges else {}) | {"location": given.get("location") or "UTC"})


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.lower().split(",") if one.strip()]
