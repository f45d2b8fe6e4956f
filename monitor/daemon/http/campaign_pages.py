"""The pages of campaigns: all that are known, and one with its progress, its statuses and its breakdown."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.list_query import ListQuery
from monitor.daemon.http.page_chart import page_chart
from monitor.daemon.read.campaigns import CampaignDetail
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.notify.render.chart_geometry import Frame, Line, TimeChart

ROWS: Final = 50
VALUES: Final = 12
"""The most values of a field that are shown."""
FIELDS: Final = {
    "operator": "Operators",
    "country": "Countries",
    "detailedStatus": "Detailed statuses",
    "from": "Senders",
}
_FRAME: Final = Frame(760, 200, left=56, right=16, top=14, bottom=26, text=12)


class CampaignPages:
    """The pages below ``/campaigns``."""

    def __init__(self, reader: DaemonReader, html: HtmlPages, expensive: ExpensiveQueue) -> None:
        self._reader, self._html, self._expensive = reader, html, expensive

    def routes(self) -> list[Route]:
        """Returns the routes. The id of a campaign is data: it may have a slash."""
        return [
            Route("/campaigns", self._expensive.endpoint(self.campaigns)),
            Route("/campaigns/{tracking_id:path}", self._expensive.endpoint(self.campaign)),
        ]

    async def campaigns(self, request: Request) -> Response:
        query = ListQuery.of(request)
        found = await self._reader.campaigns.page((query.page - 1) * ROWS, ROWS, query.text)
        return self._html.page(
            "campaigns.html", found=found, query=query, pages=query.pages(found.total, ROWS), now=self._reader.now
        )

    async def campaign(self, request: Request) -> Response:
        found = await self._reader.campaigns.one(request.path_params["tracking_id"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no messages of such a campaign are known")
        zone = self._reader.config.time_zone_of(found.summary.account)
        return self._html.page(
            "campaign.html",
            one=found,
            summary=found.summary,
            fields=[
                (title, found.breakdown[field][:VALUES], len(found.breakdown[field])) for field, title in FIELDS.items()
            ],
            chart=_chart(found, zone),
            currency=self._reader.currency_of(found.summary.account),
            as_of=self._reader.as_of,
            now=self._reader.now,
        )


def _chart(found: CampaignDetail, zone: str) -> str:
    """Returns the course of a campaign as SVG; empty if all of its reports came at once."""
    spans = found.timeline
    if len(spans) < 2 or spans[-1].start <= spans[0].start:
        return ""
    name = found.summary.name or found.summary.tracking_id
    chart = TimeChart(
        title=f"Reports of {name} over time",
        unit="count",
        since=spans[0].start,
        until=spans[-1].start,
        lines=(
            Line("value", [(one.start, float(one.messages)) for one in spans]),
            Line("threshold", [(one.start, float(one.failed)) for one in spans]),
        ),
        text=f"{found.summary.messages} messages, {found.summary.failed} failed",
        zone=zone,
    )
    return page_chart(chart, _FRAME)
