"""The pages that links in notifications lead to: one alert, and the forms that acknowledge and silence it. They need no JavaScript."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.evaluation_chart import ALERT_FRAME, evaluation_chart
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.form_pages import FormPages
from monitor.daemon.http.forms import FormField, filled
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.page_chart import page_chart
from monitor.daemon.http.refusals import REFUSALS
from monitor.daemon.read.alert_reader import AlertPast
from monitor.daemon.read.alerts import AlertCourse, SampleMessage
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.dispatch.status import AlertStatus
from monitor.model.format import datetime, duration, moments, sparkline
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.message import UNKNOWN
from monitor.notify.render.alert_chart import alert_chart, worth_drawing
from monitor.notify.render.alert_sentence import cause, sentence
from monitor.notify.render.chart_geometry import Span
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.notify.render.notification_text import marks, notes
from monitor.notify.render.sanitize import tone
from monitor.notify.render.text import example
from monitor.routing.acknowledgements import REPORT
from monitor.runtime.clock import Clock, parse_duration
from monitor.runtime.errors import StoreError

_BULLETS: Final = ("- ", "* ", "• ")


_BY: Final = FormField("by", "Your name", complete="name")
_LASTS: Final = FormField("for", "For how long", hint="until it resolves; or 4h", required=False)


class AlertPages(FormPages):
    """The pages."""

    def __init__(
        self,
        actions: AlertActions,
        clock: Clock,
        token: str = "",
        external_url: str = "",
        expensive: ExpensiveQueue | None = None,
        html: HtmlPages | None = None,
        reader: DaemonReader | None = None,
    ) -> None:
        super().__init__(token, external_url, expensive, html)
        self._actions, self._clock, self._reader = actions, clock, reader

    def routes(self) -> list[Route]:
        """Returns the routes; `monitor.notify.render.links` builds their addresses."""
        return [
            Route("/alerts/{fingerprint}", self.alert),
            Route("/alerts/{fingerprint}/acknowledge", self.acknowledge, methods=["GET", "POST"]),
        ]

    async def alert(self, request: Request) -> Response:
        past, refused = await self._past(request.path_params["fingerprint"])
        async with self._expensive.alone():
            one = await self._actions.explained(request.path_params["fingerprint"])
            course = None if self._reader is None or past is None else self._reader.alerts.course(past, one)
            if one is not None:
                return self._present(one, course)
        if refused is not None:
            raise refused
        if course is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such alert now; it may have resolved")
        return self._html.page(
            "alert_over.html",
            one=course,
            now=self._clock.now(),
            chart=self._drawn(course),
            samples=[example_of(sample) for sample in course.samples],
        )

    async def _past(self, fingerprint: str) -> tuple[AlertPast | None, StoreError | None]:
        """Returns what the store has of the alert, and why the store could not be read, if so."""
        try:
            return None if self._reader is None else await self._reader.alerts.past(fingerprint), None
        except StoreError as error:
            return None, error

    def _present(self, one: AlertStatus, course: AlertCourse | None) -> Response:
        view, now = one.view, self._clock.now()
        waits = "" if self._reader is None else self._reader.alerts.waiting_end(view.fingerprint)
        drawn = page_chart(alert_chart(view), ALERT_FRAME) if worth_drawing(view) else ""
        return self._html.page(
            "alert.html",
            one=one,
            view=view,
            account=view.labels.get("account", ""),
            of_labels=label_fingerprint(view.labels),
            course=course,
            now=now,
            state=one.state,
            tone=tone(view.severity, view.status),
            sentence=sentence(view),
            notes=[paragraphs(text) for text in notes(view)],
            causes=[cause(found) for found in view.breakdown],
            chart=drawn or ("" if course is None else self._drawn(course)),
            bars=sparkline(view.history),
            samples=[example(sample) for sample in view.samples],
            marks=marks(msgspec.structs.replace(view, fires_on_until=None)),  # it has a row of its own
            waits=waits,
            has_rule=self._reader is None or self._reader.rules.named(view.rule) is not None,
            since=moments(view.since, view.time_zone),
            lasted=duration(view.lasted(now)),
            firing_since=moments(view.starts_at, view.time_zone)
            if one.state == "firing" and not view.is_report
            else "",
            fired_for=duration(now - view.starts_at),
            fires_on_until=None if one.fires_on_until is None else datetime(one.fires_on_until),
            acknowledge=acknowledge_url(self._root, view.fingerprint),
            silence=silence_url(self._root, view.labels),
        )

    def _drawn(self, course: AlertCourse) -> str:
        """Returns the recent values of the alert's group as SVG; empty if they are not kept."""
        rule = None if self._reader is None else self._reader.rules.named(course.rule)
        if rule is None or self._reader is None or any(name not in course.labels for name in rule.grouping):
            return ""
        labels = {name: course.labels[name] for name in rule.grouping}
        found = self._reader.rules.evaluations(course.rule, labels, course.account or None)
        zone = self._reader.config.time_zone_of(course.account)
        start, end = course.firing_at, course.ended_at or self._clock.now()
        spans = () if start is None else (Span("critical", start, end, "it fired"),)
        chart = None if found is None else evaluation_chart(found, zone, spans)
        return "" if chart is None else page_chart(chart, ALERT_FRAME)

    async def acknowledge(self, request: Request) -> Response:
        async with self._expensive.alone():
            one = await self._find(request)
        said = sentence(one.view).removesuffix(".")
        about = (
            f"{said}. It is not repeated until it resolves. You are notified when it gets worse, and when it resolves."
        )
        fields = (_BY, FormField("comment", "What is being done", required=False), _LASTS)
        show = partial(self._form, "Acknowledge", about, fields)
        if request.method != "POST":
            return show({}, ValueError(REPORT) if one.view.is_report else None)
        given = await self._filled_in(request)
        try:
            until = self._clock.now() + parse_duration(given["for"]) if given.get("for") else None
            await self._actions.acknowledge(one.view.fingerprint, given.get("by", ""), given.get("comment", ""), until)
        except REFUSALS as error:
            return show(given, error)
        said = f"{given.get('by', '')} takes care of it until {'it resolves' if until is None else datetime(until)}."
        return self._html.page(
            "done.html", title="Acknowledged", text=said, back=page_url(self._root, one.view.fingerprint)
        )

    def _form(
        self,
        title: str,
        about: str,
        fields: tuple[FormField, ...],
        given: Mapping[str, str],
        error: Exception | None = None,
    ) -> Response:
        shown = filled(fields, given)
        return self._html.form("form.html", error, title=title, about=about, fields=shown, button=title)

    async def _find(self, request: Request) -> AlertStatus:
        found = (await self._actions.status()).find(request.path_params["fingerprint"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such alert now; it may have resolved")
        return found


def example_of(sample: SampleMessage) -> str:
    """Returns a message of an alert in a few words."""
    words = (
        sample.to,
        sample.status,
        sample.detailed_status,
        sample.operator,
        datetime(sample.date),
        sample.message_id,
    )
    return " · ".join(dict.fromkeys(word for word in words if word and word != UNKNOWN))


def paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Returns a note as paragraphs (``p``) and lists (``ul``); lines that begin with ``-``, ``*`` or ``•`` are items of a list."""
    found: list[tuple[str, list[str]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        kind = "ul" if line.startswith(_BULLETS) else "p"
        if not found or found[-1][0] != kind:
            found.append((kind, []))
        found[-1][1].append(line[2:].strip() if kind == "ul" else line)
    return found
