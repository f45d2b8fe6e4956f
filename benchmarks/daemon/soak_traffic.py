"""The traffic of the soak: millions of messages in the form of Routee's answers, drawn from a seed one minute at a time, and its faults.

The true values are computed here with separate arrays, so that the daemon's numbers can be compared with them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.model.batch import Batch, Combinations
from monitor.model.message import CODED_FIELDS, DELIVERED, FAILED, SENT, UNKNOWN
from monitor.model.routee_query import PAGE_SIZE, Page, RouteeQuery
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Clock, Duration, Instant
from monitor.runtime.errors import RouteeUnavailable

OPERATORS = ("Cosmote", "Nova", "TIM", "Iliad", "Jio", "Vi", "Orange", "Free")
COUNTRIES = ("GR", "GR", "IT", "IT", "IN", "IN", "FR", "FR")
STATUSES = (SENT, DELIVERED, FAILED)
REMEMBERED: Duration = 3 * HOUR
"""How far back searches can look."""
INCIDENT: Duration = 30 * MINUTE
INCIDENT_EVERY: Duration = 2 * HOUR
INCIDENT_AT: Duration = 40 * MINUTE
LAST_REPORT: Duration = 5 * MINUTE
"""The longest time until a message has its final status."""

Numbers = NDArray[np.int64]


def within(now: Duration, every: Duration, start: Duration, length: Duration) -> bool:
    """Returns whether ``now``, since the beginning, is within a span of ``length`` that recurs ``every`` so often, first at ``start``."""
    return start <= now % every < start + length


@dataclass
class Minute:
    """The messages of a minute: when they were sent, when their final status is reported, their operator, and that status."""

    first: int
    sent: Numbers
    final_at: Numbers
    operator: Numbers
    status: Numbers

    def present(self, now: Instant) -> tuple[Numbers, Numbers]:
        """Returns the present status of each message, and its date."""
        is_final = self.final_at <= now
        return np.where(is_final, self.status, 0), np.where(is_final, self.final_at, self.sent)


@dataclass
class World:
    """A `Tracking` of one account, with ``rate`` messages a second from ``start`` on."""

    clock: Clock
    start: Instant
    rate: int
    seed: int = 1
    sent: int = 0
    asked: int = 0
    minutes: list[Minute] = field(default_factory=list)
    incidents: Counter[str] = field(default_factory=Counter)
    quiet_from: Instant | None = None
    """From then on nothing fails."""

    def __post_init__(self) -> None:
        self._luck = np.random.default_rng(self.seed)
        self._drawn = self.start

    def is_quiet(self, now: Instant) -> bool:
        """Returns whether all faults are over."""
        return self.quiet_from is not None and now >= self.quiet_from

    def failing(self, at: Instant) -> int:
        """Returns the operator that fails then; -1 for none."""
        since = at - self.start
        if self.is_quiet(at) or not within(since, INCIDENT_EVERY, INCIDENT_AT, INCIDENT):
            return -1
        return since // INCIDENT_EVERY % len(OPERATORS)

    def _draw(self, until: Instant) -> None:
        while self._drawn < until:
            self._draw_minute(self._drawn)
            self._drawn += MINUTE
        oldest = until - REMEMBERED
        self.minutes = [minute for minute in self.minutes if minute.sent[-1] > oldest]

    def _draw_minute(self, start: Instant) -> None:
        count, luck, failing = self.rate * 60, self._luck, self.failing(start)
        if failing >= 0 and self.failing(start - MINUTE) != failing:
            self.incidents[OPERATORS[failing]] += 1
        sent = np.sort(start + luck.integers(0, MINUTE, count))
        late = np.where(luck.random(count) < 0.05, luck.integers(0, LAST_REPORT - SECOND, count), 0)
        operator = luck.integers(0, len(OPERATORS), count)
        share = np.where(operator == failing, 0.6, 0.03)
        status = np.where(luck.random(count) < share, 2, 1)
        self.minutes.append(Minute(self.sent, sent, sent + 2 * SECOND + late, operator, status))
        self.sent += count

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """See `Tracking`. Raises RouteeUnavailable during an outage."""
        now = self.clock.now()
        self.asked += 1
        self._draw(now + 1)
        if not self.is_quiet(now) and within(now - self.start, 3 * HOUR, 100 * MINUTE, 20 * MINUTE):
            raise RouteeUnavailable("Routee answered 503", "503")
        status = next((only.term for only in question.filters if only.field == "status.status"), None)
        batch, total = self._page(now, start, end, status, page * size, size)
        if self._drifts(now):
            total += 1
        return Page(batch, page, total, (page + 1) * size >= total)

    def _drifts(self, now: Instant) -> bool:
        """Returns whether the paging drifts: at random during some spans."""
        in_trouble = not self.is_quiet(now) and within(now - self.start, 5 * HOUR, 140 * MINUTE, 10 * MINUTE)
        return in_trouble and bool(self._luck.random() < 0.2)

    def _page(
        self, now: Instant, start: Instant, end: Instant, status: str | None, skip: int, size: int
    ) -> tuple[Batch, int]:
        number, date, code, operator = self._selected(now, start, end, status)
        order = np.argsort(date, kind="stable")[::-1][skip : skip + size]
        return _batch(number[order], date[order], code[order], operator[order]), len(number)

    def _selected(
        self, now: Instant, start: Instant, end: Instant, status: str | None
    ) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Returns numbers, dates, statuses and operators of the messages whose present status was reported between ``start`` and ``end``."""
        found = [self._of_minute(one, now, start, end, status) for one in self._touched(start, end)]
        if not found:
            return (np.zeros(0, np.int64),) * 4
        number, date, code, operator = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return number, date, code, operator

    def _touched(self, start: Instant, end: Instant) -> list[Minute]:
        earliest = start - LAST_REPORT - MINUTE
        return [one for one in self.minutes if one.sent[-1] >= earliest and one.sent[0] <= end]

    @staticmethod
    def _of_minute(
        one: Minute, now: Instant, start: Instant, end: Instant, status: str | None
    ) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        code, date = one.present(now)
        wanted = (date >= start) & (date <= end) & (one.sent <= now)
        if status is not None:
            wanted &= code == STATUSES.index(status) if status in STATUSES else False
        [positions] = np.nonzero(wanted)
        return one.first + positions, date[positions], code[positions], one.operator[positions]

    def recount(self, now: Instant, span: Duration) -> Counter[tuple[str, str]]:
        """Counts, by operator and status, the messages whose present status was reported in ``(now - span, now]``."""
        _, _, code, operator = self._selected(now, now - span + 1, now, None)
        pairs = zip(operator.tolist(), code.tolist(), strict=True)
        return Counter((OPERATORS[which], STATUSES[how]) for which, how in pairs)


def _batch(number: Numbers, date: Numbers, code: Numbers, operator: Numbers) -> Batch:
    count = len(number)
    fields: dict[str, Sequence[str]] = {name: [UNKNOWN] * count for name in CODED_FIELDS}
    which = operator.tolist()
    fields["status"] = [STATUSES[how] for how in code.tolist()]
    fields["operator"] = [OPERATORS[one] for one in which]
    fields["country"] = [COUNTRIES[one] for one in which]
    ones = np.ones(count, np.int64)
    return Batch(
        message_id=[f"00000000-0000-4000-8000-{one:012x}" for one in number.tolist()],
        key=ones,
        parts=ones,
        date=date,
        latency=np.where(code == 1, 2.0, np.nan),
        price=np.full(count, 0.01),
        recipient=[UNKNOWN] * count,
        coded=Combinations.of_parts(fields),
    )
