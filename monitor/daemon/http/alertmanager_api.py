"""Alertmanager's API v2, so that amtool, karma and Grafana work with this daemon. Alerts cannot be posted: the daemon makes its own."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http import alertmanager_json as shapes
from monitor.daemon.http.access import may_change
from monitor.daemon.http.fair_queue import Endpoint, ExpensiveQueue
from monitor.daemon.http.methods import route_of
from monitor.daemon.http.refusals import REFUSALS, headers_of, status_of
from monitor.daemon.http.requested_matchers import compile_matchers
from monitor.dispatch.status import AlertStatus, SilenceStatus
from monitor.routing.matcher_syntax import Written, read_matchers
from monitor.routing.matchers import Matcher, matches
from monitor.routing.silences import Silence
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import Clock, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import NothingThere, StoreError

_TRUE: Final = frozenset({"true", "1", "t"})
_FALSE: Final = frozenset({"false", "0", "f"})


@dataclass(frozen=True, slots=True)
class ApiStatus:
    """What the API says of the daemon.

    ``receivers`` are their names, ``routing`` is the routing as Alertmanager's YAML, ``since`` when the daemon started, and ``name`` a random name
    that it keeps until it ends.
    """

    version: str
    receivers: tuple[str, ...]
    routing: str
    external_url: str = ""
    since: Instant = 0
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:26].upper())


class AlertmanagerApi:
    """The endpoints below ``/api/v2``.

    Changes need ``token`` (empty: see `monitor.daemon.http.access`). ``warnings`` returns what is wrong although the daemon is healthy.
    """

    def __init__(
        self,
        actions: AlertActions,
        api_status: ApiStatus,
        clock: Clock,
        token: str = "",
        warnings: Callable[[], Sequence[str]] = lambda: (),
        expensive: ExpensiveQueue | None = None,
    ) -> None:
        self._warnings = warnings
        self._expensive = expensive or ExpensiveQueue()
        self._actions = actions
        self._api_status = api_status
        self._clock = clock
        self._token = token

    def routes(self) -> list[Route]:
        """Returns the routes; the paths are Alertmanager's."""
        expensive = self._expensive.endpoint
        return [
            Route("/api/v2/status", with_error_answers(self.status)),
            Route("/api/v2/receivers", with_error_answers(self.receivers)),
            Route("/api/v2/alerts", with_error_answers(expensive(self.alerts))),
            Route("/api/v2/alerts", with_error_answers(self.refuse_alerts), methods=["POST"]),
            Route("/api/v2/alerts/groups", with_error_answers(expensive(self.groups))),
            route_of(
                "/api/v2/silences",
                {"GET": with_error_answers(expensive(self.silences)), "POST": with_error_answers(self.put_silence)},
            ),
            route_of(
                "/api/v2/silence/{id}",
                {"GET": with_error_answers(expensive(self.silence)), "DELETE": with_error_answers(self.expire_silence)},
            ),
        ]

    async def status(self, _: Request) -> Response:
        version = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "")
        warnings = list(self._warnings())
        return JSONResponse(
            {
                "cluster": {"name": self._api_status.name, "status": "disabled", "peers": []},
                "config": {"original": self._api_status.routing},
                "uptime": iso(self._api_status.since),
                "versionInfo": version | {"version": self._api_status.version},
            }
            | ({"warnings": warnings} if warnings else {})  # ours: Alertmanager's has no such key
        )

    async def receivers(self, _: Request) -> Response:
        return JSONResponse([{"name": name} for name in self._api_status.receivers])

    async def alerts(self, request: Request) -> Response:
        wanted = await filter_of(request)
        everything = [
            one async for one in with_checkpoints((await self._actions.status()).alerts()) if one.state != "resolved"
        ]
        known = shapes.label_fingerprints(everything)
        url, now = self._api_status.external_url, self._clock.now()
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
        wanted = await filter_of(request)
        status, now = await self._actions.status(), self._clock.now()
        known = shapes.label_fingerprints([one async for one in with_checkpoints(status.alerts())])
        found = []
        for together in status.groups():
            alerts = [
                shapes.alert(one, self._api_status.external_url, known, now)
                async for one in with_checkpoints(together.alerts)
                if wanted.has(one, (together.receiver,))
            ]
            found += [shapes.group(together, alerts)] if alerts else []
        return JSONResponse(found)

    async def silences(self, request: Request) -> Response:
        wanted = await compile_matchers(_filters(request))
        found = [
            one
            async for one in with_checkpoints((await self._actions.status()).silences())
            if _matches(one.silence, wanted)
        ]
        some = shapes.in_order(found)[_part_of(request)]
        return JSONResponse(
            [shapes.silence(one) async for one in with_checkpoints(some)], headers={"x-total-count": str(len(found))}
        )

    async def silence(self, request: Request) -> Response:
        found = await self._find(request.path_params["id"])
        return _not_found() if found is None else JSONResponse(shapes.silence(found))

    async def put_silence(self, request: Request) -> Response:
        may_change(request, self._token)
        body = await request.body()
        async with self._expensive.alone():
            asked = await shapes.read_silence(body, self._clock.now())
        if not asked.before:
            await self._actions.put_silence(asked.silence)
            return JSONResponse({"silenceID": asked.silence.id})
        try:
            made = await self._actions.change_silence(asked.before, asked.silence, asked.seen)
        except NothingThere:
            return _not_found()
        return JSONResponse({"silenceID": made.id})

    async def expire_silence(self, request: Request) -> Response:
        may_change(request, self._token)
        try:
            await self._actions.expire_silence(request.path_params["id"])
        except NothingThere:
            return _not_found()
        return Response()

    async def _find(self, silence_id: str) -> SilenceStatus | None:
        return next((one for one in (await self._actions.status()).silences() if one.silence.id == silence_id), None)


