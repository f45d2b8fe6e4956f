"""Alertmanager's API v2, so that amtool, karma and Grafana work against this daemon. Its alerts are its own: none can be posted."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http import alertmanager_json as shapes
from monitor.daemon.http.access import may_change
from monitor.daemon.http.fair_queue import Dear, Endpoint
from monitor.daemon.http.matchers_asked import asked
from monitor.dispatch.status import AlertStatus, SilenceStatus
from monitor.routing.matcher_syntax import Written, read_matchers
from monitor.routing.matchers import Matcher, matches
from monitor.routing.silences import Silence
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import Clock, Instant, iso
from monitor.runtime.errors import NothingThere, StoreError

_TRUE: Final = frozenset({"true", "1", "t"})
_FALSE: Final = frozenset({"false", "0", "f"})


@dataclass(frozen=True, slots=True)
class ApiStatus:
    """What the API says of the daemon: its version, the names of its receivers, its routing as Alertmanager would write it, its address;
    since when it runs, and a name that is its own as long as it does."""

    version: str
    receivers: tuple[str, ...]
    routing: str
    external_url: str = ""
    since: Instant = 0
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:26].upper())


class AlertmanagerApi:
    """The endpoints below ``/api/v2``. ``token`` is what changes need, empty: see `monitor.daemon.http.access`. ``warnings`` says what is wrong
    although the daemon is well."""

    def __init__(
        self,
        actions: AlertActions,
        about: ApiStatus,
        clock: Clock,
        token: str = "",
        warnings: Callable[[], Sequence[str]] = lambda: (),
        dear: Dear | None = None,
    ) -> None:
        self._warnings = warnings
        self._dear = dear or Dear()
        self._actions = actions
        self._about = about
        self._clock = clock
        self._token = token

    def routes(self) -> list[Route]:
        """The routes; the paths are Alertmanager's."""
        dear = self._dear.endpoint
        return [
            Route("/api/v2/status", said(self.status)),
            Route("/api/v2/receivers", said(self.receivers)),
            Route("/api/v2/alerts", said(dear(self.alerts))),
            Route("/api/v2/alerts", said(self.refuse_alerts), methods=["POST"]),
            Route("/api/v2/alerts/groups", said(dear(self.groups))),
            Route("/api/v2/silences", said(dear(self.silences))),
            Route("/api/v2/silences", said(self.put_silence), methods=["POST"]),
            Route("/api/v2/silence/{id}", said(dear(self.silence))),
            Route("/api/v2/silence/{id}", said(self.expire_silence), methods=["DELETE"]),
        ]

    async def status(self, _: Request) -> Response:
        version = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "")
        warnings = list(self._warnings())
        return JSONResponse(
            {
                "cluster": {"name": self._about.name, "status": "disabled", "peers": []},
                "config": {"original": self._about.routing},
                "uptime": iso(self._about.since),
                "versionInfo": version | {"version": self._about.version},
            }
            | ({"warnings": warnings} if warnings else {})  # ours: Alertmanager's has no such key
        )

    async def receivers(self, _: Request) -> Response:
        return JSONResponse([{"name": name} for name in self._about.receivers])

    async def alerts(self, request: Request) -> Response:
        wanted = await wanted_by(request)
        everything = [one async for one in with_checkpoints(self._actions.status().alerts()) if one.state != "resolved"]
        known = shapes.label_fingerprints(everything)
        url, now = self._about.external_url, self._clock.now()
        return JSONResponse(
            [
                shapes.alert(one, url, known, now)
                async for one in with_checkpoints(everything)
                if wanted.has(one, one.receivers)
            ]
        )

    async def refuse_alerts(self, _: Request) -> Response:
        return JSONResponse(
            "routee-monitor makes its alerts from its own rules: it does not accept alerts by POST",
            405,
            {"allow": "GET, HEAD"},
        )

    async def groups(self, request: Request) -> Response:
        wanted = await wanted_by(request)
        status, now = self._actions.status(), self._clock.now()
        known = shapes.label_fingerprints([one async for one in with_checkpoints(status.alerts())])
        found = []
        for together in status.groups():
            alerts = [
                shapes.alert(one, self._about.external_url, known, now)
                async for one in with_checkpoints(together.alerts)
                if wanted.has(one, (together.receiver,))
            ]
            found += [shapes.group(together, alerts)] if alerts else []
        return JSONResponse(found)

    async def silences(self, request: Request) -> Response:
        wanted = await asked(_filters(request))
        found = [
            one async for one in with_checkpoints(self._actions.status().silences()) if _meets(one.silence, wanted)
        ]
        some = shapes.in_order(found)[_part_of(request)]
        return JSONResponse(
            [shapes.silence(one) async for one in with_checkpoints(some)], headers={"x-total-count": str(len(found))}
        )

    async def silence(self, request: Request) -> Response:
        found = self._find(request.path_params["id"])
        return _none() if found is None else JSONResponse(shapes.silence(found))

    async def put_silence(self, request: Request) -> Response:
        may_change(request, self._token)
        now = self._clock.now()
        body = await request.body()
        async with self._dear.alone():
            named, wanted = await shapes.read_silence(body, now)
            found = self._find(named) if named else None
        if named and found is None:
            return _none()
        before = None if found is None else found.silence
        if before is not None and before.goes_on_as(wanted, now):
            wanted = _continued(before, wanted, now)
        elif before is not None:
            wanted = msgspec.structs.replace(wanted, id=shapes.new_id())
        await self._actions.put_silence(wanted)
        if before is not None and wanted.id != before.id and before.state(now) != "expired":
            await self._actions.expire_silence(before.id)
        return JSONResponse({"silenceID": wanted.id})

    async def expire_silence(self, request: Request) -> Response:
        may_change(request, self._token)
        try:
            await self._actions.expire_silence(request.path_params["id"])
        except NothingThere:
            return _none()
        return Response()

    def _find(self, silence_id: str) -> SilenceStatus | None:
        return next((one for one in self._actions.status().silences() if one.silence.id == silence_id), None)


