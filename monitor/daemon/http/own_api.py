"""Our own API beside Alertmanager's: acknowledgements, and the daemon's status."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.access import may_change
from monitor.daemon.http.alertmanager_api import with_error_answers
from monitor.daemon.http.alertmanager_json import read_object, text_of
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.methods import route_of
from monitor.model.label_fingerprint import label_fingerprint
from monitor.runtime.clock import Clock, Instant, iso, parse_duration, parse_iso
from monitor.runtime.errors import NothingThere


class OwnApi:
    """The endpoints below ``/api/v1``.

    Changes need ``token`` (empty: see `monitor.daemon.http.access`). ``status`` returns the daemon's status.
    """

    def __init__(
        self,
        actions: AlertActions,
        clock: Clock,
        token: str = "",
        status: Callable[[], Awaitable[dict[str, Any]]] | None = None,
        expensive: ExpensiveQueue | None = None,
    ) -> None:
        self._expensive = expensive or ExpensiveQueue()
        self._actions = actions
        self._clock = clock
        self._token = token
        self._status = status

    def routes(self) -> list[Route]:
        """Returns the routes."""
        path = "/api/v1/alerts/{fingerprint}/acknowledgement"
        status = [] if self._status is None else [Route("/api/v1/status", with_error_answers(self.status))]
        return [
            *status,
            route_of(
                path,
                {
                    "GET": with_error_answers(self._expensive.endpoint(self.acknowledgement)),
                    "POST": with_error_answers(self.acknowledge),
                    "DELETE": with_error_answers(self.unacknowledge),
                },
            ),
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
        fingerprint, alert = await self._own(request.path_params["fingerprint"])
        try:
            await self._actions.acknowledge(fingerprint, by, text_of(data, "comment"), until)
        except NothingThere:
            return JSONResponse("no alert with this fingerprint fires", 404)
        return JSONResponse(alert)

    async def acknowledgement(self, request: Request) -> Response:
        found = (await self._actions.status()).find(request.path_params["fingerprint"])
        if found is None or found.ack is None:
            return JSONResponse("no alert with this fingerprint is acknowledged", 404)
        ack = found.ack
        until = None if ack.until is None else iso(ack.until)
        return JSONResponse({"by": ack.by, "comment": ack.comment, "at": iso(ack.at), "until": until})

    async def unacknowledge(self, request: Request) -> Response:
        may_change(request, self._token)
        try:
            fingerprint, alert = await self._own(request.path_params["fingerprint"])
            await self._actions.unacknowledge(fingerprint)
        except NothingThere:
            return JSONResponse("no alert with this fingerprint is acknowledged", 404)
        return JSONResponse(alert)

    async def _own(self, fingerprint: str) -> tuple[str, dict[str, Any]]:
        """Returns the alert's own fingerprint, for each of its names, and the answer about it. Raises AmbiguousName."""
        async with self._expensive.alone():
            found = (await self._actions.status()).find(fingerprint)
        if found is None:
            return fingerprint, {"fingerprint": fingerprint, "labelFingerprint": "", "labels": {}}
        own, labels = found.view.fingerprint, found.view.labels
        return own, {"fingerprint": own, "labelFingerprint": label_fingerprint(labels), "labels": labels}


def _until(moment: str, duration: str, now: Instant) -> Instant | None:
    """Returns when an acknowledgement ends; None: when the alert resolves. Raises ValueError."""
    if moment and duration:
        raise ValueError("takes either until or for, not both")
    until = now + parse_duration(duration) if duration else parse_iso(moment) if moment else None
    if until is not None and until <= now:
        raise ValueError(f"until: {moment[:40]!r} has passed")
    return until
