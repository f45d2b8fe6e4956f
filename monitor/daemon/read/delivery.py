"""How delivery goes: by country and operator for a heat map, and over time for charts. Counted piece by piece."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules.match import Condition
from monitor.daemon.read.fields import Seconds, Time, read_model
from monitor.model.message import DELIVERED, FAILURES, FINAL
from monitor.runtime.clock import Duration, Instant
from monitor.window import Query, Window, WindowReader
from monitor.window.columns import LATENCY_UNIT, NOT_GIVEN

MOST_CELLS: Final = 2_000
"""The most cells of a heat map; those with most messages are kept."""
MOST_POINTS: Final = 720
"""The most points of a series."""
PLACE: Final = ("country", "operator")


@read_model
class DeliveryCell:
    """The messages to one operator of one country whose status was reported in a span of time."""

    country: str
    operator: str
    messages: int
    final: int
    """The number of messages with a final status."""
    delivered: int
    failed: int
    statuses: dict[str, int]

    @property
    def delivered_share(self) -> float | None:
        """Returns the share of the final messages that were delivered; None without any."""
        return self.delivered / self.final if self.final else None


@read_model
class DeliveryMap:
    """Delivery by country and operator."""

    start: Time
    end: Time
    """The end of the span: as of when the messages are known."""
    cells: tuple[DeliveryCell, ...]
    """Those with most messages first."""
    truncated: int
    """The number of further cells, which are left out."""


@read_model
class DeliveryPoint:
    """The messages whose status was reported in one span of time."""

    start: Time
    messages: int
    final: int
    delivered: int
    failed: int
    delivered_share: float | None
    """The delivered part of the final messages, as a fraction; null without any."""
    latency_p50: float | None
    """The median latency of the delivered messages in seconds; null if none has a latency."""
    latency_p95: float | None


@read_model
class DeliverySeries:
    """Delivery over time."""

    start: Time
    end: Time
    step: Seconds
    """The length of the span of each point."""
    where: dict[str, str]
    """The values of fields that all of the messages have; empty: all messages."""
    points: tuple[DeliveryPoint, ...]
    """The oldest first."""


class DeliveryByPlace:
    """Counts messages by country and operator. Run `steps` to its end, with pauses, then call `result`."""

    def __init__(self, windows: Sequence[Window], start: Instant, end: Instant) -> None:
        self._windows, self._start, self._end = windows, start, end
        self._cells: dict[tuple[str, str], dict[str, int]] = {}

    def steps(self) -> Iterator[None]:
        """Counts, and pauses after each account and after each hundred cells."""
        by = (*PLACE, "status")
        for window in self._windows:
            reading = WindowReader(window)
            tally = reading.tally(Query(self._start, self._end, by, reported=True))
            yield
            for number, (code, count) in enumerate(zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)):
                country, operator, status = reading.labels(by, code)
                statuses = self._cells.setdefault((country, operator), {})
                statuses[status] = statuses.get(status, 0) + count
                if number % 100 == 0:
                    yield

    def result(self) -> DeliveryMap:
        """Returns the map."""
        largest = sorted((-sum(statuses.values()), place) for place, statuses in self._cells.items())[:MOST_CELLS]
        cells = tuple(_cell(*place, self._cells[place]) for _, place in largest)
        return DeliveryMap(self._start, self._end, cells, len(self._cells) - len(cells))


def _cell(country: str, operator: str, statuses: dict[str, int]) -> DeliveryCell:
    return DeliveryCell(
        country=country,
        operator=operator,
        messages=sum(statuses.values()),
        final=sum(count for status, count in statuses.items() if status in FINAL),
        delivered=statuses.get(DELIVERED, 0),
        failed=sum(count for status, count in statuses.items() if status in FAILURES),
        statuses=statuses,
    )


def check_steps(span: Duration, step: Duration) -> None:
    """Raises ValueError if a span has more than MOST_POINTS steps, or none."""
    if not 0 < step <= span or span > MOST_POINTS * step:
        raise ValueError(f"the span should have 1 to {MOST_POINTS} steps: ask for a longer step or a shorter span")


class DeliveryOverTime:
    """Counts messages in spans of equal length. Run `steps` to its end, with pauses, then call `result`.

    The spans end at whole multiples of ``step``; the last one ends at ``end`` and may be shorter.
    """

    def __init__(
        self, windows: Sequence[Window], end: Instant, span: Duration, step: Duration, where: dict[str, str]
    ) -> None:
        self._windows, self._end, self._step, self._where = windows, end, step, where
        self._start = (end - span) // step * step
        self._conditions = tuple(Condition(name, "is", (value,)) for name, value in where.items())
        self._points: list[DeliveryPoint] = []

    def steps(self) -> Iterator[None]:
        """Counts, and pauses after each span."""
        for start in range(self._start, self._end, self._step):
            self._points.append(self._point(start, min(start + self._step, self._end)))
            yield

    def _point(self, start: Instant, end: Instant) -> DeliveryPoint:
        statuses: dict[str, int] = {}
        latencies = []
        for window in self._windows:
            reading = WindowReader(window)
            question = Query(start, end, ("status",), self._conditions, reported=True)
            tally = reading.tally(question)
            for code, count in zip(tally.codes.tolist(), tally.counts.tolist(), strict=True):
                [status] = reading.labels(("status",), code)
                statuses[status] = statuses.get(status, 0) + count
            if statuses.get(DELIVERED):
                latencies.append(_latencies(reading, question))
        found = _cell("", "", statuses)
        p50, p95 = percentiles(np.concatenate([np.zeros(0, np.int32), *latencies]), (50, 95))
        share = found.delivered_share
        return DeliveryPoint(start, found.messages, found.final, found.delivered, found.failed, share, p50, p95)

    def result(self) -> DeliverySeries:
        """Returns the series."""
        return DeliverySeries(self._start, self._end, self._step, self._where, tuple(self._points))


_DELIVERED: Final = Condition("status", "is", (DELIVERED,))


def _latencies(reading: WindowReader, question: Query) -> NDArray[np.int32]:
    found: NDArray[np.int32] = reading.window.columns["latency"][reading.rows(question.narrowed([_DELIVERED]))]
    return np.asarray(found[found != NOT_GIVEN])


def percentiles(latencies: NDArray[np.int32], percents: Sequence[int]) -> list[float | None]:
    """Returns percentiles of latencies in seconds by nearest rank, as rules of the kind ``latency`` do; None without any."""
    count = len(latencies)
    if not count:
        return [None] * len(percents)
    ranks = [max(-(-count * percent // 100), 1) - 1 for percent in percents]
    ordered = np.partition(latencies, sorted(set(ranks)))
    return [float(ordered[rank] / LATENCY_UNIT) for rank in ranks]