async def wanted_by(request: Request) -> "AlertFilter":
    """Returns the filter that a request asks for. Raises ValueError for invalid parameters."""
    query = request.query_params
    shown = {name: _flag(query.get(name), name) for name in ("active", "silenced", "inhibited", "muted", "unprocessed")}
    receiver = query.get("receiver")
    written = _filters(request)
    if receiver:
        written.append(("receiver", "=~", receiver))
    matchers = await asked(written)
    hidden = frozenset(name for name, wanted in shown.items() if not wanted)
    return AlertFilter(hidden, matchers[:-1], matchers[-1]) if receiver else AlertFilter(hidden, matchers)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Alerts of no kind that is hidden, that meet the matchers, and that a receiver is told of which meets its own."""

    hidden: frozenset[str]
    matchers: tuple[Matcher, ...]
    receiver: Matcher | None = None

    def has(self, one: AlertStatus, receivers: Sequence[str]) -> bool:
        """Whether it is wanted, of somebody who is told by these receivers."""
        if self.receiver is not None and not any(self.receiver.accepts(name) for name in receivers):
            return False
        return not (_kinds(one) & self.hidden) and matches(self.matchers, one.view.labels)


def _kinds(one: AlertStatus) -> set[str]:
    if one.state == "pending":
        return {"unprocessed"}
    reasons = {"silenced": one.silenced_by, "inhibited": one.inhibited_by, "muted": one.muted_by}
    return {name for name, by in reasons.items() if by} or {"active"}


def _flag(text: str | None, name: str) -> bool:
    if text is None or text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{name}: {text[:40]!r} is neither true nor false")


def _filters(request: Request) -> list[Written]:
    """The filters as they are written. Raises ValueError."""
    return [one for text in request.query_params.getlist("filter") for one in read_matchers(text)]


def _part_of(request: Request) -> slice:
    """Which part of a list is asked for, by ``limit`` and ``offset``, which are ours: amtool asks for the whole. Raises ValueError."""
    numbers = []
    for name in ("offset", "limit"):
        text = request.query_params.get(name)
        if text is not None and not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise ValueError(f"{name}: {text[:40]!r} is not a whole number")
        numbers.append(None if text is None else int(text))
    offset, limit = numbers[0] or 0, numbers[1]
    return slice(offset, None if limit is None else offset + limit)


def _meets(silence: Silence, wanted: Sequence[Matcher]) -> bool:
    """As Alertmanager filters silences: each filter has to be met by the value of the silence's matcher of that name."""
    return matches(wanted, {matcher.name: matcher.value for matcher in silence.matchers})


def _continued(before: Silence, wanted: Silence, now: Instant) -> Silence:
    """A silence with its changes: it began when it began, and goes on recurring although amtool knows nothing of that."""
    began = before.starts_at if before.state(now) == "active" else wanted.starts_at
    return msgspec.structs.replace(wanted, starts_at=began, during=wanted.during or before.during)


def _none() -> Response:
    return JSONResponse("silence not found", 404)


def said(endpoint: Endpoint) -> Endpoint:
    """What a person or the store did not allow, as Alertmanager answers it: a sentence."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ValueError as error:
            return JSONResponse(str(error), 400)
        except StoreError as error:
            # Of the answers that amtool knows, those that it shows the sentence of.
            return JSONResponse(f"nothing was changed: {error}", 400 if request.method == "POST" else 500)

    return answered