async def filter_of(request: Request) -> "AlertFilter":
    """Returns the filter that a request asks for. Raises ValueError for invalid parameters."""
    query = request.query_params
    shown = {name: _flag(query.get(name), name) for name in ("active", "silenced", "inhibited", "muted", "unprocessed")}
    receiver = query.get("receiver")
    written = _filters(request)
    if receiver:
        written.append(("receiver", "=~", receiver))
    matchers = await compile_matchers(written)
    hidden = frozenset(name for name, wanted in shown.items() if not wanted)
    return AlertFilter(hidden, matchers[:-1], matchers[-1]) if receiver else AlertFilter(hidden, matchers)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Selects alerts of states that are not hidden, that the matchers match, and that go to a receiver which its own matcher matches."""

    hidden: frozenset[str]
    matchers: tuple[Matcher, ...]
    receiver: Matcher | None = None

    def has(self, one: AlertStatus, receivers: Sequence[str]) -> bool:
        """Returns whether the alert is selected among those that go to ``receivers``."""
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
    """Returns the filters as written. Raises ValueError."""
    return [one for text in request.query_params.getlist("filter") for one in read_matchers(text)]


def _part_of(request: Request) -> slice:
    """Returns the requested part of a list, by ``limit`` and ``offset``. Both are ours: amtool requests the whole. Raises ValueError."""
    numbers = []
    for name in ("offset", "limit"):
        text = request.query_params.get(name)
        if text is not None and not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise ValueError(f"{name}: {text[:40]!r} is not a whole number")
        numbers.append(None if text is None else int(text))
    offset, limit = numbers[0] or 0, numbers[1]
    return slice(offset, None if limit is None else offset + limit)


def _matches(silence: Silence, wanted: Sequence[Matcher]) -> bool:
    """Returns whether the silence is selected, by Alertmanager's rule: each filter must match the value of the silence's matcher of that name."""
    return matches(wanted, {matcher.name: matcher.value for matcher in silence.matchers})


def _not_found() -> Response:
    return JSONResponse("silence not found", 404)


def with_error_answers(endpoint: Endpoint) -> Endpoint:
    """Returns the endpoint with errors of people or of the store answered as Alertmanager does: as one sentence."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except REFUSALS as error:
            status = status_of(error)
            is_change = isinstance(error, StoreError) and request.method not in ("GET", "HEAD")
            return JSONResponse(
                f"nothing was changed: {error}" if is_change else str(error), status, headers_of(status)
            )

    return answered
