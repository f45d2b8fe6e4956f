"""The page of one incident: the alerts in it, from the first to the last, and who was told. It still answers when the incident is over."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.read.daemon_reader import DaemonReader

ROWS: Final = 100
"""The most alerts that are shown, the latest ones."""


class IncidentPages:
    """The pages below ``/incidents``."""

    def __init__(self, reader: DaemonReader, html: HtmlPages) -> None:
        self._reader, self._html = reader, html

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [Route("/incidents/{id}", self.incident)]

    async def incident(self, request: Request) -> Response:
        found = await self._reader.incidents.one(request.path_params["id"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "nothing is known of such an incident")
        return self._html.page(
            "incident.html",
            one=found,
            alerts=found.alerts[-ROWS:],
            since=min((each.began_at for each in found.alerts), default=found.summary.began_at),
            summary=found.summary,
            currency=self._reader.currency_of(found.summary.account),
            now=self._reader.now,
            as_of=self._reader.as_of,
        )
