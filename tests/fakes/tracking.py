"""Routee's tracking in memory: live data in pages by offset, selected by status date or by sending, with drift and faults on request."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from monitor.model.batch import batch_of
from monitor.model.routee_query import PAGE_SIZE, Page, RejectedRecord, RouteeQuery
from monitor.runtime.clock import DAY, MILLISECOND, SECOND, Clock, Instant
from monitor.runtime.errors import RouteeError, RouteeRejected


@dataclass(slots=True)
class Sms:
    """A part in its present state at Routee."""

    id: str
    sent: Instant
    date: Instant
    status: str = "Sent"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    at: Instant
    start: Instant
    end: Instant
    page: int
    size: int
    status: str | None


@dataclass(slots=True)
class FakeTracking:
    """Implements `Tracking`. ``by`` says which dates a search selects by, and ``ends`` what becomes of those on its ends (`_bounds`).

    ``longest_page`` is the most that it shows on a page, whatever is asked for. It calls ``drift`` before every answer and ``twist`` to
    change the answer. It raises a fault of ``faults`` at the request of that number, and ``down`` at every request.
    """

    clock: Clock
    by: str = "status"
    ends: str = "included"
    newest_first: bool = True
    latency: float = 0.0
    never_last: bool = False
    short_pages: bool = False
    longest_page: int = PAGE_SIZE
    messages: dict[str, Sms] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    faults: dict[int, RouteeError] = field(default_factory=dict)
    down: RouteeError | None = None
    drift: Callable[[], None] | None = None
    twist: Callable[[Page], Page] | None = None
    unreadable: int = 0
    hang: trio.Event | None = None
    hang_on: Callable[[Asked], bool] = lambda _: True

    def send(self, id_: str, at: Instant, status: str = "Sent") -> None:
        """Sends a message."""
        self.messages[id_] = Sms(id_, at, at, status)

    def report(self, id_: str, at: Instant, status: str) -> None:
        """Changes the status of a message."""
        self.messages[id_].status, self.messages[id_].date = status, at

    def statuses(self) -> dict[str, str]:
        """Returns the present status of each message."""
        return {sms.id: sms.status for sms in self.messages.values()}

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """Returns a page of the messages' present states."""
        status = next((only.term for only in question.filters if only.field == "status.status"), None)
        asked = Asked(self.clock.now(), start, end, page, size, status)
        self.asked.append(asked)
        await trio.sleep(self.latency)
        if self.hang is not None and self.hang_on(asked):
            await self.hang.wait()
        if self.drift is not None:
            self.drift()
        self._refuse(asked)
        found, size = self._selected(start, end, status), min(size, self.longest_page)
        shown = found[page * size : (page + 1) * size]
        last = (page + 1) * size >= len(found) and not self.never_last
        if self.short_pages and len(shown) == size:
            shown = shown[:-1]
        rows: list[dict[str, object]] = [{"messageId": s.id, "date": s.date, "status": s.status} for s in shown]
        hidden = min(self.unreadable, len(rows)) if page == 0 else 0
        rejected = tuple(RejectedRecord("no date", f'{{"messageId": "{row["messageId"]}"}}') for row in rows[:hidden])
        answer = Page(batch_of(rows[hidden:]), page, len(found), last, rejected)
        return answer if self.twist is None else self.twist(answer)

    def _refuse(self, asked: Asked) -> None:
        fault = self.down or self.faults.pop(len(self.asked), None)
        if fault is not None:
            raise fault
        if asked.start < self.clock.now() - 7 * DAY:
            raise RouteeRejected("the range is older than 7 days")

    def _selected(self, start: Instant, end: Instant, status: str | None) -> list[Sms]:
        first, last = _bounds(start, end, self.ends)
        messages = self.messages.values()
        if self.by == "status":
            found = [sms for sms in messages if first <= sms.date <= last]
        else:
            found = [sms for sms in messages if first <= sms.sent <= last]
        if status is not None:
            found = [sms for sms in found if sms.status == status]
        return sorted(found, key=lambda sms: (sms.date, sms.id), reverse=self.newest_first)

    def downloads(self) -> Counter[int]:
        """Counts the requests for full pages by page number."""
        return Counter(one.page for one in self.asked if one.size > 1)


def _bounds(start: Instant, end: Instant, ends: str) -> tuple[Instant, Instant]:
    """Returns the first and the last instant that a search returns. Its ends are rounded outwards to milliseconds, as the client
    writes them.

    ``ends`` says which ones belong to the range: ``included``, ``start``, ``end``. With ``of seconds`` behind it, Routee leaves
    out the fractions of all.
    """
    kind, unit = ends.removesuffix(" of seconds"), SECOND if ends.endswith(" of seconds") else 1
    first, last = (start - start % MILLISECOND) // unit, (end + -end % MILLISECOND) // unit
    if first < last:
        first, last = first + (kind not in ("included", "start")), last - (kind not in ("included", "end"))
    return first * unit, last * unit + unit - 1
