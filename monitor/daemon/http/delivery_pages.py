"""The pages about reading and sending: the searches, the receivers with their dead letters, and the notifications."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.form_pages import FormPages
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.query import page_of
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.model.plurals import plural
from monitor.runtime.errors import NothingThere
from monitor.store.protocol import FATES, NotificationFilter, Retried

PER_PAGE: Final = 50
DEAD_SHOWN: Final = 20
"""The most dead letters that the page of the receivers lists; that of the notifications has all."""
_MOST_TEXT: Final = 300

RetryDeadLetters = Callable[[NotificationFilter, int | None], Awaitable[Retried]]
"""Sends the dead letters that the filter selects again, or only that with the id."""


class DeliveryPages(FormPages):
    """The pages."""

    def __init__(
        self,
        reader: DaemonReader,
        retry: RetryDeadLetters,
        token: str = "",
        external_url: str = "",
        expensive: ExpensiveQueue | None = None,
        html: HtmlPages | None = None,
    ) -> None:
        super().__init__(token, external_url, expensive, html)
        self._reader, self._retry = reader, retry

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            Route("/searches", self._expensive.endpoint(self.searches)),
            Route("/receivers", self.receivers),
            Route("/receivers/retry", self.retry, methods=["POST"]),
            Route("/notifications", self.notifications),
            Route("/history", self.moved),
        ]

    async def searches(self, request: Request) -> Response:
        found = self._reader.searches.all()
        page, pages, part = page_of(request.query_params.get("page"), len(found), PER_PAGE)
        return self._html.page(
            "searches.html",
            here="searches",
            searches=found[part],
            total=len(found),
            number_of_page=page,
            pages=pages,
            now=self._reader.now,
        )

    async def receivers(self, request: Request) -> Response:
        query = request.query_params
        found = await self._reader.notifications.receivers()
        dead = await self._reader.notifications.page(NotificationFilter(outcome="dead"), limit=DEAD_SHOWN)
        page, pages, part = page_of(query.get("page"), len(found), PER_PAGE)
        return self._html.page(
            "receivers.html",
            here="receivers",
            receivers=found[part],
            dead=dead,
            said=_said(query),
            number_of_page=page,
            pages=pages,
            now=self._reader.now,
        )

    async def retry(self, request: Request) -> Response:
        """Sends one dead letter again, those of a channel, those of a receiver, or all."""
        given = await self._filled_in(request)
        number = given.get("notification", "")
        if number and not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise HTTPException(HTTPStatus.BAD_REQUEST, "notification: should be the number of a dead letter")
        if not (number or given.get("receiver") or given.get("do") == "all"):
            raise HTTPException(HTTPStatus.BAD_REQUEST, "name a notification, a receiver, or all (do: all)")
        wanted = NotificationFilter(receiver=given.get("receiver") or None, channel=given.get("channel") or None)
        try:
            retried = await self._retry(wanted, int(number) if number else None)
        except NothingThere as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None
        return RedirectResponse(f"{self._root}/receivers?{urlencode(asdict(retried))}", HTTPStatus.SEE_OTHER)

    async def moved(self, request: Request) -> Response:
        """Leads from the page's earlier address to its present one."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{self._root}/notifications{query}", HTTPStatus.PERMANENT_REDIRECT)

    async def notifications(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "")[:_MOST_TEXT] for name in ("receiver", "rule", "outcome")}
        outcome = next((one for one in FATES if one == asked["outcome"]), None)
        asked["outcome"] = outcome or ""
        wanted = NotificationFilter(receiver=asked["receiver"] or None, rule=asked["rule"] or None, outcome=outcome)
        text = request.query_params.get("page")
        # The number of pages is known once the total is, so a page beyond the last one is read again.
        page, _, part = page_of(text, 10**9, PER_PAGE)
        found = await self._reader.notifications.page(wanted, part.start, PER_PAGE)
        if not found.items and found.total:
            page, _, part = page_of(text, found.total, PER_PAGE)
            found = await self._reader.notifications.page(wanted, part.start, PER_PAGE)
        config = self._reader.config
        return self._html.page(
            "notifications.html",
            here="notifications",
            found=found,
            asked=asked,
            query={name: value for name, value in asked.items() if value},
            receivers=_choices([receiver.name for receiver in config.receivers], asked["receiver"]),
            outcomes=FATES,
            number_of_page=page if found.total else 1,
            pages=max(-(-found.total // PER_PAGE), 1),
            now=self._reader.now,
        )


def _choices(names: list[str], chosen: str) -> list[str]:
    """Returns the names for a list of choices; what was chosen is among them although it may be gone."""
    return names if not chosen or chosen in names else [*names, chosen]


def _said(query: Mapping[str, str]) -> str:
    """Returns what came of a retry, by the parameters of the page to which it leads."""
    counts = {name: query.get(name, "") for name in ("waiting", "superseded", "unreadable")}
    if not all(one.isascii() and one.isdecimal() and len(one) < 10 for one in counts.values()):
        return ""
    waiting, superseded, unreadable = (int(one) for one in counts.values())
    said = f"{plural(waiting, 'notification')} will be sent again."
    if superseded:
        said += f" {plural(superseded, 'other')} had been replaced by a newer one."
    return f"{said} {unreadable:,} cannot be sent: unreadable in the store." if unreadable else said
