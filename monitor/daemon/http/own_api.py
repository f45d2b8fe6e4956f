"""The API beside Alertmanager's: acknowledging alerts, and the daemon's status."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.access import may_change
from monitor.daemon.http.alertmanager_api import said
from monitor.daemon.http.alertmanager_json import read_object, text_of
from monitor.daemon.http.fair_queue import Dear
from monitor.runtime.clock import Clock, Instant, iso, parse_duration, parse_iso
from monitor.runtime.errors import NothingThere


class OwnApi:
    """The endpoints below ``/api/v1``. ``token`` is what changes need, empty: see `monitor.daemon.http.access`. ``status`` makes what is said of
    the whole."""

    def __init__(
        self,
        actions: AlertActions,
        clock: Clock,
        token: str = "",
        status: Callable[[], Awaitable[dict[str, Any]]] | None = None,
        dear: Dear | None = None,
    ) -> None:
        self._dear = dear or Dear()
        self._actions = actions
        self._clock = clock
        self._token = token
        self._status = status

    def routes(self) -> list[Route]:
        """The routes."""
        path = "/api/v1/alerts/{fingerprint}/acknowledgement"
        status = [] if self._status is None else [Route("/api/v1/status", said(self.status))]
        return [
            *status,
            Route(path, said(self.acknowledge), methods=["POST"]),
            Route(path, said(self.unacknowledge), methods=["DELETE"]),
            Route(path, said(self._dear.endpoint(self.acknowledgement)), methods=["GET"]),
        ]

    async def status(self, _: Request) -> Response:
        assert self._status is not None
        return JSONResponse(await self._status())

    async def acknowledge(self, request: Request) -> Response:
        may_change(request, self._token)
        data = read_object(await request.body())
        by = text_of(data, "by").strip()
        if not by:
            raise ValueError("by: an acknowledgement needs the name of the person who takes care of the alert")
        until = _until(text_of(data, "until"), text_of(data, "for"), self._clock.now())
        fingerprint = await self._own(request.path_params["fingerprint"])
        try:
            await self._actions.acknowledge(fingerprint, by, text_of(data, "comment"), until)
        except NothingThere:
            return JSONResponse("no alert with this fingerprint fires", 404)
        return Response()

    async def acknowledgement(self, request: Request) -> Response:
        found = self._actions.status().find(request.path_params["fingerprint"])
        if found is None or found.ack is None:
            return JSONResponse("no alert with this fingerprint is acknowledged", 404)
        ack = found.ack
        until = None if ack.until is None else iso(ack.until)
        return JSONResponse({"by": ack.by, "comment": ack.comment, "at": iso(ack.at), "until": until})

    async def unacknowledge(self, request: Request) -> Response:
        may_change(request, self._token)
        try:
            await self._actions.unacknowledge(await self._own(request.path_params["fingerprint"]))
        except NothingThere:
            return JSONResponse("no alert with this fingerprint is acknowledged", 404)
        return Response()

    async def _own(self, fingerprint: str) -> str:
        """The alert's own fingerprint, where that of its labels is given, which is what amtool and webhooks show."""
        async with self._dear.alone():
            found = self._actions.status().find(fingerprint)
        return fingerprint if found is None else found.view.fingerprint


def _until(moment: str, duration: str, now: Instant) -> Instant | None:
    """When an acknowledgement ends. Raises ValueError."""
    if moment and duration:
        raise ValueError("takes either until or for, not both")
    until = now + parse_duration(duration) if duration else parse_iso(moment) if moment else None
    if until is not None and until <= now:
        raise ValueError(f"until: {moment[:40]!r} has passed")
    return until
